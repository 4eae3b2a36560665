"""What can be asked for results: the labels of a run, a checkpoint, or an exported model folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cups_ros.fusion import fuse, letterbox
from cups_ros.types import Classes, Thresholds
from cups_train.config import Config, ExportConfig, load_config
from cups_train.errors import CupsError, ModelError
from cups_train.evaluation.predict import Prediction, Predictor, Source, images
from cups_train.folders import stages
from cups_train.folders.names import under_names
from cups_train.folders.run import RunFolder, is_run
from cups_train.recording.recording import Recording
from cups_train.work import work_of

if TYPE_CHECKING:
    from cups_ros.model import Model
    from cups_train.network import PanopticNetwork
    from cups_train.pseudo_label.label import Rules


def load_predictor(model: Path, stage: str | None, overrides: list[str], over: Path | None = None) -> Predictor:
    """MODEL of `cups-train predict`: a run, a checkpoint (.safetensors) or an exported model folder. Raises
    CupsError."""
    if is_run(model):
        run_folder = RunFolder.open(model)
        return predictor_of_stage(run_folder, stage or run_folder.last_stage(), run_folder.config(overrides, over))
    if stage is not None:
        raise CupsError(f"expected a run folder with --stage, found {model}; leave --stage out")
    if (model / "model.json").is_file():
        return _load_exported(model)
    if model.is_file() and model.suffix == ".safetensors":
        config = load_config(over, overrides)
        return _load_checkpoint(model, config.export, config.device)
    raise CupsError(f"expected MODEL to be a run, a .safetensors checkpoint or an exported model folder, found {model}")


def predictor_of_stage(run_folder: RunFolder, stage: str, config: Config) -> Predictor:
    """The model of one finished stage of a run: labels, bootstrap or self_train."""
    run_folder.fingerprint(stage)
    if stage == stages.LABELS:
        return _load_labels(run_folder, config)
    return _load_checkpoint(run_folder.checkpoint(stage), config.export, config.device, run_folder.classes())


@dataclass(frozen=True, eq=False)
class ExportedPredictor:
    """A model folder, through the same code as on the vehicle."""

    name: str
    model: Model

    @property
    def classes(self) -> Classes:
        return self.model.classes

    def predictions(self, source: Source, _work: Path) -> Iterator[Prediction]:
        for frame in images(source):
            yield Prediction(frame.key, frame.stamp_ns, frame.image, self.model.infer(frame.image))


@dataclass(frozen=True, eq=False)
class CheckpointPredictor:
    """A trained network."""

    name: str
    network: PanopticNetwork
    classes: Classes
    thresholds: Thresholds

    def predictions(self, source: Source, _work: Path) -> Iterator[Prediction]:
        import torch

        device, size = next(self.network.parameters()).device, (self.network.spec.height, self.network.spec.width)
        for frame in images(source):
            canvas, view = letterbox(frame.image, size)
            pixels = torch.from_numpy(canvas).to(device).permute(2, 0, 1)[None].float() / 255
            raw = self.network.infer(pixels).raw_output(0)
            yield Prediction(frame.key, frame.stamp_ns, frame.image, fuse(raw, self.classes, self.thresholds, view))


@dataclass(frozen=True, eq=False)
class LabelPredictor:
    """Stage 1 of a run on other recordings: objects from motion and the run's classes; single images have classes
    alone."""

    run_folder: RunFolder
    config: Config
    rules: Rules  # by which the run's own labels were made

    @property
    def name(self) -> str:
        return f"{self.run_folder.root.name}/labels"

    @property
    def classes(self) -> Classes:
        return self.rules.classes

    def predictions(self, source: Source, work: Path) -> Iterator[Prediction]:
        return self._of_recording(source, work) if isinstance(source, Recording) else self._of_images(source)

    def _of_images(self, source: Source) -> Iterator[Prediction]:
        from cups_train import semantics
        from cups_train.pseudo_label import label_picture

        model = semantics.load(self.run_folder.stage(stages.SEMANTICS), self.config.device)
        for frame in images(source):
            class_map = self.rules.joined(model.classify(frame.image, None, None))
            yield Prediction(frame.key, frame.stamp_ns, frame.image, label_picture(class_map, self.classes))

    def _of_recording(self, recording: Recording, work: Path) -> Iterator[Prediction]:
        from cups_train import motion, semantics
        from cups_train.flow.learned.weights import with_weights
        from cups_train.pseudo_label import label_recording

        run_folder, config, how = self.run_folder, self.config, work_of(self.config)
        # a stopped call may have been of another encoder
        work = work / f"{recording.fingerprint[:16]}_{run_folder.fingerprint(stages.SEMANTICS)[:16]}"
        settings = with_weights(config.motion, run_folder.stage(stages.MOTION))
        motion.find_motion(recording, work / stages.MOTION, settings, how)
        semantics.classify(
            recording, run_folder.stage(stages.SEMANTICS), work / stages.SEMANTICS, config.semantics, how
        )
        for frame, panoptic in label_recording(recording, work / stages.MOTION, work / stages.SEMANTICS, self.rules):
            yield Prediction(frame.key, frame.stamp_ns, recording.left(frame.key), panoptic)


def _load_labels(run_folder: RunFolder, config: Config) -> LabelPredictor:
    from cups_train.pseudo_label import read_rules

    return LabelPredictor(
        run_folder, config, read_rules(run_folder.stage(stages.LABELS), run_folder.classes(), config.labels)
    )


def _load_exported(folder: Path) -> ExportedPredictor:
    from cups_ros import model as exported

    try:
        return ExportedPredictor(folder.name, exported.load_model(folder))
    except exported.ModelError as error:
        raise ModelError(str(error)) from error


def _load_checkpoint(
    path: Path, config: ExportConfig, device: str, named: Classes | None = None
) -> CheckpointPredictor:
    from cups_train.device import torch_device
    from cups_train.export.card import thresholds
    from cups_train.network import load_checkpoint

    network = load_checkpoint(path, torch_device(device)).eval()
    classes = network.spec.classes if named is None else under_names(network.spec.classes, named)
    return CheckpointPredictor(f"{path.parent.parent.name}/{path.parent.name}", network, classes, thresholds(config))
