"""The stages in order, each resumable: the only module besides the command line that knows them all."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.config import Config, MotionConfig, Section
from cups_train.errors import CupsError, ResultError
from cups_train.files import read_json, sha256, write_json
from cups_train.folders import layout
from cups_train.folders.recordings import write_indices
from cups_train.folders.run import RunFolder
from cups_train.folders.stages import ANSWERING
from cups_train.parallel import worker_count
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.types import StereoCamera, Work
from cups_train.work import work_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Validation:
    """Recordings that no training stage reads, and their truth folders."""

    recordings: tuple[Recording, ...]
    truths: tuple[Path, ...]

    def check(self, trained_on: list[Recording]) -> None:
        """Raises CupsError where a recording is trained on too, a truth cannot be read or has images that its recording lacks:
        before the work of hours, not after."""
        from cups_train.folders.result_index import read_index

        both = {r.path.resolve() for r in trained_on} & {r.path.resolve() for r in self.recordings}
        if both:
            raise CupsError(f"expected recordings for --val that are not trained on, found {min(both)} in both; leave it out of one")
        for recording, truth in zip(self.recordings, self.truths, strict=True):
            names = {f"{stamp.key}.png" for stamp in recording.stamps}
            unknown = sorted(name for _, name in read_index(truth).frames if name not in names)
            if unknown:
                raise ResultError(f"expected the truth of {recording.path} in {truth}, found {unknown[0]}, which is no frame of it; "
                                  "--val and --truth are paired by position")


def run(recordings: list[Recording], run_folder: RunFolder, config: Config, validation: Validation | None = None) -> None:
    """The three stages, export and, where truth is given, evaluation; ends with the report page."""
    pseudo_label(recordings, run_folder, config)
    train(recordings, run_folder, config)
    self_train(recordings, run_folder, config)
    export(run_folder, config)
    if validation is not None:
        evaluate_stages(run_folder, config, validation)
    consistency(recordings, run_folder, config)
    write_report(run_folder)


def pseudo_label(recordings: list[Recording], run_folder: RunFolder, config: Config) -> None:
    """Stage 1: objects from motion, classes without labels, and the labels that both give."""
    from cups_train import motion, pseudo_label, semantics

    work = work_of(config)
    write_indices(recordings, run_folder)
    inputs = _inputs(recordings, config, config.motion)
    with run_folder.making("motion", inputs, config.seed) as folder:
        if folder is not None:
            settings = _with_flow(recordings, folder, config.motion, work)
            for recording in recordings:
                motion.find_motion(recording, folder / recording.name, settings, work)
    inputs = {"motion": run_folder.fingerprint("motion"), **_inputs(recordings, config, config.semantics)}
    with run_folder.making("semantics", inputs, config.seed) as folder:
        if folder is not None:
            semantics.train(recordings, folder, config.semantics, config.seed, config.device, run_folder.stage("motion"))
            for recording in recordings:
                semantics.run(recording, folder, folder / recording.name, config.semantics, work.workers, config.device)
    inputs = {stage: run_folder.fingerprint(stage) for stage in ("motion", "semantics")} | _inputs(recordings, config, config.labels)
    with run_folder.making("labels", inputs, config.seed) as folder:
        if folder is not None:
            classes = pseudo_label.run(recordings, run_folder.stage("motion"), run_folder.stage("semantics"), folder, config.labels,
                                       config.semantics.classes, work.workers, config.seed)
            run_folder.write_classes(classes)


def find_motion(recording: Recording, out: Path, config: Config, given: Path | None = None) -> None:
    """Stage 1a alone, outside of a run folder. `given`: truth folder whose flow and disparity replace the estimates."""
    from cups_train import motion
    from cups_train.folders.motion import check_motion_out

    check_motion_out(out)
    work = work_of(config)
    settings = config.motion if given is not None else _with_flow([recording], out, config.motion, work)
    motion.find_motion(recording, out, settings, work, given)


def _with_flow(recordings: list[Recording], folder: Path, config: MotionConfig, work: Work) -> MotionConfig:
    """The settings with weights; with `flow: self` and none named they are trained on these recordings first and kept in `folder`."""
    from cups_train.flow.learned.weights import with_weights

    if config.flow == "self" and config.flow_weights is None:
        from cups_train.flow.learned.training import train_flow

        train_flow(recordings, folder, config, work)
    return with_weights(config, folder)


def published_labels(recordings: list[Recording], run_folder: RunFolder, config: Config, published: Path) -> None:
    """Stage 1 is taken from label files of the published code."""
    from cups_train.published.label_files import digest, folders_of, run_published

    write_indices(recordings, run_folder)
    files = {r.name: digest(folder) for r, folder in zip(recordings, folders_of(recordings, published), strict=True)}
    with run_folder.making("labels", {"published": files, **_inputs(recordings, config, config.labels)}, config.seed) as folder:
        if folder is not None:
            classes = run_published(recordings, published, folder, config.labels)
            run_folder.write_classes(classes)


def train(recordings: list[Recording], run_folder: RunFolder, config: Config) -> None:
    """Stage 2: panoptic bootstrapping on the pseudo labels."""
    from cups_train import bootstrap

    inputs = {"labels": run_folder.fingerprint("labels"), "network": _settings(config.network),
              **_inputs(recordings, config, config.bootstrap)}
    with _training("bootstrap", run_folder, inputs, config) as folder:
        if folder is not None:
            bootstrap.run(recordings, run_folder.stage("labels"), run_folder.classes().unmerged(), folder, config.network, config.bootstrap,
                          config.seed, config.device)


def self_train(recordings: list[Recording], run_folder: RunFolder, config: Config) -> None:
    """Stage 3: self-training on all frames."""
    from cups_train import self_train as stage

    inputs = {"bootstrap": run_folder.fingerprint("bootstrap"), **_inputs(recordings, config, config.self_train)}
    with _training("self_train", run_folder, inputs, config) as folder:
        if folder is not None:
            stage.run(recordings, run_folder.checkpoint("bootstrap"), folder, config.self_train, config.seed, config.device)


@contextmanager
def _training(name: str, run_folder: RunFolder, inputs: dict[str, Any], config: Config) -> Iterator[Path | None]:
    """`RunFolder.making` for all processes that torchrun started: the first alone keeps the journal, the others are told what it decided."""
    from cups_train.training.distributed import take_place

    with take_place(config.device) as place:
        if place.first:
            with run_folder.making(name, inputs, config.seed) as folder:
                place.told(folder is not None)
                yield folder
        else:
            yield run_folder.stage(name) if place.told(False) else None
        place.wait()


def export(run_folder: RunFolder, config: Config, out: Path | None = None) -> Path:
    """The last finished stage as a model folder: RUN/model, or `out`."""
    from cups_train import export as stage

    checkpoint, classes = run_folder.last_checkpoint(), run_folder.classes()
    if out is not None:
        stage.run(checkpoint, out, config.export, run_folder.root.name, classes)
        return out
    inputs = {"checkpoint": run_folder.fingerprint(checkpoint.parent.name), "settings": config.export.model_dump(mode="json"),
              "classes": classes.to_json()}
    with run_folder.making("model", inputs, config.seed) as folder:
        if folder is not None:
            stage.run(checkpoint, folder, config.export, run_folder.root.name, classes)
    return run_folder.stage("model")


def evaluate_stages(run_folder: RunFolder, config: Config, validation: Validation) -> dict[str, Any]:
    """Predict the validation recordings with every stage and score them; RUN/metrics.json holds the figures.

    The k-means baseline stands beside them; the assignment of pseudo classes is fitted on the truth that is scored.
    """
    from cups_train.evaluation import baseline
    from cups_train.evaluation.predict import predict
    from cups_train.evaluation.predictors import predictor_of_stage
    from cups_train.evaluation.protocols import PROTOCOLS
    from cups_train.evaluation.score import EvaluationOptions, read_tables, score
    from cups_train.evaluation.table import render_table
    from cups_train.folders.recordings import recordings_of

    root = run_folder.root / layout.EVALUATION
    figures: dict[str, Any] = {}
    for stage in progress(("kmeans", *ANSWERING), "evaluation"):
        if stage == "kmeans":
            folders = baseline.run(recordings_of(run_folder, config), validation.recordings, root / stage, config.semantics.classes,
                                   config.seed, run_folder.stage("motion"))
        else:
            folders = predict(predictor_of_stage(run_folder, stage, config), list(validation.recordings), root / stage)
        tables = read_tables(folders, validation.truths)
        found = {name: score(tables, EvaluationOptions(matching=p.matching, void=p.void)) for name, p in PROTOCOLS.items()}
        figures[stage] = {name: evaluation.to_json() for name, evaluation in found.items()}
        logger.info("%s\n%s", stage, render_table(found["strict"]))
    write_json(run_folder.root / layout.SCORES, figures)
    return figures


def consistency(recordings: list[Recording], run_folder: RunFolder, config: Config) -> dict[str, Any]:
    """How well the labels agree with themselves over both cameras and over time; RUN/consistency.json keeps it for these labels."""
    from cups_train.evaluation.consistency import measure

    path, labels = run_folder.root / layout.CONSISTENCY, run_folder.fingerprint("labels")
    if path.is_file() and (found := read_json(path)).get("labels") == labels:
        return dict(found)
    load = partial(_classifier, run_folder.stage("semantics"), config.device) if run_folder.is_finished("semantics") else None
    figures = measure(recordings, run_folder.root, run_folder.classes().unmerged(), load, worker_count(config.workers))
    write_json(path, {"labels": labels, **figures})
    return figures


@lru_cache(maxsize=1)
def _classifier(folder: Path, device: str) -> Callable[[np.ndarray, np.ndarray, StereoCamera], np.ndarray]:
    """The run's semantics, loaded once a process."""
    from cups_train import semantics

    return semantics.load(folder, device).classify


def write_report(run_folder: RunFolder) -> Path:
    """RUN/report/index.html."""
    from cups_train.report.page import write_report as write

    return write(run_folder.root)


def _inputs(recordings: list[Recording], config: Config, section: Section) -> dict[str, Any]:
    return {"recordings": {r.name: r.fingerprint for r in recordings}, "settings": _settings(section),
            "recording": config.recording.model_dump(mode="json"), "seed": config.seed}


def _settings(section: Section) -> dict[str, Any]:
    """The section's values; a file of weights is known by what is in it, wherever it lies."""
    values = section.model_dump(mode="json")
    return {name: f"sha256:{sha256(Path(value))}" if name.endswith("weights") and value and Path(value).is_file() else value
            for name, value in values.items()}

