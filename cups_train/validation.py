"""What a run is worth: by truth on recordings set aside, and without truth by how far it agrees with itself."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.errors import CupsError, ResultError
from cups_train.files import read_object, write_json
from cups_train.folders import layout, stages
from cups_train.folders.recordings import recordings_of
from cups_train.folders.stages import ANSWERING
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.run import Run
from cups_train.types import StereoCamera

logger = logging.getLogger(__name__)
CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}  # another's run: to look at it is no reason to write there


@dataclass(frozen=True)
class Validation:
    """Recordings that no training stage reads, and their truth folders."""

    recordings: tuple[Recording, ...]
    truths: tuple[Path, ...]

    def check(self, trained_on: list[Recording]) -> None:
        """Raises CupsError where a recording is trained on too, a truth cannot be read or has images that its recording
        lacks: before the work of hours, not after."""
        from cups_train.folders.result_index import read_index

        both = {r.path.resolve() for r in trained_on} & {r.path.resolve() for r in self.recordings}
        if both:
            raise CupsError(
                f"expected recordings for --val that are not trained on, found {min(both)} in both; leave it out of one"
            )
        for recording, truth in zip(self.recordings, self.truths, strict=True):
            names = {f"{stamp.key}.png" for stamp in recording.stamps}
            unknown = sorted(name for _, name in read_index(truth).frames if name not in names)
            if unknown:
                raise ResultError(
                    f"expected the truth of {recording.path} in {truth}, found {unknown[0]}, which is no frame of it; "
                    "--val and --truth are paired by position"
                )


def evaluate_stages(run: Run, validation: Validation) -> dict[str, Any]:
    """Predict the validation recordings with every stage and score them; RUN/metrics.json holds the figures.

    The k-means baseline stands beside them; the assignment of pseudo classes is fitted on the truth that is scored.
    """
    from cups_train.evaluation import baseline
    from cups_train.evaluation.predict import predict
    from cups_train.evaluation.predictors import predictor_of_stage
    from cups_train.evaluation.protocols import PROTOCOLS
    from cups_train.evaluation.score import EvaluationOptions, read_tables, score
    from cups_train.evaluation.strips import Answer, write_strips
    from cups_train.evaluation.table import render_table

    root = run.folder.root / layout.EVALUATION
    figures: dict[str, Any] = {}
    answers: list[Answer] = []
    for stage in progress(("kmeans", *ANSWERING), "evaluation"):
        if stage == "kmeans":
            learning = baseline.Learning(
                recordings_of(run.folder, run.config),
                len(run.folder.classes().learned()),
                run.folder.stage(stages.MOTION),
            )
            folders = baseline.write_baseline(learning, validation.recordings, root / stage, run.config)
        else:
            folders = predict(
                predictor_of_stage(run.folder, stage, run.config), list(validation.recordings), root / stage
            )
        tables = read_tables(folders, validation.truths)
        found = {
            name: score(tables, EvaluationOptions(matching=p.matching, void=p.void)) for name, p in PROTOCOLS.items()
        }
        figures[stage] = {name: evaluation.to_json() for name, evaluation in found.items()}
        fitted = found["strict"].assignment
        answers.append(Answer(stage, folders, {} if fitted is None else fitted.panoptic))
        logger.info("%s\n%s", stage, render_table(found["strict"]))
    shutil.rmtree(root / layout.PICTURES, ignore_errors=True)
    write_strips(root / layout.PICTURES, validation.recordings, validation.truths, answers)
    write_json(run.folder.root / layout.SCORES, figures)
    return figures


def consistency(run: Run) -> dict[str, Any]:
    """How well the labels agree with themselves over both cameras and over time; RUN/consistency.json keeps it for
    these labels."""
    from cups_train.evaluation.consistency import measure

    run_folder, work = run.folder, run.work
    path, labels = run_folder.root / layout.CONSISTENCY, run_folder.fingerprint(stages.LABELS)
    found = read_object(path)
    if found.get("labels") == labels and "kept" in found:
        return found
    load = (
        partial(_classifier, run_folder.stage(stages.SEMANTICS), work.device)
        if run_folder.is_finished(stages.SEMANTICS)
        else None
    )
    figures = measure(run.recordings, run_folder.root, run_folder.classes().unmerged().learned(), load, work.workers)
    try:
        write_json(path, {"labels": labels, **figures})
    except OSError as error:
        if error.errno not in CLOSED:
            raise
        logger.warning("not kept in %s: %s", path, error.strerror)
    return figures


@lru_cache(maxsize=1)
def _classifier(folder: Path, device: str) -> Callable[[np.ndarray, np.ndarray, StereoCamera], np.ndarray]:
    """The run's semantics, loaded once a process."""
    from cups_train import semantics

    return semantics.load(folder, device).classify
