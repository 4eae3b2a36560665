"""The teacher's answer from several views of an image: sizes, each plain and mirrored; features are computed once a view (T18)."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms

from cups_train.network import Features, PanopticNetwork, to_step
from cups_train.network.box_heads import NMS_IOU
from cups_train.training.crop import Size


@dataclass(frozen=True, eq=False)
class View:
    """One look at a batch."""

    features: Features
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """What all views together say about one image, in its own pixels."""

    boxes: Tensor  # (N, 4) px
    scores: Tensor  # (N,), descending
    thing: Tensor  # (N,) int64, index into classes.things
    masks: Tensor  # (N, 28, 28) mean probabilities
    semantic: Tensor  # (S + 1, H, W) mean probabilities


def view_sizes(size: Size, scales: tuple[float, ...]) -> list[Size]:
    """Sizes of the views, multiples of 32 (T17), for a network input of `size`."""
    return [(to_step(size[0] * scale), to_step(size[1] * scale)) for scale in scales]


@torch.no_grad()
def look(network: PanopticNetwork, images: Tensor, sizes: list[Size], lowest: float) -> list[Answer]:
    """Boxes of all views above `lowest` with one NMS over all of them, where the best box wins and names the thing (as in
    `best_detections`); the masks of these boxes and the semantic probabilities averaged over the views (CUPS, stage 3).

    images: (B, 3, H, W) float 0..1; one answer an image.
    """
    views = [View(network.features(_resize(turned, size)), mirrored)
             for size in sizes for mirrored, turned in ((False, images), (True, images.flip(-1)))]
    merged = _merge(network, views, tuple(images.shape[-2:]), lowest)
    masks = _masks(network, views, merged, tuple(images.shape[-2:]))
    semantic = _semantic(network, views, tuple(images.shape[-2:]))
    return [Answer(*found, masks[row][: len(found[0])], semantic[row]) for row, found in enumerate(merged)]


def _merge(network: PanopticNetwork, views: list[View], size: Size, lowest: float) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Boxes, scores and things of every image, from all its views."""
    parts = []
    for view in views:
        boxes, scores, thing = network.detect(view.features)
        parts.append((to_image(boxes, view, size), scores, thing))
    boxes, scores, thing = (torch.cat(column, dim=1) for column in zip(*parts, strict=True))
    merged = []
    for row in range(len(boxes)):
        sure = scores[row] > lowest
        found = boxes[row][sure], scores[row][sure], thing[row][sure]
        kept = nms(found[0], found[1], NMS_IOU)[: network.spec.detections]
        merged.append((found[0][kept], found[1][kept], found[2][kept]))
    return merged


def _masks(network: PanopticNetwork, views: list[View], merged: list[tuple[Tensor, Tensor, Tensor]], size: Size) -> Tensor:
    """Mean masks (B, N, 28, 28) of the merged boxes, N the most that an image has."""
    most = max(len(boxes) for boxes, _, _ in merged)
    boxes = torch.stack([functional.pad(b, (0, 0, 0, most - len(b))) for b, _, _ in merged])
    thing = torch.stack([functional.pad(t, (0, most - len(t))) for _, _, t in merged])
    if most == 0:
        return boxes.new_zeros(len(merged), 0, 1, 1)
    total = boxes.new_zeros(())
    for view in views:
        masks = network.masks(view.features, to_view(boxes, view, size), thing)
        total = total + (masks.flip(-1) if view.mirrored else masks)
    return total / len(views)


def _semantic(network: PanopticNetwork, views: list[View], size: Size) -> Tensor:
    """Mean probabilities (B, S + 1, H, W)."""
    total = torch.zeros((), device=views[0].features.levels[0].device)
    for view in views:
        logits = network.semantic(view.features)
        total = total + _resize(logits.flip(-1) if view.mirrored else logits, size).float().softmax(dim=1)
    return total / len(views)


def to_image(boxes: Tensor, view: View, size: Size) -> Tensor:
    """(..., 4) boxes of a view -> of an image of `size`."""
    return _scaled(_mirrored(boxes, view.features.size[1]) if view.mirrored else boxes, view.features.size, size)


def to_view(boxes: Tensor, view: View, size: Size) -> Tensor:
    """(..., 4) boxes of an image of `size` -> of a view."""
    boxes = _scaled(boxes, size, view.features.size)
    return _mirrored(boxes, view.features.size[1]) if view.mirrored else boxes


def _mirrored(boxes: Tensor, width: int) -> Tensor:
    x1, y1, x2, y2 = boxes.unbind(-1)
    return torch.stack([width - x2, y1, width - x1, y2], dim=-1)


def _scaled(boxes: Tensor, old: Size, new: Size) -> Tensor:
    return boxes * boxes.new_tensor([new[1] / old[1], new[0] / old[0]] * 2)


def _resize(maps: Tensor, size: Size) -> Tensor:
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    shrink = size[0] < maps.shape[-2]
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False, antialias=shrink)
