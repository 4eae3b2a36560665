"""What is looked after once a second: images that do not come, and an engine that neither answers nor fails."""

from __future__ import annotations

import os
from typing import Any

from cups_ros.health import Health
from cups_ros.inputs import Inputs
from cups_ros.recovery import LastingModel
from cups_ros.worker import NewestWorker

ENGINE_HANGS = 3  # exit code


class Watchdog:
    """Tells the log, and ends the process where only a new one helps."""

    def __init__(self, logger: Any) -> None:
        self._logger, self._silent = logger, False

    def inputs(self, health: Health, silent: bool, inputs: Inputs | None) -> None:
        """Say once that images are missing and why, and once that they are back; without `inputs` the node does not
        listen."""
        health.silence = inputs.silence() if silent and inputs is not None else ""
        if silent and not self._silent:
            self._logger.warning(f"no image for {health.stale_after_s:g} s: {health.silence}")
        elif self._silent and not silent and inputs is not None:
            self._logger.info("images are back")
        self._silent = silent

    def engine(self, limit_s: float, worker: NewestWorker[Any] | None, model: LastingModel | None) -> None:
        """End the process where an engine has been in its work for longer than `limit_s`, 0: never: no thread of it can
        be stopped from outside."""
        if limit_s and worker is not None and model is not None and worker.busy_s() > limit_s and not model.recovering:
            self._logger.fatal(
                f"engine {model.model.engine} has not answered for {limit_s:g} s (engine_timeout_s): the process ends, "
                "the launch file starts it anew"
            )
            os._exit(ENGINE_HANGS)
