"""Exact truth of a frame: computed from the surface that each pixel sees and from poses, never estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from cups_train.render.quads import Quads
from cups_train.render.raster import Buffers, Viewpoint

SEEN_RIGHT, SEEN_NEXT, HAS_FLOW = 1, 2, 4  # bits of `visible`
OCCLUDED_FROM = 1.02  # a surface this many times nearer than the point hides it


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """Truth on the pixels of the left image at t; the last three are None for a frame without a t+1."""

    category: np.ndarray  # (H, W) int32, train id + 1, 0 = void
    instance: np.ndarray  # (H, W) int32, true_id, 0 on stuff
    depth: np.ndarray  # (H, W) float64 m, 0 = sky
    disparity: np.ndarray  # (H, W) float64 px, 0 = sky
    visible: np.ndarray  # (H, W) uint8 bits
    flow: np.ndarray | None  # (H, W, 2) float64 px
    flow_valid: np.ndarray | None  # (H, W) bool
    disparity_next: np.ndarray | None  # (H, W) float64 px


@dataclass(frozen=True, eq=False)
class Seen:
    """One view of one moment, with what is needed to follow its points."""

    view: Viewpoint
    buffers: Buffers
    poses: np.ndarray  # (P, 4, 4) world_T_part


def frame_truth(now: Seen, quads: Quads, right: Buffers, after: Seen | None) -> FrameTruth:
    """Truth of the left view `now`; `right` are the right camera's buffers at the same moment, `after` is the left view
    at t+1."""
    camera = now.view.camera
    quad, inverse = now.buffers.quad[::2, ::2], now.buffers.inverse_depth[::2, ::2]
    sky = quad < 0
    at = np.maximum(quad, 0)
    category = np.where(sky, 11, quads.category[at])
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float64)
    exact = _exact_inverse(now.buffers, quad, x, y)
    disparity = camera.depth_scale * exact
    visible = _seen(right, inverse, x - disparity, y, exact) * SEEN_RIGHT
    flow = valid = disparity_next = None
    if after is not None:
        flow, following, valid = _follow(now, after, np.where(sky, 0, quads.part[at]), _Pixels(x, y, exact))
        disparity_next = np.where(valid, camera.depth_scale * following, 0)
        visible = (
            visible
            + HAS_FLOW * valid
            + SEEN_NEXT * (valid & _seen(after.buffers, inverse, x + flow[..., 0], y + flow[..., 1], following))
        )
    depth = np.where(sky, 0, 1 / np.maximum(exact, 1e-9))
    return FrameTruth(
        category,
        np.where(sky, 0, quads.instance[at]),
        depth,
        disparity,
        visible.astype(np.uint8),
        flow,
        valid,
        disparity_next,
    )


def _exact_inverse(buffers: Buffers, quad: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1/Z in double precision from each quad's plane; 0 at sky."""
    plane = buffers.planes[:, 2][np.maximum(quad, 0)]
    return np.where(quad < 0, 0.0, plane[..., 0] * 2 * x + plane[..., 1] * 2 * y + plane[..., 2])


class _Pixels(NamedTuple):
    """The pixels of an image and how far away what they show is."""

    x: np.ndarray  # (H, W)
    y: np.ndarray  # (H, W)
    inverse_depth: np.ndarray  # (H, W) 1/m


class _Followed(NamedTuple):
    """Where the points of an image are in the next."""

    flow: np.ndarray  # (H, W, 2) px
    inverse_depth: np.ndarray  # (H, W) 1/m
    valid: np.ndarray  # (H, W) bool: in front of the camera


def _follow(now: Seen, after: Seen, part: np.ndarray, pixels: _Pixels) -> _Followed:
    """Where the points of an image are in the next; part: (H, W) of what each is one."""
    camera, (x, y, inverse) = now.view.camera, pixels
    moved = after.poses @ np.linalg.inv(now.poses)
    steps = np.linalg.inv(after.view.world_T_camera) @ moved @ now.view.world_T_camera
    ray = np.stack([(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, np.ones_like(x), inverse], -1)
    point = ray @ steps[0, :3].T  # the point at t+1 over its depth at t; parts that move are done over below
    rows, columns = np.nonzero(part)
    point[rows, columns] = np.einsum("nij,nj->ni", steps[part[rows, columns], :3], ray[rows, columns])
    valid = point[..., 2] > 1e-3
    scale = np.where(valid, point[..., 2], 1.0)
    u, v = camera.fx * point[..., 0] / scale + camera.cx, camera.fy * point[..., 1] / scale + camera.cy
    flow = np.where(valid[..., None], np.stack([u - x, v - y], -1), 0.0)
    return _Followed(flow, inverse / scale, valid)


def _seen(other: Buffers, inverse: np.ndarray, x: np.ndarray, y: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Whether another view sees points that project to pixels (x, y) with inverse depth `expected`."""
    height, width = inverse.shape
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    column = np.clip(np.round(2 * x), 0, 2 * width - 1).astype(np.int32)
    row = np.clip(np.round(2 * y), 0, 2 * height - 1).astype(np.int32)
    nearest = other.inverse_depth[row, column]
    return inside & (nearest <= expected * OCCLUDED_FROM + 1e-4)


def segments(truth: FrameTruth, moving: dict[int, bool]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Map of segment ids (H, W) and its rows: stuff by class, then things by true_id with `true_id` and `moving`."""
    combined = np.where(truth.instance > 0, 100 + truth.instance, truth.category)
    area = np.bincount(combined.ravel())
    present = np.nonzero(area)[0]
    present = present[present > 0]
    table = np.zeros(len(area), np.int64)
    table[present] = np.arange(1, len(present) + 1)
    ids = table[combined]
    rows: list[dict[str, Any]] = []
    for value, (ys, xs) in zip(present, ndimage.find_objects(ids), strict=True):
        true_id = int(value) - 100
        category = true_id // 1000 + 1 if true_id > 0 else int(value)
        bbox = [xs.start, ys.start, xs.stop - xs.start, ys.stop - ys.start]
        row: dict[str, Any] = {
            "id": len(rows) + 1,
            "category_id": category,
            "area": int(area[value]),
            "bbox": bbox,
            "iscrowd": 0,
        }
        if true_id > 0:
            row |= {"true_id": true_id, "moving": moving[true_id]}
        rows.append(row)
    return ids, rows
