"""The run folder is a journal: one folder a stage, its done.json written last; what fits is skipped, all else is made
again."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_ros.types import Classes
from cups_train.config import Config, dump_config, load_config
from cups_train.errors import CupsError, ResultError, briefly
from cups_train.files import beside, read_json, write_bytes, write_json, write_text
from cups_train.folders import layout
from cups_train.folders.journal import StageJournal, changed
from cups_train.folders.labels import read_class_of
from cups_train.folders.names import read_names
from cups_train.folders.stages import BY_NAME, LABELS, STAGES
from cups_train.lock import locked
from cups_train.output import check_output, claim, read_mark

logger = logging.getLogger(__name__)
KIND = "run"


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its stages; `root` is RUN."""

    root: Path

    @classmethod
    def create(cls, root: Path, config: Config) -> RunFolder:
        """A new run, or the one that is there; config.yaml says what is in force. Raises CupsError on a foreign
        folder."""
        if not is_run(root):
            check_output(root, KIND)
        claim(root, KIND, [layout.CONFIG])
        write_text(root / layout.CONFIG, dump_config(config))
        return cls(root)

    @classmethod
    @contextmanager
    def held(cls, root: Path, config: Config) -> Iterator[RunFolder]:
        """`create` for a command that writes into it, alone. Raises CupsError where another one does."""
        if not is_run(root):
            check_output(root, KIND)
        with locked(root):
            yield cls.create(root, config)

    @classmethod
    def open(cls, root: Path) -> RunFolder:
        """An existing run. Raises CupsError where there is none."""
        if not _holds_settings(root / layout.CONFIG):
            found = f"a damaged {root / layout.CONFIG}" if is_run(root) else f"no {layout.CONFIG} of one in {root}"
            raise CupsError(
                f"expected a run folder (made by `cups-train run` or `pseudo-label`), found {found}"
                f"{'; the same command writes it again' if is_run(root) else ''}"
            )
        return cls(root)

    def config(self, overrides: list[str], over: Path | None = None) -> Config:
        """The settings in force, with those of a file and overrides over them."""
        return load_config(self.root / layout.CONFIG, overrides, over)

    def stage(self, name: str) -> Path:
        return self.root / name

    def is_finished(self, name: str) -> bool:
        return StageJournal(self.stage(name)).is_finished()

    def fingerprint(self, name: str) -> str:
        """Identity of what a finished stage holds. Raises CupsError where it is not finished."""
        journal = StageJournal(self.stage(name))
        if not journal.is_finished():
            found = "its files changed since" if journal.done() else "it unfinished"
            raise CupsError(
                f"expected the stage {name} of {self.root} to be finished, found {found}; `cups-train "
                f"{BY_NAME[name].verb}` makes it"
            )
        return journal.fingerprint()

    def classes(self) -> Classes:
        """The pseudo classes, under the names of RUN/names.yaml where a person has written some."""
        path, names = self.root / layout.CLASSES, self.root / layout.NAMES
        try:
            classes = Classes.from_json(read_json(path)["classes"])
        except (KeyError, ValueError, TypeError) as error:
            raise ResultError(
                f"expected the classes of a run in {path}, found {error}; delete it and label again"
            ) from error
        return read_names(names, classes, self.class_of()) if names.is_file() else classes

    def class_of(self) -> tuple[int, ...]:
        """Class of each cluster in the labels in force; empty: clusters are classes, or there are no labels."""
        return read_class_of(self.stage(LABELS)) if (self.stage(LABELS) / layout.JOINING).is_file() else ()

    def write_classes(self, classes: Classes) -> None:
        """Decided once, by the labels, and kept with them."""
        write_json(self.stage(LABELS) / layout.CLASSES, {"classes": classes.to_json()})

    def publish_classes(self) -> None:
        """RUN/classes.json is that of the labels in force."""
        source, path = self.stage(LABELS) / layout.CLASSES, self.root / layout.CLASSES
        if source.is_file() and not (path.is_file() and path.read_bytes() == source.read_bytes()):
            write_bytes(path, source.read_bytes())

    def last_stage(self) -> str:
        """The last stage that can be asked for results. Raises CupsError where none is finished, or that one is
        damaged."""
        for stage in (stage.name for stage in reversed(STAGES) if stage.answers):
            # a damaged stage is no reason to take an earlier one in silence
            if (self.stage(stage) / layout.DONE).exists():
                self.fingerprint(stage)
                return stage
        raise CupsError(
            f"expected a finished stage in {self.root}, found none; `cups-train pseudo-label` and "
            "`cups-train train` make them"
        )

    def checkpoint(self, name: str) -> Path:
        """Where a trained stage leaves its network."""
        return self.stage(name) / layout.CHECKPOINT

    def last_checkpoint(self) -> Path:
        """The checkpoint of the last trained stage."""
        stage = self.last_stage()
        if not BY_NAME[stage].trained:
            raise CupsError(
                f"expected a trained stage in {self.root}, found only labels; `cups-train train {self.root}` makes it"
            )
        return self.checkpoint(stage)

    @contextmanager
    def making(self, name: str, inputs: dict[str, Any], seed: int) -> Iterator[Path | None]:
        """Make one stage: gives its folder, or None where it is finished from the same inputs; done.json is written at
        the end.

        A folder made from other inputs is set aside under RUN/.replaced (one generation is kept) and comes back where
        its inputs do. Files that are not as they were written are made again.
        """
        folder = self.stage(name)
        self._make_way(name, inputs)
        journal = StageJournal(folder)
        if journal.is_finished() and journal.is_made_from(inputs):
            logger.info("%s: finished, kept", name)
            yield None
            return
        damaged = journal.begin(inputs)
        if damaged:
            logger.warning("%s: damaged or gone, made again: %s", name, briefly(", ".join(damaged)))
        start = time.monotonic()
        yield folder
        journal.finish(name, seed, time.monotonic() - start)

    def _make_way(self, name: str, inputs: dict[str, Any]) -> None:
        """Put the folder of a stage into place, as far as there is one of these inputs; another's out of the way."""
        folder, aside = self.stage(name), self.root / layout.REPLACED / name
        now, earlier = StageJournal(folder), StageJournal(aside)
        if folder.exists() and now.is_made_from(inputs):
            return
        back = earlier.inputs() is not None and earlier.is_made_from(inputs)
        moved = beside(aside)
        if folder.exists():
            moved.parent.mkdir(parents=True, exist_ok=True)
            known = now.inputs()
            why = ", ".join(changed(known, inputs)) if known else "unknown before"
            logger.info("%s: made again, its inputs differ (%s); the old folder is in %s", name, why, aside.parent)
            if known is None:  # nobody knows whose it is
                folder.rename(aside.with_name(moved.name[1:]))
            else:
                folder.rename(moved)
        if back:
            logger.info("%s: an earlier folder of these inputs is taken back", name)
            aside.rename(folder)
        if moved.exists():
            if aside.exists() and earlier.done() and not StageJournal(moved).done():
                shutil.rmtree(moved)  # begun and not finished: the finished one before it stays
            else:
                shutil.rmtree(aside, ignore_errors=True)
                moved.rename(aside)


def is_run(folder: Path) -> bool:
    """A run is known by its mark, and by its settings."""
    mark = read_mark(folder)
    return (mark is not None and mark.kind == KIND) or _holds_settings(folder / layout.CONFIG)


def _holds_settings(path: Path) -> bool:
    """Whether these are all the settings of a run, and not another program's or half of them."""
    try:
        text = f"\n{path.read_text(encoding='utf-8')}"
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return False
    return all(f"\n{name}:" in text for name in Config.model_fields)
