"""What a network is made of, and what it is trained on: plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from cups_ros.types import Classes
from cups_train.config.network import NetworkConfig
from cups_train.errors import ModelError
from cups_train.network import encoder
from cups_train.network.backbone import OWN, WIDTHS
from cups_train.network.encoder import EncoderSpec

REFERENCE_AREA = 640 * 1280  # px: the published input; lengths scale with the root of the area
SIZE_STEP = 32  # the coarsest stride of the backbone
OWN_CHANNELS = 64  # of the pyramid of an `own` backbone, where no encoder is known
IGNORE = 255  # semantic target that supervises nothing


@dataclass(frozen=True)
class NetworkSpec:
    """Everything needed to build a network again."""

    classes: Classes
    height: int  # px, multiple of 32
    width: int  # px, multiple of 32
    backbone: str = "resnet50"
    norm: str = "batch"  # "batch" | "group"
    channels: int = 256
    hidden: int = 1024
    mask_convs: int = 4
    semantic_channels: int = 128
    proposals: int = 256
    detections: int = 100
    weights: tuple[tuple[str, str], ...] = ()  # (source, licence) of every weights file that it was started from
    semantic_head: str = "fpn"  # "direct" | "fpn"
    clusters: tuple[int, ...] = ()  # direct: clusters that each semantic channel is joined from; (): one each
    mask_classes: bool = True  # a mask for each thing class
    pixel_weights: tuple[float, ...] = ()  # of the semantic channels in the loss; (): all the same
    widths: tuple[int, ...] = encoder.WIDTHS  # own
    blocks: tuple[int, ...] = encoder.BLOCKS  # own
    scoring: str = "any_thing"  # "any_thing" | "per_class": whose probability an instance's score is, and NMS

    def __post_init__(self) -> None:
        if self.height % SIZE_STEP or self.width % SIZE_STEP or min(self.height, self.width) < SIZE_STEP:
            raise ModelError(
                f"expected a network input in multiples of {SIZE_STEP} px, found {self.height}x{self.width} "
                "(network.height, network.width)"
            )
        if self.backbone not in (OWN, *WIDTHS) or self.norm not in ("batch", "group"):
            raise ModelError(
                f"expected backbone {'|'.join((OWN, *WIDTHS))} with norm batch|group, found {self.backbone!r} with "
                f"{self.norm!r}"
            )
        if self.scoring not in ("any_thing", "per_class"):
            raise ModelError(f"expected scoring any_thing|per_class, found {self.scoring!r}")
        if self.clusters and (len(self.clusters) != len(self.classes.stuff) + 1 or min(self.clusters) < 1):
            raise ModelError(
                f"expected clusters of {len(self.classes.stuff) + 1} semantic channels, found {self.clusters}"
            )

    @property
    def anchor_size(self) -> float:
        """Side of the finest level's anchors [px]: 32 at 640x1280 and above, smaller in proportion for smaller
        inputs."""
        return 32.0 * min(1.0, (self.height * self.width / REFERENCE_AREA) ** 0.5)

    def weights_on(self, device: torch.device) -> Tensor | None:
        """(S + 1,) weights of the semantic channels in the loss; None: all the same."""
        return torch.tensor(self.pixel_weights, device=device) if self.pixel_weights else None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "classes": self.classes.to_json(), "weights": [list(pair) for pair in self.weights]}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> NetworkSpec:
        """Raises ModelError where keys are missing or unknown."""
        try:
            weights = tuple((str(source), str(licence)) for source, licence in tree["weights"])
            numbers: dict[str, Any] = {
                name: tuple(int(n) for n in tree[name]) for name in ("clusters", "widths", "blocks") if name in tree
            }
            numbers["pixel_weights"] = tuple(float(w) for w in tree.get("pixel_weights", ()))
            return cls(**{**tree, **numbers, "classes": Classes.from_json(tree["classes"]), "weights": weights})
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"expected the description of a network in a checkpoint, found one that does not fit: {error}"
            ) from error


def to_step(length: float) -> int:
    """The nearest multiple of SIZE_STEP px, at least one."""
    return max(SIZE_STEP, round(length / SIZE_STEP) * SIZE_STEP)


def input_size(config: NetworkConfig, image_sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(height, width) of the network's input: the config's, or about `area` px in the median aspect ratio of images of
    (height, width)."""
    ratio = median(width / height for height, width in image_sizes)
    height = to_step((config.area / ratio) ** 0.5)
    return config.height or height, config.width or to_step(height * ratio)


def make_spec(
    config: NetworkConfig,
    classes: Classes,
    image_sizes: Sequence[tuple[int, int]],
    known: EncoderSpec | None = None,
    clusters: tuple[int, ...] = (),
) -> NetworkSpec:
    """Settings, the recordings' image sizes and the encoder that is known of them -> the network to build.

    `norm: auto` is group without weights, batch with them. clusters: of the encoder, in each semantic channel.
    """
    height, width = input_size(config, image_sizes)
    weights = ((config.weights.name, config.weights_licence or "unknown"),) if config.weights else ()
    backbone = config.backbone if config.backbone != "auto" else ("resnet50" if weights else OWN)
    own = backbone == OWN
    norm = "batch" if own or (config.norm == "auto" and weights) else config.norm.replace("auto", "group")
    channels = config.channels or ((known.channels if known else OWN_CHANNELS) if own else 256)
    head = config.semantic_head if config.semantic_head != "auto" else ("direct" if own else "fpn")
    return NetworkSpec(
        classes,
        height,
        width,
        backbone,
        norm,
        channels,
        config.hidden,
        config.mask_convs,
        config.semantic_channels,
        config.proposals,
        config.detections,
        weights,
        head,
        clusters if own and head == "direct" else (),
        config.mask_classes,
        widths=config.widths or (known.widths if known else encoder.WIDTHS),
        blocks=config.blocks or (known.blocks if known else encoder.BLOCKS),
        scoring=config.scoring,
    )


@dataclass(frozen=True, eq=False)
class Target:
    """What one training image supervises."""

    boxes: Tensor  # (N, 4) float32 px: x1, y1, x2, y2, half-open
    thing: Tensor  # (N,) int64, index into classes.things
    masks: Tensor  # (N, H, W) bool
    semantic: Tensor  # (H, W) int64: 0 some thing, s + 1 = classes.stuff[s], 255 ignore

    def __post_init__(self) -> None:
        count = self.boxes.shape[0]
        if (
            self.boxes.shape != (count, 4)
            or self.thing.shape != (count,)
            or self.masks.shape != (count, *self.semantic.shape)
        ):
            raise ValueError(
                f"expected boxes (N, 4), thing (N,), masks (N, H, W), semantic (H, W), got {tuple(self.boxes.shape)}, "
                f"{tuple(self.thing.shape)}, {tuple(self.masks.shape)}, {tuple(self.semantic.shape)}"
            )

    def to(self, device: torch.device | str) -> Target:
        return Target(self.boxes.to(device), self.thing.to(device), self.masks.to(device), self.semantic.to(device))


@dataclass(frozen=True)
class LossOptions:
    """How the losses sample and what they leave out."""

    rois: int = 512  # proposals sampled for the box heads, per image
    rpn_samples: int = 256  # anchors sampled, per image
    drop_iou: float | None = 0.4  # DropLoss: RoIs whose best IoU is not above are not punished; None switches it off
    rpn_iou: float = 0.7  # an anchor from this IoU on is an object
    drop_rpn: bool = False  # leave anchors out that may lie on an object without label (rpn.anchor_labels)
    background_share: float = 0.9  # a box holds no undiscovered object where more of it is stuff or labelled object
    known_background: bool = False  # DropLoss still punishes RoIs that hold no undiscovered object
    semantic_weight: float = 0.5
    semantic_stride: int = 1  # of the grid on which pixels are compared: 1, or 4 without enlarged logits
    class_weights: Tensor | None = None  # (S + 1,) of the semantic loss; None: every pixel weighs the same
    generator: torch.Generator | None = None  # of the sampling; None: torch's own
