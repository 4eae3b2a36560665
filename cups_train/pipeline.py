"""The stages in order, each resumable: the only module besides the command line that knows them all."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cups_train.config import Config, MotionConfig, Section
from cups_train.files import sha256
from cups_train.folders import stages
from cups_train.folders.recordings import write_indices
from cups_train.folders.run import RunFolder
from cups_train.folders.stages import BY_NAME
from cups_train.lock import locked
from cups_train.output import check_output, claim
from cups_train.recording import Recording
from cups_train.run import Run
from cups_train.story import TimeLeft, told
from cups_train.types import Work
from cups_train.validation import Validation, consistency, evaluate_stages
from cups_train.work import work_of

logger = logging.getLogger(__name__)


def run_all(run: Run, validation: Validation | None = None, left: TimeLeft | None = None) -> None:
    """The three stages, export and, where truth is given, evaluation; ends with the report page. Each says what it does
    and what came of it."""
    write_indices(run.recordings, run.folder)
    for stage, make in (
        (stages.MOTION, find_motion),
        (stages.SEMANTICS, learn_classes),
        (stages.LABELS, make_labels),
        (stages.BOOTSTRAP, bootstrap),
        (stages.SELF_TRAIN, self_train),
        (stages.MODEL, lambda run: export(run.folder, run.config)),
    ):
        with told(run.folder, stage, logger.info, left):
            make(run)
    if validation is not None:
        evaluate_stages(run, validation)
    consistency(run)
    write_report(run.folder)


def pseudo_label(run: Run) -> None:
    """Stage 1: objects from motion, classes without labels, and the labels that both give."""
    write_indices(run.recordings, run.folder)
    find_motion(run)
    learn_classes(run)
    make_labels(run)


def find_motion(run: Run) -> None:
    """Stage 1a: RUN/motion."""
    from cups_train import motion

    work, config = run.work, run.config.motion
    with run.folder.making(stages.MOTION, _inputs(stages.MOTION, run, config), work.seed) as folder:
        if folder is not None:
            settings = _with_flow(run.recordings, folder, config, work)
            for recording in run.recordings:
                motion.find_motion(recording, folder / recording.name, settings, work)


def find_motion_alone(
    recording: Recording, out: Path, config: Config, given: Path | None = None, force: bool = False
) -> None:
    """Stage 1a outside of a run folder. `given`: truth folder whose flow and disparity replace the estimates; `force`:
    as in `check_output`."""
    from cups_train import motion
    from cups_train.folders.motion import FLOW, KIND

    check_output(out, KIND, force=force)
    work = work_of(config)
    with locked(out):
        if given is None:
            claim(out, KIND, FLOW)
        settings = config.motion if given is not None else _with_flow([recording], out, config.motion, work)
        motion.find_motion(recording, out, settings, work, given)


def _with_flow(recordings: list[Recording], folder: Path, config: MotionConfig, work: Work) -> MotionConfig:
    """The settings with weights; with `flow: self` and none named they are trained on these recordings first and kept
    in `folder`."""
    from cups_train.flow.learned.weights import with_weights

    if config.flow == "self" and config.flow_weights is None:
        from cups_train.flow.learned.training import train_flow

        train_flow(recordings, folder, config, work)
    return with_weights(config, folder)


def learn_classes(run: Run) -> None:
    """Stage 1b: RUN/semantics."""
    from cups_train import semantics

    work, config = run.work, run.config.semantics
    with run.folder.making(stages.SEMANTICS, _inputs(stages.SEMANTICS, run, config), work.seed) as folder:
        if folder is not None:
            semantics.learn_classes(run.recordings, folder, config, work, run.folder.stage(stages.MOTION))
            for recording in run.recordings:
                semantics.classify(recording, folder, folder / recording.name, config, work)


def make_labels(run: Run) -> None:
    """Stage 1c: RUN/labels, and which classes are things."""
    from cups_train import pseudo_label

    work, classes = run.work, run.config.semantics.classes
    with run.folder.making(
        stages.LABELS, _inputs(stages.LABELS, run, run.config.labels, classes=classes), work.seed
    ) as folder:
        if folder is not None:
            basis = pseudo_label.Basis(
                run.recordings,
                run.folder.stage(stages.MOTION),
                run.folder.stage(stages.SEMANTICS),
                None if classes == "auto" else classes,
            )
            run.folder.write_classes(pseudo_label.make_labels(basis, folder, run.config.labels, work))
    run.folder.publish_classes()


def take_published_labels(run: Run, published: Path) -> None:
    """Stage 1 is taken from label files of the published code."""
    from cups_train.published.label_files import digest, folders_of, take_labels

    write_indices(run.recordings, run.folder)
    files = {
        r.name: digest(folder) for r, folder in zip(run.recordings, folders_of(run.recordings, published), strict=True)
    }
    with run.folder.making(
        stages.LABELS, {"published": files, **_told(run, run.config.labels)}, run.config.seed
    ) as folder:
        if folder is not None:
            run.folder.write_classes(take_labels(run.recordings, published, folder, run.config.labels))
    run.folder.publish_classes()


def bootstrap(run: Run) -> None:
    """Stage 2: panoptic bootstrapping on the pseudo labels."""
    from cups_train.bootstrap import LabelledRecordings
    from cups_train.bootstrap import bootstrap as stage

    config = run.config
    inputs = _inputs(stages.BOOTSTRAP, run, config.bootstrap, network=settings_of(config.network))
    with _training(stages.BOOTSTRAP, run, inputs) as folder:
        if folder is not None:
            semantics = run.folder.stage(stages.SEMANTICS) if run.folder.is_finished(stages.SEMANTICS) else None
            labelled = LabelledRecordings(
                run.recordings, run.folder.stage(stages.LABELS), run.folder.classes().unmerged(), semantics
            )
            stage(labelled, folder, config.network, config.bootstrap, run.work)


def self_train(run: Run) -> None:
    """Stage 3: self-training on all frames."""
    from cups_train.self_train import self_train as stage

    config = run.config.self_train
    with _training(stages.SELF_TRAIN, run, _inputs(stages.SELF_TRAIN, run, config)) as folder:
        if folder is not None:
            stage(run.recordings, run.folder.checkpoint(stages.BOOTSTRAP), folder, config, run.work)


def export(run_folder: RunFolder, config: Config, out: Path | None = None, force: bool = False) -> Path:
    """The last finished stage as a model folder: RUN/model, or `out`."""
    from cups_train.export.model_folder import write_model_folder

    checkpoint, classes = run_folder.last_checkpoint(), run_folder.classes()
    if out is not None:
        write_model_folder(checkpoint, out, config.export, run_folder.root.name, classes, force)
        return out
    inputs = {
        "checkpoint": run_folder.fingerprint(checkpoint.parent.name),
        "settings": config.export.model_dump(mode="json"),
        "classes": classes.to_json(),
    }
    with run_folder.making(stages.MODEL, inputs, config.seed) as folder:
        if folder is not None:
            write_model_folder(checkpoint, folder, config.export, run_folder.root.name, classes, force=True)
    return run_folder.stage(stages.MODEL)


def write_report(run_folder: RunFolder) -> Path:
    """RUN/report/index.html."""
    from cups_train.report.page import write_report as write

    return write(run_folder.root)


@contextmanager
def _training(stage: str, run: Run, inputs: dict[str, Any]) -> Iterator[Path | None]:
    """`RunFolder.making` for all processes that torchrun started: the first alone keeps the journal, the others are
    told what it decided."""
    from cups_train.training.distributed import join_processes

    with join_processes(run.work.device) as process:
        if process.first:
            with run.folder.making(stage, inputs, run.work.seed) as folder:
                process.told(folder is not None)
                yield folder
        else:
            yield run.folder.stage(stage) if process.told(False) else None
        process.wait()


def _inputs(stage: str, run: Run, section: Section, **more: Any) -> dict[str, Any]:
    """What a stage is made from: the stages that the table names, and what else is known of its recordings and
    settings."""
    return {**{read: run.folder.fingerprint(read) for read in BY_NAME[stage].reads}, **more, **_told(run, section)}


def _told(run: Run, section: Section) -> dict[str, Any]:
    return {
        "recordings": {r.name: r.fingerprint for r in run.recordings},
        "settings": settings_of(section),
        "recording": run.config.recording.model_dump(mode="json"),
        "seed": run.config.seed,
    }


def settings_of(section: Section) -> dict[str, Any]:
    """The section's values; a file of weights is known by what is in it, wherever it lies."""
    values = section.model_dump(mode="json", exclude=set(getattr(section, "PASSED_ON", ())))
    return {
        name: f"sha256:{sha256(Path(value))}"
        if name.endswith("weights") and isinstance(value, str) and Path(value).is_file()
        else value
        for name, value in values.items()
    }
