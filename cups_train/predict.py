"""Panoptic results of any stage for any recordings: labels, a checkpoint, or an exported model."""
from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_ros.fusion import fuse, letterbox
from cups_ros.types import Classes, Panoptic, Thresholds
from cups_train.config import Config, ExportConfig
from cups_train.errors import CupsError, ModelError
from cups_train.files import read_json
from cups_train.progress import progress
from cups_train.recording import ImageSource, Recording, open_recordings
from cups_train.result_folder import ResultWriter
from cups_train.run_folder import RunFolder

TRAINED = ("self_train", "bootstrap")
Source = Recording | ImageSource


@dataclass(frozen=True)
class Predictor:
    """A model of any kind: `label` gives (key, stamp_ns, panoptic) for every frame of a source; `work` is a folder it may use."""

    name: str
    classes: Classes
    label: Callable[[Source, Path], Iterator[tuple[str, int, Panoptic]]]


def load_predictor(model: Path, stage: str | None, config_overrides: list[str]) -> Predictor:
    """MODEL of `cups-train predict`: a run, a checkpoint (.safetensors) or an exported model folder. Raises CupsError."""
    if (model / "config.yaml").is_file():
        run_folder = RunFolder.open(model)
        return predictor_of_stage(run_folder, stage or last_stage(run_folder), run_folder.config(config_overrides))
    if stage is not None:
        raise CupsError(f"expected a run folder with --stage, found {model}; leave --stage out")
    if (model / "model.json").is_file():
        return _of_exported(model)
    if model.is_file() and model.suffix == ".safetensors":
        return _of_checkpoint(model, ExportConfig(), "auto")
    raise CupsError(f"expected MODEL to be a run, a .safetensors checkpoint or an exported model folder, found {model}")


def predictor_of_stage(run_folder: RunFolder, stage: str, config: Config) -> Predictor:
    """The model of one finished stage of a run: labels, bootstrap or self_train."""
    run_folder.fingerprint(stage)
    if stage == "labels":
        return _of_labels(run_folder, config)
    return _of_checkpoint(run_folder.stage(stage) / "checkpoint.safetensors", config.export, config.device)


def last_stage(run_folder: RunFolder) -> str:
    for stage in (*TRAINED, "labels"):
        if run_folder.is_finished(stage):
            return stage
    raise CupsError(f"expected a finished stage in {run_folder.root}, found none; `cups-train pseudo-label` and `cups-train train` make them")


def last_checkpoint(run_folder: RunFolder) -> Path:
    """The checkpoint of the last trained stage."""
    stage = last_stage(run_folder)
    if stage not in TRAINED:
        raise CupsError(f"expected a trained stage in {run_folder.root}, found only labels; `cups-train train {run_folder.root}` makes it")
    return run_folder.stage(stage) / "checkpoint.safetensors"


def predict(predictor: Predictor, sources: list[Source], out: Path) -> list[Path]:
    """Write a result folder for every source: `out` itself for one, out/NAME for several; give the folders back.

    Finished folders are written anew; a killed call leaves no panoptic.json, so that nobody takes it for finished.
    """
    folders = [out if len(sources) == 1 else out / source.name for source in sources]
    for source, folder in zip(sources, folders, strict=True):
        (folder / "panoptic.json").unlink(missing_ok=True)
        work = folder / ".work"
        writer = ResultWriter(folder, predictor.classes, {"kind": "prediction", "model": predictor.name, "recording": source.name})
        answers = predictor.label(source, work)
        for key, stamp_ns, panoptic in progress(answers, f"predict {source.name}", _length(source)):
            writer.write(key, stamp_ns, panoptic)
        writer.close()
        shutil.rmtree(work, ignore_errors=True)
    return folders


def baseline(run_folder: RunFolder, recordings: list[Recording], out: Path, config: Config) -> list[Path]:
    """Result folders of k-means on colour and position, learned on the run's recordings."""
    from cups_train.semantics import baseline as kmeans

    return kmeans.run(recordings_of(run_folder, config), recordings, out, config.semantics.classes, config.seed)


def recordings_of(run_folder: RunFolder, config: Config) -> list[Recording]:
    """The recordings that a run was labelled from. Raises CupsError where one has changed or gone."""
    rows = [read_json(path) for path in sorted(run_folder.stage("recording").glob("*/index.json"))]
    if not rows:
        raise CupsError(f"expected a labelled run, found no recordings in {run_folder.root}; `cups-train pseudo-label` makes one")
    recordings = open_recordings([Path(row["path"]) for row in rows], config.recording)
    for row, recording in zip(rows, recordings, strict=True):
        if recording.fingerprint != row["fingerprint"]:
            raise CupsError(f"expected {row['path']} as it was when it was labelled, found another content; label it again with `cups-train pseudo-label`")
    return recordings


def _images(source: Source) -> Iterator[tuple[str, int, np.ndarray]]:
    for frame in source.frames():
        yield frame.key, frame.stamp_ns, frame.image if hasattr(frame, "image") else frame.left


def _length(source: Source) -> int | None:
    return len(source.stamps) if isinstance(source, Recording) else None


def _of_exported(folder: Path) -> Predictor:
    from cups_ros import model as exported

    try:
        model = exported.load_model(folder)
    except exported.ModelError as error:
        raise ModelError(str(error)) from error

    def label(source: Source, _work: Path) -> Iterator[tuple[str, int, Panoptic]]:
        for key, stamp_ns, image in _images(source):
            yield key, stamp_ns, model.infer(image)

    return Predictor(folder.name, model.classes, label)


def _of_checkpoint(path: Path, config: ExportConfig, device: str) -> Predictor:
    import torch

    from cups_train.network import load_checkpoint, raw_output, torch_device

    network = load_checkpoint(path, torch_device(device)).eval()
    thresholds = Thresholds(score=config.score, overlap=config.overlap, stuff_area=config.stuff_area)

    def label(source: Source, _work: Path) -> Iterator[tuple[str, int, Panoptic]]:
        for key, stamp_ns, image in _images(source):
            canvas, view = letterbox(image, (network.spec.height, network.spec.width))
            with torch.inference_mode():
                raw = raw_output(network, canvas)
            yield key, stamp_ns, fuse(raw, network.spec.classes, thresholds, view)

    return Predictor(f"{path.parent.parent.name}/{path.parent.name}", network.spec.classes, label)


def _of_labels(run_folder: RunFolder, config: Config) -> Predictor:
    from cups_train import motion, semantics
    from cups_train.pseudo_label import label_frame

    classes = run_folder.classes()
    workers = config.workers or os.cpu_count() or 1
    encoder = run_folder.stage("semantics")

    def label(source: Source, work: Path) -> Iterator[tuple[str, int, Panoptic]]:
        if isinstance(source, ImageSource):
            model = semantics.load(encoder, config.device)
            for frame in source.frames():
                nothing = np.zeros(frame.image.shape[:2], np.uint16)
                yield frame.key, frame.stamp_ns, label_frame(model.classify(frame.image, None, None), nothing, {}, classes)
            return
        motion.run(source, work / "motion", config.motion, config.seed, workers)
        semantics.run(source, encoder, work / "semantics", config.semantics, workers, config.device)
        yield from _merge(source, work, classes, config)

    return Predictor(f"{run_folder.root.name}/labels", classes, label)


def _merge(recording: Recording, work: Path, classes: Classes, config: Config) -> Iterator[tuple[str, int, Panoptic]]:
    from cups_train.pseudo_label import label_recording

    yield from label_recording(recording, work / "motion", work / "semantics", classes, config.labels)
