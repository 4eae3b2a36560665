"""What every stage of a run is given."""

from __future__ import annotations

from dataclasses import dataclass

from cups_train.config import Config
from cups_train.folders.run import RunFolder
from cups_train.recording import Recording
from cups_train.types import Work
from cups_train.work import work_of


@dataclass(frozen=True)
class Run:
    """What every stage is given: where it reads and writes, the recordings to learn from, the settings."""

    folder: RunFolder
    recordings: list[Recording]
    config: Config

    @property
    def work(self) -> Work:
        return work_of(self.config)
