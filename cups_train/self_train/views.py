"""The teacher's answer from several views of an image: sizes, each plain and mirrored; features are computed once a
view."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import batched_nms

from cups_train.network import Detections, Features, PanopticNetwork, to_step
from cups_train.network.box_heads import NMS_IOU
from cups_train.training.crop import Size


@dataclass(frozen=True, eq=False)
class Look:
    """One look at a batch."""

    features: Features
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Consensus:
    """What all views together say about one image, in its own pixels."""

    found: Detections  # (N,)
    masks: Tensor  # (N, 28, 28) mean probabilities
    semantic: Tensor  # (S + 1, H, W) mean probabilities


def view_sizes(size: Size, scales: tuple[float, ...]) -> list[Size]:
    """Sizes of the views, multiples of 32, for a network input of `size`."""
    return [(to_step(size[0] * scale), to_step(size[1] * scale)) for scale in scales]


@torch.no_grad()
def look(network: PanopticNetwork, images: Tensor, sizes: list[Size], lowest: float) -> list[Consensus]:
    """Boxes of all views above `lowest` with one NMS over all of them, where the best box wins and names the thing (as
    in `best_detections`); the masks of these boxes and the semantic probabilities averaged over the views (CUPS, stage
    3).

    images: (B, 3, H, W) float 0..1; one consensus an image.
    """
    views = [
        Look(network.features(_resize(turned, size)), mirrored)
        for size in sizes
        for mirrored, turned in ((False, images), (True, images.flip(-1)))
    ]
    size = tuple(images.shape[-2:])
    all_found = detect_in_views(network, views, size, lowest)
    masks, semantic = _masks(network, views, all_found, size), _semantic(network, views, size)
    return [Consensus(found, masks[row][: len(found.boxes)], semantic[row]) for row, found in enumerate(all_found)]


def detect_in_views(network: PanopticNetwork, views: list[Look], size: Size, lowest: float) -> list[Detections]:
    """What all views find above `lowest`, one NMS over all of them: (N,) detections of each image of `size`."""
    found = [network.detect(view.features) for view in views]
    boxes = torch.cat([to_image(part.boxes, view, size) for part, view in zip(found, views, strict=True)], dim=1)
    scores, thing = torch.cat([part.scores for part in found], dim=1), torch.cat([part.thing for part in found], dim=1)
    kept_of_images = []
    for row in range(len(boxes)):
        sure = scores[row] > lowest
        sure_boxes, sure_scores = boxes[row][sure], scores[row][sure]
        groups = thing[row][sure] * (network.spec.scoring == "per_class")
        kept = batched_nms(sure_boxes, sure_scores, groups, NMS_IOU)[: network.spec.detections]
        kept_of_images.append(Detections(sure_boxes[kept], sure_scores[kept], thing[row][sure][kept]))
    return kept_of_images


def _masks(network: PanopticNetwork, views: list[Look], found: list[Detections], size: Size) -> Tensor:
    """Mean masks (B, N, 28, 28) of the detections of each image, N the most that an image has."""
    most = max(len(image.boxes) for image in found)
    boxes = torch.stack([functional.pad(image.boxes, (0, 0, 0, most - len(image.boxes))) for image in found])
    thing = torch.stack([functional.pad(image.thing, (0, most - len(image.thing))) for image in found])
    if most == 0:
        return boxes.new_zeros(len(found), 0, 1, 1)
    total = boxes.new_zeros(())
    for view in views:
        masks = network.masks(view.features, to_view(boxes, view, size), thing)
        total = total + (masks.flip(-1) if view.mirrored else masks)
    return total / len(views)


def _semantic(network: PanopticNetwork, views: list[Look], size: Size) -> Tensor:
    """Mean probabilities (B, S + 1, H, W)."""
    total = torch.zeros((), device=views[0].features.levels[0].device)
    for view in views:
        logits = network.semantic(view.features)
        total = total + _resize(logits.flip(-1) if view.mirrored else logits, size).float().softmax(dim=1)
    return total / len(views)


def to_image(boxes: Tensor, view: Look, size: Size) -> Tensor:
    """(..., 4) boxes of a view -> of an image of `size`."""
    return _scaled(_mirrored(boxes, view.features.size[1]) if view.mirrored else boxes, view.features.size, size)


def to_view(boxes: Tensor, view: Look, size: Size) -> Tensor:
    """(..., 4) boxes of an image of `size` -> of a view."""
    boxes = _scaled(boxes, size, view.features.size)
    return _mirrored(boxes, view.features.size[1]) if view.mirrored else boxes


def _mirrored(boxes: Tensor, width: int) -> Tensor:
    """(..., 4) boxes of an image -> of its mirror image."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=-1)


def _scaled(boxes: Tensor, old: Size, new: Size) -> Tensor:
    return boxes * boxes.new_tensor([new[1] / old[1], new[0] / old[0]] * 2)


def _resize(maps: Tensor, size: Size) -> Tensor:
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    shrink = size[0] < maps.shape[-2]
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False, antialias=shrink)
