"""How the stages of a run work, from its settings."""

from __future__ import annotations

from cups_train.config import Config
from cups_train.parallel import worker_count
from cups_train.types import Work


def work_of(config: Config) -> Work:
    """Made once and passed on: `workers: 0` is counted here."""
    return Work(config.seed, worker_count(config.workers), config.device)
