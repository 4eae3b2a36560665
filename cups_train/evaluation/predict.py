"""Panoptic results of any stage for any recordings: labels, a checkpoint, or an exported model."""
from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_ros.colors import overlay
from cups_ros.fusion import fuse, letterbox
from cups_ros.types import Classes, Panoptic, Thresholds
from cups_train.config import Config, ExportConfig, RecordingConfig, load_config
from cups_train.errors import CupsError, ModelError
from cups_train.files import write_image
from cups_train.folders.layout import overlay_path
from cups_train.folders.names import under_names
from cups_train.folders.recordings import recordings_of
from cups_train.folders.results import ResultWriter, begin_results
from cups_train.folders.run import RunFolder, is_run
from cups_train.parallel import worker_count
from cups_train.progress import progress
from cups_train.recording import ImageSource, Recording, is_image_folder, open_images, open_recordings, recording_names
from cups_train.types import StereoFrame

OVERLAYS = 4  # pictures of one source
Source = Recording | ImageSource


@dataclass(frozen=True, eq=False)
class Answer:
    """One frame's result."""

    key: str
    stamp_ns: int
    image: np.ndarray  # (H, W, 3) uint8 RGB
    panoptic: Panoptic


@dataclass(frozen=True)
class Predictor:
    """A model of any kind: `label` answers every frame of a source; it may keep files in the folder given."""

    name: str
    classes: Classes
    label: Callable[[Source, Path], Iterator[Answer]]


def open_sources(paths: list[Path], config: RecordingConfig) -> list[Source]:
    """RECORDING... of `cups-train predict`: stereo recordings, one camera's (--left without --right), or folders of images."""
    if any(is_image_folder(path) for path in paths) or (config.left and not config.right):
        return [open_images(path, config, name) for path, name in zip(paths, recording_names(paths), strict=True)]
    return list(open_recordings(paths, config))


def load_predictor(model: Path, stage: str | None, overrides: list[str], over: Path | None = None) -> Predictor:
    """MODEL of `cups-train predict`: a run, a checkpoint (.safetensors) or an exported model folder. Raises CupsError."""
    if is_run(model):
        run_folder = RunFolder.open(model)
        return predictor_of_stage(run_folder, stage or run_folder.last_stage(), run_folder.config(overrides, over))
    if stage is not None:
        raise CupsError(f"expected a run folder with --stage, found {model}; leave --stage out")
    if (model / "model.json").is_file():
        return _of_exported(model)
    if model.is_file() and model.suffix == ".safetensors":
        config = load_config(over, overrides)
        return _of_checkpoint(model, config.export, config.device)
    raise CupsError(f"expected MODEL to be a run, a .safetensors checkpoint or an exported model folder, found {model}")


def predictor_of_stage(run_folder: RunFolder, stage: str, config: Config) -> Predictor:
    """The model of one finished stage of a run: labels, bootstrap or self_train."""
    run_folder.fingerprint(stage)
    if stage == "labels":
        return _of_labels(run_folder, config)
    return _of_checkpoint(run_folder.checkpoint(stage), config.export, config.device, run_folder.classes())


def predict(predictor: Predictor, sources: list[Source], out: Path) -> list[Path]:
    """Write a result folder for every source: `out` itself for one, out/NAME for several; give the folders back.

    Finished folders are written anew; a killed call leaves no panoptic.json, so that nobody takes it for finished.
    """
    folders = [out if len(sources) == 1 else out / source.name for source in sources]
    for folder in folders:
        begin_results(folder)
    for source, folder in zip(sources, folders, strict=True):
        work = folder / ".work"
        writer = ResultWriter(folder, predictor.classes, {"kind": "prediction", "model": predictor.name, "recording": source.name})
        answers = predictor.label(source, work)
        length = _length(source)
        for number, answer in enumerate(progress(answers, f"predict {source.name}", length)):
            writer.write(answer.key, answer.stamp_ns, answer.panoptic)
            if number % max(1, length // OVERLAYS) == 0:
                write_image(overlay_path(folder, answer.key), overlay(answer.image, answer.panoptic, predictor.classes))
        writer.close()
        shutil.rmtree(work, ignore_errors=True)
    return folders


def baseline(run_folder: RunFolder, recordings: list[Recording], out: Path, config: Config) -> list[Path]:
    """Result folders of k-means on colour and position, learned on the run's recordings."""
    from cups_train.evaluation import baseline as kmeans

    return kmeans.run(recordings_of(run_folder, config), recordings, out, config.semantics.classes, config.seed, run_folder.stage("motion"))


def _images(source: Source) -> Iterator[tuple[str, int, np.ndarray]]:
    for frame in source.frames():
        yield frame.key, frame.stamp_ns, frame.left if isinstance(frame, StereoFrame) else frame.image


def _length(source: Source) -> int:
    return len(source.stamps) if isinstance(source, Recording) else len(source.keys)


def _of_exported(folder: Path) -> Predictor:
    from cups_ros import model as exported

    try:
        model = exported.load_model(folder)
    except exported.ModelError as error:
        raise ModelError(str(error)) from error

    def label(source: Source, _work: Path) -> Iterator[Answer]:
        for key, stamp_ns, image in _images(source):
            yield Answer(key, stamp_ns, image, model.infer(image))

    return Predictor(folder.name, model.classes, label)


def _of_checkpoint(path: Path, config: ExportConfig, device: str, named: Classes | None = None) -> Predictor:
    import torch

    from cups_train.device import torch_device
    from cups_train.network import load_checkpoint

    place = torch_device(device)
    network = load_checkpoint(path, place).eval()
    classes = network.spec.classes if named is None else under_names(network.spec.classes, named)
    thresholds = Thresholds(score=config.score, overlap=config.overlap, stuff_area=config.stuff_area)

    def label(source: Source, _work: Path) -> Iterator[Answer]:
        for key, stamp_ns, image in _images(source):
            canvas, view = letterbox(image, (network.spec.height, network.spec.width))
            pixels = torch.from_numpy(canvas).to(place).permute(2, 0, 1)[None].float() / 255
            raw = network.infer(pixels).raw_output(0)
            yield Answer(key, stamp_ns, image, fuse(raw, classes, thresholds, view))

    return Predictor(f"{path.parent.parent.name}/{path.parent.name}", classes, label)


def _of_labels(run_folder: RunFolder, config: Config) -> Predictor:
    from cups_train import motion, semantics
    from cups_train.flow.learned.weights import trained_before
    from cups_train.pseudo_label import label_picture, label_recording, read_rules

    classes = run_folder.classes()
    rules = read_rules(run_folder.stage("labels"), classes, config.labels)
    workers = worker_count(config.workers)
    encoder = run_folder.stage("semantics")

    def label(source: Source, work: Path) -> Iterator[Answer]:
        if not isinstance(source, Recording):
            model = semantics.load(encoder, config.device)
            for frame in source.frames():
                yield Answer(frame.key, frame.stamp_ns, frame.image, label_picture(model.classify(frame.image, None, None), classes))
            return
        work = work / f"{source.fingerprint[:16]}_{run_folder.fingerprint('semantics')[:16]}"  # a stopped call may have been of another encoder
        settings = trained_before(config.motion, run_folder.stage("motion"))
        motion.run(source, work / "motion", settings, config.seed, workers, device=config.device)
        semantics.run(source, encoder, work / "semantics", config.semantics, workers, config.device)
        for key, stamp_ns, panoptic in label_recording(source, work / "motion", work / "semantics", rules):
            yield Answer(key, stamp_ns, source.left(key), panoptic)

    return Predictor(f"{run_folder.root.name}/labels", classes, label)
