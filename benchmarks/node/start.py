"""Prints the seconds until the node answers: configure, start, and start anew after kill -9 under the launch file.

Two minutes.

    .venv/bin/python benchmarks/node/start.py                       with runs/demo/model
    .venv/bin/python benchmarks/node/start.py --model runs/street/model --engines onnxruntime-cpu --kills 10

configure: the call of the transition in a fresh process, and again in the same one; a plan of TensorRT is cached after
the first start. start: from `ros2 launch` to the first answer to an image. respawn: from kill -9 to the first answer to
an image sent since. The launch file waits for a second before it starts a dead node anew. A camera sends 10 images a
second all the while.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from benchmarks.node.camera import ROOT, START_S, Camera, own_graph, picture

ROS2 = shutil.which("ros2", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
RATE_HZ = 10.0
AGAIN = 3  # further configures


def main() -> int:
    """Print the lines; the exit code."""
    args = _arguments()
    print(
        f"machine: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {args.model}, engines "
        f"{args.engines or 'as they come'}"
    )
    own_graph()
    height, width = (int(side) for side in args.size.split("x"))
    camera = Camera(picture(height, width), "/image")
    first, again = _configure(args, camera)
    print(f"configure: {first:.1f} s in a fresh process, then {', '.join(f'{seconds:.1f}' for seconds in again)} s")
    with _launched(args, "autostart:=true") as process:
        started = _answered_after(camera)
        print(f"start: {started:.1f} s from ros2 launch to the first answer")
        respawned = [_killed(process, camera) for _ in range(args.kills)]
    print(f"respawn: {', '.join(f'{seconds:.1f}' for seconds in respawned)} s from kill -9 to the first answer")
    camera.close()
    print(
        f"configure_s={first:.1f} start_s={started:.1f} respawn_p50_s={statistics.median(respawned):.1f} "
        f"respawn_max_s={max(respawned):.1f}"
    )
    return 0


def _configure(args: argparse.Namespace, camera: Camera) -> tuple[float, list[float]]:
    """Seconds of the first configure of a process, and of further ones."""
    with _launched(args, "autostart:=false"):
        client = camera.node.create_client(ChangeState, "/panoptic_node/change_state")
        _until(camera, client.service_is_ready)

        def change(transition: int) -> float:
            request, begun = ChangeState.Request(transition=Transition(id=transition)), time.monotonic()
            future = client.call_async(request)
            _until(camera, future.done)
            if not future.result().success:
                raise SystemExit(f"a transition was refused; the node says: {camera.status.get('last_error')}")
            return time.monotonic() - begun

        seconds = [change(Transition.TRANSITION_CONFIGURE)]
        for _ in range(AGAIN):
            change(Transition.TRANSITION_CLEANUP)
            seconds.append(change(Transition.TRANSITION_CONFIGURE))
        camera.node.destroy_client(client)
    return seconds[0], seconds[1:]


def _killed(process: subprocess.Popen, camera: Camera) -> float:
    """Kill the node; seconds until it answers again."""
    (child,) = _children(process.pid)
    os.kill(child, signal.SIGKILL)
    return _answered_after(camera)


def _answered_after(camera: Camera) -> float:
    """Send images until one sent from now on is answered; seconds until then."""
    begun, begun_ns, due = time.monotonic(), time.monotonic_ns(), 0.0

    def answered() -> bool:
        nonlocal due
        if time.monotonic() >= due:
            camera.publish()
            due = time.monotonic() + 1 / RATE_HZ
        return any(stamp_ns >= begun_ns for stamp_ns in camera.latency_s)

    camera.latency_s.clear()
    _until(camera, answered)
    return time.monotonic() - begun


def _children(parent: int) -> list[int]:
    """The processes of the node that a launch has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if (
                int(status.read_text().rsplit(")", 1)[1].split()[1]) == parent
                and b"panoptic_node" in (status.parent / "cmdline").read_bytes()
            ):
                found.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return found


def _until(camera: Camera, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"gave up after {START_S:.0f} s; the node says: {camera.status}")
        camera.spin(0.02)


@contextmanager
def _launched(args: argparse.Namespace, *arguments: str) -> Iterator[subprocess.Popen]:
    command = [
        ROS2,
        "launch",
        "cups_ros",
        "panoptic.launch.py",
        f"model:={args.model.resolve()}",
        "image:=/image",
        f"engines:={args.engines}",
    ]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "runs/demo/model", help="exported model folder")
    parser.add_argument("--engines", default="", help="back ends to try, with commas between")
    parser.add_argument("--size", default="640x1280", help="of the images, height x width")
    parser.add_argument("--kills", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
