"""Every option of every stage: type, text, unit, range and default. The command line, the YAML and the docs come from here."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cups_ros.types import MAX_CLASSES
from cups_train.errors import CupsError


class Section(BaseModel):
    """Frozen settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RecordingConfig(Section):
    """Which topics of a recording are read."""

    left: str = Field("", description="image topic of the left (or only) camera; empty: found by itself")
    right: str = Field("", description="image topic of the right camera; empty: found by itself")
    left_info: str = Field("", description="camera_info topic of the left camera; empty: found by itself")
    right_info: str = Field("", description="camera_info topic of the right camera; empty: found by itself")
    pair_slop_ms: float = Field(15.0, gt=0, description="largest difference of the stamps of a stereo pair [ms]")
    max_gap: float = Field(1.8, gt=1, description="frames further apart than this many median steps are not t and t+1")
    stride: int = Field(1, ge=1, description="take every n-th stereo pair")


class MotionConfig(Section):
    """Stage 1a: objects from motion."""

    max_disparity: float = Field(0.15, gt=0, lt=1, description="largest disparity, share of the image width")
    flow: Literal["classical", "raft", "self"] = Field("classical", description="source of flow and disparity: DIS and SGBM; RAFT with published "
                                                       "SMURF weights; a network trained on the recordings themselves")
    flow_weights: Path | None = Field(None, description="weights of that network: raft_smurf.pt for `raft`; for `self` a flow.safetensors of an "
                                      "earlier training, none: it is trained first")
    flow_licence: str = Field("", description="licence of those weights, written into motion.json")
    flow_steps: int = Field(3000, ge=0, description="training steps of `flow: self`")
    flow_iterations: int = Field(16, ge=1, description="updates of `flow: raft`")
    residual: bool = Field(True, description="propose objects from residual motion against the ego-motion, pixel by pixel")
    rigid: bool = Field(True, description="propose objects by rigid-motion clustering (SF2SE3)")
    runs: int = Field(4, ge=1, description="independent random runs of the rigid clustering in the ensemble")
    vote: float = Field(0.8, gt=0, le=1, description="share of the runs in which a cluster must be found again")
    max_depth: float = Field(70.0, gt=0, description="points further away are not used [m]")
    min_area: float = Field(0.2, ge=0, description="smallest visible surface of an object [m2]")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` is the published clustering with its constants (those of "
                                                     "640x1280) and faults; of these settings it reads `flow`, `runs` and `vote` only")


class SemanticsConfig(Section):
    """Stage 1b: classes without labels."""

    classes: int = Field(200, ge=2, le=254, description="number of pseudo classes K; many small ones mix less")
    features: Literal["scratch", "dino"] = Field("scratch", description="dense features: an encoder learned from the recordings, or a vision "
                                                 "transformer (DINO, DINOv2, DINOv3, DepthG) from `weights`")
    weights: str = Field("", description="`features: dino`: file of weights (safetensors, .pth, .ckpt), or timm:NAME, which may download")
    weights_licence: str = Field("", description="licence of those weights, written into the encoder's file")
    head: Literal["clusters", "stego", "depthg", "published"] = Field("clusters", description="classes from clusters, from correspondence "
                                                                     "distillation without or with depth, or from a STEGO/DepthG checkpoint")
    head_steps: int = Field(1000, ge=1, description="training steps of the heads `stego` and `depthg`")
    head_batch: int = Field(16, ge=2, description="crops a step of those heads, each with a partner")
    head_lr: float = Field(5e-4, gt=0, description="learning rate of those heads")
    code: int = Field(70, ge=2, description="channels of the code that those heads cluster (DepthG's ViT-B: 100)")
    extra_centres: int = Field(0, ge=0, le=2000, description="centres of the cluster probe beyond `classes`, joined into them at the "
                               "end; 40 classes and fewer are joined from 120 at least")
    shifts: tuple[float, float, float] | None = Field(None, description="likeness of features from which own, neighbour and random pairs attract; "
                                                      "null: from the recordings; `compat: reference`: the published 0.39, 0.25, 0.26")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference`: DepthG's published depth term, which is blind to "
                                                     "depth, and random places")
    channels: int = Field(64, ge=8, description="channels of the dense features")
    steps: int = Field(600, ge=0, description="training steps of the encoder")
    cluster_steps: int = Field(300, ge=0, description="training steps of the class head on the clusters")
    batch: int = Field(4, ge=1, description="images a step")
    lr: float = Field(2e-3, gt=0, description="learning rate of the encoder")
    height: int = Field(256, ge=64, description="working height of an image in training [px]")
    windows: bool = Field(True, description="fuse whole image and sliding windows by depth, weight 1/(1 + Z)")
    refine: Literal["none", "guided", "crf"] = Field("crf", description="refinement of the class maps: none, an edge-aware filter, or a fully "
                                                     "connected CRF before that filter")

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_runs(cls, tree: Any) -> Any:
        """`smooth: true` of runs made before there was a choice."""
        if not isinstance(tree, dict) or "smooth" not in tree:
            return tree
        return {"refine": "guided" if tree["smooth"] else "none", **{name: value for name, value in tree.items() if name != "smooth"}}


class LabelConfig(Section):
    """Stage 1c: alignment, thing/stuff split, quality gate."""

    psi: float = Field(2.16, gt=0, description="a class is a thing from this many times the share that all pixels have inside moving objects")
    neighbours: float = Field(3.0, ge=0, description="how far the counts of a class reach to classes that look like it, times the usual squared "
                              "distance of the nearest class; 0: each class is judged by itself")
    min_instances: int = Field(5, ge=1, description="fewest moving objects that make a thing class; of few objects one in fifty, at least two")
    thing_vote: float = Field(0.2, ge=0, le=1, description="without kinds: share of an object's pixels from which thing classes name it")
    things: tuple[int, ...] = Field((), description="ids of the thing classes; empty: found by motion")
    kinds: int = Field(24, ge=0, le=128, description="most kinds of moving objects, by size, speed and looks: they name objects and are classes "
                       "of their own beside semantics.classes; 0: the votes of an object's pixels name it (published)")
    border: float = Field(0.025, ge=0, lt=0.5, description="columns at each side without instances, share of the width")
    min_moving_frames: float = Field(0.02, ge=0, le=1, description="gate: least share of frames with a moving object")
    max_class_share: float = Field(0.6, gt=0, le=1, description="gate: largest share of all pixels that one class may take")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` uses the published split rule")


class NetworkConfig(Section):
    """Panoptic Cascade Mask R-CNN. height = width = 0: about `area` pixels in the recordings' aspect ratio."""

    backbone: Literal["resnet18-half", "resnet18", "resnet50"] = Field("resnet50", description="backbone; `resnet18-half` has half the channels")
    weights: Path | None = Field(None, description="safetensors or torchvision-keyed file with backbone weights; none: from scratch")
    weights_licence: str = Field("", description="licence of those weights, written into checkpoints and model cards")
    norm: Literal["auto", "batch", "group"] = Field("auto", description="norm layers; auto: group from scratch, batch with weights")
    channels: int = Field(256, ge=16, description="channels of the feature pyramid and the mask head")
    hidden: int = Field(1024, ge=16, description="units of the box heads")
    mask_convs: int = Field(4, ge=1, description="convolutions of the mask head")
    semantic_channels: int = Field(128, ge=16, description="channels of the semantic head")
    proposals: int = Field(256, ge=16, le=1000, description="proposals that reach the box heads in inference")
    detections: int = Field(100, ge=1, le=300, description="instances that reach the mask head in inference")
    height: int = Field(0, ge=0, multiple_of=32, description="input height [px]")
    width: int = Field(0, ge=0, multiple_of=32, description="input width [px]")
    area: int = Field(512 * 1024, ge=64 * 64, description="pixels of the input where height and width are 0")


class BootstrapConfig(Section):
    """Stage 2: panoptic bootstrapping."""

    steps: int = Field(8000, ge=1, description="training steps")
    batch: int = Field(16, ge=1, description="images a step")
    lr: float = Field(1e-4, gt=0, description="learning rate of AdamW, constant after warm-up")
    warmup: int = Field(0, ge=0, description="steps of linear warm-up")
    decay: float = Field(0.0, ge=0, le=1, description="share of the steps, at the end, over which the learning rate falls to zero (published: none)")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay; 0 for normalisation layers")
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    drop_iou: float = Field(0.4, ge=0, le=1, description="DropLoss: a proposal whose best IoU is not above this is not punished")
    drop_rpn: bool = Field(True, description="DropLoss for the proposal network too: such anchors are ignored, not background")
    known_background: bool = Field(True, description="DropLoss still punishes proposals on what the labels show as stuff or as another object; "
                                   "`compat: reference`: it never does")
    rois: int = Field(512, ge=8, description="proposals sampled for the box heads, per image")
    rpn_samples: int = Field(256, ge=8, description="anchors sampled for the proposal network, per image")
    ignore_unknown_things: bool = Field(True, description="thing pixels without an instance supervise nothing; else they are \"some thing\"")
    copy_paste: int = Field(8, ge=0, description="most objects pasted into an image; 0 switches copy-paste off")
    self_enhanced_from: int = Field(1000, ge=0, description="step from which confident predictions are pasted too")
    paste_score: float = Field(0.75, ge=0, le=1, description="score from which a prediction is pasted")
    empty_frames: float = Field(0.25, ge=0, le=1, description="share of training images without an instance")
    jitter: tuple[float, float] = Field((0.6, 1.1), description="range of the resolution jitter, times the input size")
    bf16: bool = Field(True, description="bfloat16 autocast on CUDA")
    checkpoint_every: int = Field(200, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(200, ge=1, description="steps between pictures of image, target and prediction")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` pastes pseudo objects, later predictions only")


class SelfTrainConfig(Section):
    """Stage 3: self-training with a momentum teacher."""

    steps: int = Field(1500, ge=0, description="training steps")
    rounds: int = Field(3, ge=1, description="rounds; the instance threshold rises by `round_step` with each")
    round_step: float = Field(0.0, ge=0, description="rise of the instance threshold each round")
    batch: int = Field(16, ge=1, description="images a step")
    lr: float = Field(1e-5, gt=0, description="learning rate of AdamW, heads only")
    weight_decay: float = Field(1e-5, ge=0, description="weight decay")
    clip: float = Field(1.0, gt=0, description="largest global norm of the gradient")
    momentum: float | None = Field(None, ge=0, lt=1, description="momentum of the teacher; none: 0.999 at 1500 steps, for other lengths "
                                   "the one that leaves the teacher the same share of its start")
    gamma: float = Field(0.7, ge=0, le=1, description="score from which a teacher's instance is a label")
    hold: bool = Field(True, description="lower `gamma`, to half of it at most, where the teacher's scores sink, so that it labels as many "
                       "instances as at the beginning: else fewer labels make lower scores make fewer labels; not with `compat: reference`")
    unsure: float = Field(0.2, ge=0, le=1, description="a teacher's instance between this score and `gamma` is no label, but its pixels teach "
                          "nothing: else what the teacher is not sure of would be taught as background; `compat: reference`: it is")
    ignore_unknown_things: bool = Field(True, description="thing pixels without an instance teach nothing, as in stage 2; `compat: reference`: they "
                                        "are \"some thing\"")
    zeta: float = Field(0.5, ge=0, le=1, description="a pixel is a label where its best class reaches this share of that class's maximum")
    scales: tuple[float, ...] = Field((0.8, 1.2, 1.6), min_length=1, description="the teacher's views, times the input size, each plain and flipped; "
                                      "labels are made at the largest (published: 512, 768, 1024 rows beside 640 rows in stage 2)")
    rois: int = Field(512, ge=8, description="proposals sampled for the box heads, per image")
    drop_iou: float | None = Field(0.4, ge=0, le=1, description="proposals whose best IoU with a self-label is not above this teach background only "
                                   "where the self-labels show stuff; null, and with `compat: reference`: they always do")
    copy_paste: int = Field(8, ge=0, description="most objects pasted into an image; 0 switches copy-paste off")
    jitter: tuple[float, float] = Field((0.6, 1.1), description="range of the resolution jitter, times the input size")
    bf16: bool = Field(True, description="bfloat16 autocast on CUDA")
    result: Literal["student", "teacher"] = Field("student", description="whose weights are the result")
    checkpoint_every: int = Field(50, ge=1, description="steps between checkpoints")
    pictures_every: int = Field(50, ge=1, description="steps between pictures of image, self-label and prediction")
    compat: Literal["repaired", "reference"] = Field("repaired", description="`reference` uses the published code's self-label rule")


class ExportConfig(Section):
    """The exported model."""

    formats: tuple[Literal["onnx", "tensorrt"], ...] = Field(("onnx",), description="formats of the exported model")
    precision: Literal["fp32", "fp16", "int8"] = Field("fp32", description="precision of the graph: fp16 for GPUs, int8 for CPUs")
    merge: bool = Field(False, description="merge instances and stuff inside the graph too; faster on a GPU, slower on a CPU")
    calibration: Path | None = Field(None, description="int8: recording or folder of images that gives the ranges of the activations")
    calibration_topic: str = Field("", description="int8: image topic of that recording; empty: the left camera of its stereo pair")
    calibration_frames: int = Field(32, ge=1, description="int8: images taken from it, evenly spread")
    score: float = Field(0.5, ge=0, le=1, description="probability of being any thing from which an instance is drawn")
    overlap: float = Field(0.5, ge=0, le=1, description="an instance hidden for more than this share is dropped")
    stuff_area: float = Field(4096 / (1024 * 2048), ge=0, le=1, description="smallest stuff segment, share of the image")


class RenderConfig(Section):
    """The procedural street."""

    scene: Literal["drive", "junction", "turn", "standstill", "static"] = Field("drive", description="what happens; `static`: only the camera")
    height: int = Field(256, ge=64, le=1080, description="image height [px]")
    width: int = Field(512, ge=128, le=1920, description="image width [px]")
    focal: float = Field(0.0, ge=0, le=4, description="focal length, share of the image width; 0: by the seed, 0.95 to 1.15")
    camera_height: float = Field(0.0, ge=0, le=4, description="camera above the road [m]; 0: by the seed, 1.25 to 1.6")
    baseline: float = Field(0.22, gt=0, le=2, description="distance of the two cameras [m]")


class Config(Section):
    """All settings of a run; written to its config.yaml as they were in force."""

    seed: int = Field(1996, ge=0, description="seed of everything random")
    workers: int = Field(0, ge=0, description="processes of per-frame work; 0: one a core")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    recording: RecordingConfig = RecordingConfig()
    motion: MotionConfig = MotionConfig()
    semantics: SemanticsConfig = SemanticsConfig()
    labels: LabelConfig = LabelConfig()
    network: NetworkConfig = NetworkConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    self_train: SelfTrainConfig = SelfTrainConfig()
    export: ExportConfig = ExportConfig()
    render: RenderConfig = RenderConfig()

    @model_validator(mode="after")
    def _fits_one_byte(self) -> Config:
        """Told before the work of hours, not where labels are written."""
        if self.semantics.classes + self.labels.kinds > MAX_CLASSES:
            raise ValueError(f"{self.semantics.classes} semantics.classes and {self.labels.kinds} labels.kinds, of at most {MAX_CLASSES} together")
        return self


AnySection = TypeVar("AnySection", bound=Section)


def load_config(path: Path | None, overrides: list[str] | None = None, over: Path | None = None) -> Config:
    """Defaults, then the YAML file, then the file `over` it, then `key.path=value` overrides. Raises CupsError with all mistakes in one message."""
    tree: dict[str, Any] = {}
    for file in (path, over):
        for name, value in _read_tree(file).items() if file is not None else ():
            tree[name] = {**tree[name], **value} if isinstance(value, dict) and isinstance(tree.get(name), dict) else value
    for override in overrides or []:
        _override(tree, override)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(e["loc"], e) for e in error.errors())
        raise CupsError(f"expected settings that fit, found {mistakes} (`--config` and `-o key.path=value` set them)") from error


def _mistake(place: tuple[int | str, ...], error: Mapping[str, Any]) -> str:
    """One of pydantic's errors; one without a place is of several settings together and says its own sentence."""
    return f"{'.'.join(map(str, place))}: {error['msg']}, found {error['input']!r}" if place else str(error["ctx"]["error"])


def _read_tree(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CupsError(f"expected a YAML file of settings (--config), found {path}, which cannot be read: {error}") from error
    if not isinstance(tree, dict):
        raise CupsError(f"expected sections with keys in {path} (--config), found {type(tree).__name__}")
    return tree


def _override(tree: dict[str, Any], override: str) -> None:
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise CupsError(f"expected -o key.path=value, found {override!r}")
    *parents, leaf = path.split(".")
    for name in parents:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise CupsError(f"expected -o key.path=value with a section before the dot, found {override!r}")
    try:
        tree[leaf] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise CupsError(f"expected a value in -o {override!r}: {error}") from error


def dump_config(config: Config) -> str:
    """YAML of all settings in force."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
