"""The run folder is a journal: one folder a stage, its done.json written last; what fits is skipped, all else is made
again."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cups_ros.types import Classes
from cups_train import __version__
from cups_train.config import Config, dump_config, load_config
from cups_train.errors import CupsError, ResultError
from cups_train.files import check_out, read_json, sha256, write_json, write_text
from cups_train.folders import layout
from cups_train.folders.names import read_names
from cups_train.folders.stages import BY_NAME, STAGES

logger = logging.getLogger(__name__)
HASHED = {".json", ".safetensors", ".onnx"}


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its stages; `root` is RUN."""

    root: Path

    @classmethod
    def create(cls, root: Path, config: Config) -> RunFolder:
        """A new run, or the one that is there; config.yaml says what is in force. Raises CupsError on a foreign
        folder."""
        if not is_run(root):
            check_out(root, set())
        write_text(root / layout.CONFIG, dump_config(config))
        return cls(root)

    @classmethod
    def open(cls, root: Path) -> RunFolder:
        """An existing run. Raises CupsError where there is none."""
        if not is_run(root):
            raise CupsError(
                "expected a run folder (made by `cups-train run` or `pseudo-label`), found no "
                f"{layout.CONFIG} in {root}"
            )
        return cls(root)

    def config(self, overrides: list[str], over: Path | None = None) -> Config:
        """The settings in force, with those of a file and overrides over them."""
        return load_config(self.root / layout.CONFIG, overrides, over)

    def stage(self, name: str) -> Path:
        return self.root / name

    def is_finished(self, name: str) -> bool:
        outputs = self._done(name).get("outputs")
        return outputs is not None and outputs == _outputs(self.stage(name))

    def _done(self, name: str) -> dict[str, Any]:
        """What done.json says; nothing where it is missing or damaged."""
        try:
            done = read_json(self.stage(name) / layout.DONE)
        except ResultError:
            return {}
        return done if isinstance(done, dict) else {}

    def fingerprint(self, name: str) -> str:
        """Identity of a finished stage: of its inputs, settings and outputs. Raises CupsError where it is not
        finished."""
        if not self.is_finished(name):
            found = "its files changed since" if self._done(name) else "it unfinished"
            raise CupsError(
                f"expected the stage {name} of {self.root} to be finished, found {found}; `cups-train "
                f"{BY_NAME[name].verb}` makes it"
            )
        return sha256(self.stage(name) / layout.DONE)

    def classes(self) -> Classes:
        """The pseudo classes, under the names of RUN/names.yaml where a person has written some."""
        path, names = self.root / layout.CLASSES, self.root / layout.NAMES
        try:
            classes = Classes.from_json(read_json(path)["classes"])
        except (KeyError, ValueError, TypeError) as error:
            raise ResultError(
                f"expected the classes of a run in {path}, found {error}; delete it and label again"
            ) from error
        return read_names(names, classes) if names.is_file() else classes

    def write_classes(self, classes: Classes) -> None:
        """Decided once, by the labels."""
        write_json(self.root / layout.CLASSES, {"classes": classes.to_json()})

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

        A folder made from other inputs is set aside under RUN/.replaced (one generation is kept).
        """
        folder, key = self.stage(name), _digest(inputs)
        if self.is_finished(name) and self._done(name).get("inputs_sha256") == key:
            logger.info("%s: finished, kept", name)
            yield None
            return
        self._set_aside_unless(name, inputs)
        (folder / layout.DONE).unlink(missing_ok=True)
        write_json(folder / layout.INPUTS, inputs)
        start = time.monotonic()
        yield folder
        write_json(
            folder / layout.DONE,
            {
                "stage": name,
                "inputs": inputs,
                "inputs_sha256": key,
                "outputs": _outputs(folder),
                "seed": seed,
                "seconds": round(time.monotonic() - start, 1),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "versions": _versions(),
            },
        )

    def _set_aside_unless(self, name: str, inputs: dict[str, Any]) -> None:
        folder = self.stage(name)
        if not folder.exists():
            return
        before = read_json(folder / layout.INPUTS) if (folder / layout.INPUTS).is_file() else {}
        if before == json.loads(json.dumps(inputs)):
            return
        aside = self.root / layout.REPLACED / name
        shutil.rmtree(aside, ignore_errors=True)
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
        changed = ", ".join(_changed(before, inputs)) or "unknown before"
        logger.info("%s: made again, its inputs differ (%s); the old folder is %s", name, changed, aside)


def is_run(folder: Path) -> bool:
    """A run is known by its settings."""
    return (folder / layout.CONFIG).is_file()


def _changed(before: dict[str, Any], after: dict[str, Any], path: str = "") -> list[str]:
    names = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            names += _changed(old, new, f"{path}{key}.")
        elif json.dumps(old) != json.dumps(new):
            names.append(f"{path}{key}")
    return names


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _outputs(folder: Path) -> dict[str, Any]:
    """Count and digest of a stage's files: names and sizes of all but hidden ones (leftovers of a kill), contents of
    the decisive ones."""
    digest, count = hashlib.sha256(), 0
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and p.name not in (layout.DONE, layout.INPUTS) and p.name[0] != "."
    ):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        if path.suffix in HASHED:
            digest.update(sha256(path).encode())
        count += 1
    return {"files": count, "sha256": digest.hexdigest()}


def _versions() -> dict[str, str]:
    found = {"cups": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "torchvision", "opencv-python-headless", "onnxruntime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
