"""RUN/recording/NAME/index.json: which recordings a run was labelled from, and whether they are still the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cups_train.config import Config
from cups_train.errors import CupsError, ResultError
from cups_train.files import read_json, write_json
from cups_train.folders.layout import RECORDING, RECORDING_INDEX
from cups_train.folders.run import RunFolder
from cups_train.recording import Recording, open_recordings


def write_indices(recordings: Sequence[Recording], run_folder: RunFolder) -> None:
    """Where each recording is, its calibration and stamps; no images. Those of other recordings go."""
    for folder in run_folder.stage(RECORDING).glob("*"):
        if folder.name not in {r.name for r in recordings}:
            shutil.rmtree(folder)
    for recording in recordings:
        write_json(
            run_folder.stage(RECORDING) / recording.name / RECORDING_INDEX,
            {
                "name": recording.name,
                "path": str(recording.path.resolve()),
                "fingerprint": recording.fingerprint,
                "camera": asdict(recording.camera),
                "step_ns": recording.step_ns,
                "frames": [{"key": s.key, "stamp_ns": s.stamp_ns, "follows": s.follows} for s in recording.stamps],
            },
        )


def index_paths(run: Path) -> list[Path]:
    """The index of every recording of a run, by name."""
    return sorted((run / RECORDING).glob(f"*/{RECORDING_INDEX}"))


def recordings_of(run_folder: RunFolder, config: Config) -> list[Recording]:
    """The recordings that a run was labelled from. Raises CupsError where one has changed or gone."""
    paths = [Path(path) for path, _ in _labelled(run_folder).values()]
    if not paths:
        raise CupsError(
            f"expected a labelled run, found no recordings in {run_folder.root}; `cups-train pseudo-label` makes one"
        )
    recordings = open_recordings(paths, config.recording)
    check_recordings(run_folder, recordings)
    return recordings


def check_recordings(run_folder: RunFolder, recordings: Sequence[Recording]) -> None:
    """Raises CupsError where the run was not labelled from these recordings as they are now."""
    labelled = _labelled(run_folder)
    for recording in recordings:
        _, fingerprint = labelled.get(recording.name, ("", ""))
        if recording.fingerprint != fingerprint:
            raise CupsError(
                f"expected {recording.path} as it was when {run_folder.root} was labelled, found "
                f"{'another content' if fingerprint else 'that it had no part in it'}; label again with `cups-train "
                "pseudo-label`"
            )


def _labelled(run_folder: RunFolder) -> dict[str, tuple[str, str]]:
    """Name -> path and fingerprint of the recordings that a run was labelled from."""
    found = {}
    for path in index_paths(run_folder.root):
        row = read_json(path)
        try:
            found[str(row["name"])] = str(row["path"]), str(row["fingerprint"])
        except (KeyError, TypeError) as error:
            raise ResultError(
                f"expected name, path and fingerprint of a recording in {path}, found a damaged file; "
                "`cups-train pseudo-label` makes it again"
            ) from error
    return found
