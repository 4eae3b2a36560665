"""What a launch knows and what it has started, and texts that are made from it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
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

    def perform_substitution(self, value: Any) -> str:
        return text(value, self)


class Process:
    """One process, started anew when it ends if that is wished."""

    def __init__(
        self, label: str, command: list[str], environment: dict[str, str], respawn_delay_s: float | None
    ) -> None:
        self.label, self._command, self._environment, self._delay_s = label, command, environment, respawn_delay_s
        self._ended: float | None = None
        self.popen = self._start()

    def lives_on(self) -> bool:
        """Looks after the process: False once it has ended for good."""
        if self.popen.poll() is None or self._delay_s is None:
            return self.popen.poll() is None
        now = time.monotonic()
        if self._ended is None:
            self._ended = now
            print(
                f"[ERROR] [{self.label}]: process has died, exit code {self.popen.returncode}; it is started anew",
                flush=True,
            )
        if now - self._ended >= self._delay_s:
            self._ended, self.popen = None, self._start()
        return True

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
