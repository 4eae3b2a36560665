"""An exported model in the real node: a recording is played through ROS 2, what the node publishes is recorded, checked
and scored."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from cups_ros.colors import overlay
from cups_ros.types import Panoptic
from cups_train.errors import CupsError
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.files import write_image, write_json
from cups_train.folders.layout import ANSWERS, NODE_FIGURES, overlay_path
from cups_train.folders.results import ResultWriter
from cups_train.recording import Recording
from cups_train.recording.answers import NodeAnswer, read_answers, read_label_info

logger = logging.getLogger(__name__)
START_LIMIT_S = 60.0
PICTURES = 6


@dataclass(frozen=True)
class NodeTrial:
    """How the node did on one recording."""

    played: int
    answered: int  # images answered with their own stamp
    latency_ms_median: float  # of the node's inference in this machine's process, by the model alone
    pq: float
    pq_percent: float


def play_through_node(model: Path, recording: Recording, truth: Path, out: Path, root: Path) -> NodeTrial:
    """Launch the node with `model`, play `recording` slowly enough for every image, record /cups/panoptic, score it
    against `truth`.

    Writes out/answers (a result folder with overlays), out/answers.json and the logs of the three programs. Raises
    CupsError where ROS 2 is missing or the node does not come up.
    """
    ros2 = shutil.which("ros2", path=_environment(root)["PATH"])
    if ros2 is None:
        raise CupsError(
            "expected the command `ros2` for the node, found none; `make install` brings it, or source a ROS 2 "
            "installation"
        )
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    seconds = _seconds_an_image(model, recording)
    _run_programs(ros2, model, recording, out, root, seconds)
    answers = list(read_answers(out / "bag", root / "msg"))
    trial = _score(answers, recording, truth, out, root, seconds)
    write_json(out / NODE_FIGURES, asdict(trial))
    return trial


def _seconds_an_image(model: Path, recording: Recording) -> float:
    from cups_ros.model import load_model

    session, image = load_model(model), recording.left(recording.stamps[0].key)
    session.infer(image)
    times = []
    for _ in range(3):
        start = time.monotonic()
        session.infer(image)
        times.append(time.monotonic() - start)
    return median(times)


def _run_programs(ros2: str, model: Path, recording: Recording, out: Path, root: Path, seconds: float) -> None:
    rate = min(1.0, recording.step_ns * 1e-9 / (3 * seconds + 0.2))
    topic = recording.left_reader.topic
    transport = "compressed" if topic.endswith("/compressed") else "raw"
    launch = [
        ros2,
        "launch",
        "cups_ros",
        "panoptic.launch.py",
        f"model:={model.resolve()}",
        f"image:={topic.removesuffix('/compressed')}",
        f"transport:={transport}",
    ]
    record = [ros2, "bag", "record", "-o", str(out / "bag"), "/cups/panoptic", "/cups/label_info"]
    with _program(launch, out / "node.log", root), _program(record, out / "record.log", root):
        _wait(
            lambda: "active [3]" in _output([ros2, "lifecycle", "get", "/panoptic_node"], root),
            "the node to become active",
            out / "node.log",
        )
        _wait(lambda: (out / "bag").exists(), "the recorder to start", out / "record.log")
        logger.info("playing %s at %.2f of its rate through the node", recording.name, rate)
        play = [ros2, "bag", "play", str(recording.path), "--rate", f"{rate:.3f}", "--delay", "2"]
        with (out / "play.log").open("w", encoding="utf-8") as log:
            subprocess.run(play, env=_environment(root), stdout=log, stderr=subprocess.STDOUT, check=False)
        time.sleep(2 * seconds + 1.0)


def _score(
    answers: list[NodeAnswer], recording: Recording, truth: Path, out: Path, root: Path, seconds: float
) -> NodeTrial:
    by_stamp = {answer.stamp_ns: answer for answer in answers}
    answered = [stamp for stamp in recording.stamps if stamp.stamp_ns in by_stamp]
    if not answered:
        raise CupsError(
            f"expected answers on /cups/panoptic, found none with a stamp of {recording.name}; {out / 'node.log'} "
            "says what the node did"
        )
    classes = read_label_info(out / "bag", root / "msg")
    writer = ResultWriter(
        out / ANSWERS, classes, {"kind": "prediction", "model": "/cups/panoptic", "recording": recording.name}
    )
    for number, stamp in enumerate(recording.stamps):
        panoptic = by_stamp[stamp.stamp_ns].panoptic if stamp.stamp_ns in by_stamp else _void(answers[0].panoptic)
        writer.write(stamp.key, stamp.stamp_ns, panoptic)
        if number % max(1, len(recording.stamps) // PICTURES) == 0:
            write_image(overlay_path(out / ANSWERS, stamp.key), overlay(recording.left(stamp.key), panoptic, classes))
    writer.close()
    pq = evaluate(out / ANSWERS, truth, EvaluationOptions()).all.pq
    return NodeTrial(len(recording.stamps), len(answered), round(1000 * seconds, 1), pq, round(100 * pq, 1))


def _void(like: Panoptic) -> Panoptic:
    """What an image without an answer is scored as."""
    return Panoptic(np.zeros_like(like.class_id), np.zeros_like(like.instance_id))


@contextmanager
def _program(command: list[str], log: Path, root: Path) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command,
            env=_environment(root),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_hear_interrupts,
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _hear_interrupts() -> None:
    """A background job of a shell ignores SIGINT, and its children would too: they could not be asked to stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _wait(condition: Callable[[], bool], what: str, log: Path) -> None:
    end = time.monotonic() + START_LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise CupsError(f"expected {what} within {START_LIMIT_S:.0f} s, found it did not; {log} says why")
        time.sleep(0.5)


def _output(command: list[str], root: Path) -> str:
    return subprocess.run(
        command, env=_environment(root), capture_output=True, text=True, timeout=30, check=False
    ).stdout


def _environment(root: Path) -> dict[str, str]:
    """The caller's environment with the ROS 2 of this Python's environment where no other is sourced, and a domain of
    its own."""
    environment = dict(os.environ)
    if "ROS_DISTRO" not in environment:
        environment["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
        environment["AMENT_PREFIX_PATH"] = sys.prefix
    environment.setdefault("ROS_DOMAIN_ID", str(65 + os.getpid() % 18))  # beside those of tests and benchmarks
    environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(root / "config" / "fastdds_images.xml"))
    return environment
