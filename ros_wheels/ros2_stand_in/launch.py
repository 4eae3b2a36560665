"""`ros2 launch`: runs a launch file until all its processes have ended, those that are to be started anew excepted."""

from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from pathlib import Path

from ros2_stand_in import launch_api
from ros2_stand_in.launch_api import DeclareLaunchArgument
from ros2_stand_in.launch_context import STOP_SIGNALS, LaunchContext, LaunchError, text
from ros2_stand_in.packages import package_prefix

__all__ = ["LaunchError", "launch"]
LOOK_S = 0.05


def launch(words: list[str], show_arguments: bool) -> int:
    """PACKAGE FILE or PATH, then name:=value; the largest exit code of the processes."""
    given = [word.split(":=", 1) for word in words if ":=" in word]
    places = [word for word in words if ":=" not in word]
    path = (
        Path(places[0])
        if len(places) == 1
        else Path(package_prefix(places[0]), "share", places[0], "launch", places[1])
    )
    if not path.is_file():
        raise LaunchError(f"no launch file {path}")
    launch_api.install()
    actions, context = load(path), LaunchContext(dict(given))
    if show_arguments:
        return _show(actions, context)
    return _run(actions, context)


def load(path: Path) -> list:
    """The actions of a launch file."""
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description().entities


def _show(actions: list, context: LaunchContext) -> int:
    print("Arguments (pass as name:=value):")
    for action in actions:
        if isinstance(action, DeclareLaunchArgument):
            default = "required" if action.default is None else f"default: {text(action.default, context)!r}"
            print(f"\n    {action.name}:\n        {action.description}\n        ({default})")
    return 0


def _run(actions: list, context: LaunchContext) -> int:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        for action in actions:
            action.visit(context)
        while not stop.wait(LOOK_S) and sum(process.lives_on() for process in context.processes):
            pass
    finally:
        _stop(context)
    return max((abs(process.popen.returncode) for process in context.processes), default=0)


def _stop(context: LaunchContext) -> None:
    for number, seconds in STOP_SIGNALS:
        alive = [process.popen for process in context.processes if process.popen.poll() is None]
        for process in alive:
            os.killpg(process.pid, number)
        end = time.monotonic() + seconds
        while any(process.poll() is None for process in alive) and time.monotonic() < end:
            time.sleep(0.02)
    for process in context.processes:
        print(f"[INFO] [{process.label}]: process has finished, exit code {process.popen.returncode}", flush=True)
