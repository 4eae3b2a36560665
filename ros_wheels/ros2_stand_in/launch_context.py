"""What a launch knows and what it has started, and texts that are made from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class LaunchError(Exception):
    """The launch file or its arguments are wrong: one sentence."""


class LaunchContext:
    """Arguments, environment and processes of one launch."""

    def __init__(self, arguments: dict[str, str]) -> None:
        self.launch_configurations = arguments
        own = str(Path(sys.executable).parent)  # `ros2` itself lies there, whether or not the environment is activated
        self.environment = {**os.environ, "PATH": os.pathsep.join([own, os.environ.get("PATH", os.defpath)])}
        self.processes: list[Process] = []
        self.exit_handlers: list[Callable[[ProcessExited], None]] = []

    def perform_substitution(self, value: Any) -> str:
        return text(value, self)


@dataclass(frozen=True)
class ProcessExited:
    """What a handler is told; `action` has started the process."""

    action: Any
    returncode: int


class Process:
    """One process, started anew when it ends if that is wished."""

    def __init__(self, label: str, command: list[str], action: Any, context: LaunchContext) -> None:
        """`action` is the ExecuteProcess that it is of; it says whether and when to start anew."""
        self.label, self.action, self._command, self._context = label, action, command, context
        self._environment, self._delay_s = dict(context.environment), action.respawn_delay_s
        self._ended: float | None = None
        self.popen = self._start()

    def lives_on(self) -> bool:
        """Looks after the process: False once it has ended for good."""
        if self.popen.poll() is None:
            return True
        now, first = time.monotonic(), self._ended is None
        if first:
            self._ended = now
            for handler in self._context.exit_handlers:
                handler(ProcessExited(self.action, self.popen.returncode))
        if self._delay_s is None:
            return False
        if first:
            print(
                f"[ERROR] [{self.label}]: process has died, exit code {self.popen.returncode}; it is started anew",
                flush=True,
            )
        if now - self._ended >= self._delay_s:
            self._ended, self.popen = None, self._start()
        return True

    def shut_down(self) -> None:
        """End it, for good."""
        self._delay_s = None
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGINT)

    def _start(self) -> subprocess.Popen:
        # A session of its own: Ctrl-C in the terminal reaches the launch, which passes it on once.
        try:
            process = subprocess.Popen(
                self._command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"cannot start {self._command[0]}: {error.strerror}") from error
        print(f"[INFO] [{self.label}]: process started with pid [{process.pid}]", flush=True)
        threading.Thread(target=_pass_on, args=(self.label, process), daemon=True).start()
        return process


def text(value: Any, context: LaunchContext) -> str:
    """A string, a substitution or a list of both -> its text."""
    if isinstance(value, (list, tuple)):
        return "".join(text(item, context) for item in value)
    return value.perform(context) if hasattr(value, "perform") else str(value)


def _pass_on(label: str, process: subprocess.Popen) -> None:
    for line in process.stdout:
        print(f"[{label}] {line}", end="", flush=True)


STOP_SIGNALS = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))
