"""What the folder of a stage says of itself: inputs.json, what it is made from, written first; done.json, how its files
were when it was finished, written last."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cups_train import __version__
from cups_train.files import read_json, read_object, sha256, write_json
from cups_train.folders import layout
from cups_train.output import remove_temporaries

HASHED = {".json", ".safetensors", ".onnx"}
DECISIVE = HASHED | {".png", ".npy"}  # what later stages read; a log holds times


@dataclass(frozen=True)
class StageJournal:
    """Of the stage in `folder`."""

    folder: Path

    def done(self) -> dict[str, Any]:
        """What done.json says; nothing where it is missing or damaged."""
        return read_object(self.folder / layout.DONE)

    def inputs(self) -> dict[str, Any] | None:
        """What the stage is made from; None where nobody knows."""
        told = self.done().get("inputs") or read_object(self.folder / layout.INPUTS)
        return told if isinstance(told, dict) and told else None

    def is_made_from(self, inputs: dict[str, Any]) -> bool:
        return self.inputs() == json.loads(json.dumps(inputs)) or (not inputs and self.inputs() is None)

    def is_finished(self) -> bool:
        """Whether its files are what they were then, by their names and sizes, and the decisive ones by content."""
        outputs = self.done().get("outputs")
        return outputs is not None and outputs == _outputs(self.folder)

    def fingerprint(self) -> str:
        """Identity of what a finished stage holds: the same content, however often it is made, is the same stage."""
        contents = self.done().get("contents")
        if not isinstance(contents, dict):  # of version 0.1, whose later stages know it by this
            return sha256(self.folder / layout.DONE)
        return digest({name: value for name, value in contents.items() if Path(name).suffix in DECISIVE})

    def begin(self, inputs: dict[str, Any]) -> list[str]:
        """The stage is finished no more. Files that are not as they were then go, so that they are made again; their
        names."""
        contents = self.done().get("contents")
        damaged = []
        for name, was in contents.items() if isinstance(contents, dict) else ():
            path = self.folder / name
            if not path.is_file() or sha256(path) != was:
                path.unlink(missing_ok=True)
                damaged.append(name)
        (self.folder / layout.DONE).unlink(missing_ok=True)
        for folder in (self.folder, *(p for p in self.folder.rglob("*") if p.is_dir())):
            if folder.is_dir():
                remove_temporaries(folder)
        write_json(self.folder / layout.INPUTS, inputs)
        return damaged

    def finish(self, stage: str, seed: int, seconds: float) -> None:
        inputs = read_json(self.folder / layout.INPUTS)
        done = {
            "stage": stage,
            "inputs": inputs,
            "inputs_sha256": digest(inputs),
            "outputs": _outputs(self.folder),
            "contents": {str(path.relative_to(self.folder)): sha256(path) for path in _files(self.folder)},
            "seed": seed,
            "seconds": round(seconds, 1),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "versions": _versions(),
        }
        write_json(self.folder / layout.DONE, done)


def changed(before: dict[str, Any], after: dict[str, Any], path: str = "") -> list[str]:
    """Names of the inputs that differ."""
    names = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            names += changed(old, new, f"{path}{key}.")
        elif json.dumps(old) != json.dumps(new):
            names.append(f"{path}{key}")
    return names


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    """All but the journal itself and hidden ones (marks, leftovers of a kill)."""
    own = (layout.DONE, layout.INPUTS)
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in own and p.name[0] != ".")


def _outputs(folder: Path) -> dict[str, Any]:
    """Count and digest of a stage's files: names and sizes of all, contents of the decisive ones."""
    found, count = hashlib.sha256(), 0
    for path in _files(folder):
        found.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
        if path.suffix in HASHED:
            found.update(sha256(path).encode())
        count += 1
    return {"files": count, "sha256": found.hexdigest()}


def _versions() -> dict[str, str]:
    found = {"cups": __version__, "python": platform.python_version()}
    for package in ("numpy", "torch", "torchvision", "opencv-python-headless", "onnxruntime"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "absent"
    return found
