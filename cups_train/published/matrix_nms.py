"""Matrix NMS: each mask's score decays with its overlap with better masks (SOLOv2, as in CUPS)."""

from __future__ import annotations

import numpy as np

SIGMA, CUT = 2.0, 0.6


def matrix_nms(masks: np.ndarray, scores: np.ndarray, contained: float | None = None) -> list[int]:
    """Indices of the masks that survive gaussian matrix NMS, best first.

    masks: (M, H, W) bool; scores: (M,). `contained`, which is not published: share of the smaller mask inside another
    from which only the better one stays.
    """
    if not len(masks):
        return []
    area = masks.reshape(len(masks), -1).sum(1)
    order = np.lexsort((-area, -scores))
    flat = masks.reshape(len(masks), -1)[order].astype(np.float32)
    inter = flat @ flat.T
    size = inter.diagonal()
    iou = np.triu(inter / np.maximum(size[:, None] + size[None] - inter, 1), 1)
    compensate = iou.max(0)
    decay = np.exp(-SIGMA * (iou**2 - compensate[:, None] ** 2))
    decay = np.where(np.triu(np.ones_like(iou), 1) > 0, decay, 1).min(0)
    kept: list[int] = []
    for j in np.flatnonzero(scores[order] * decay >= CUT):
        if contained is None or all(inter[i, j] <= contained * min(size[i], size[j]) for i in kept):
            kept.append(int(j))
    return [int(order[j]) for j in kept]
