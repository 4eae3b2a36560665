"""Where pixels lie, on a street of road below, wall above and nothing between them and the camera."""

from __future__ import annotations

import numpy as np

from cups_train.geometry.camera import pixel_grid
from cups_train.pseudo_label.places import find_places
from cups_train.types import StereoCamera, StereoFrame

HEIGHT, WIDTH = 192, 320
CAMERA = StereoCamera(HEIGHT, WIDTH, 200.0, 200.0, 159.5, 80.0, 0.5)
OVER_GROUND, WALL = 1.5, 12.0  # m


def street() -> StereoFrame:
    """A textured road up to a wall: every row of the right image is the left one's, shifted."""
    rng = np.random.default_rng(3)
    u, v = pixel_grid(HEIGHT, WIDTH)
    ahead = np.minimum(WALL, np.where(v > CAMERA.cy, OVER_GROUND * CAMERA.fy / np.maximum(v - CAMERA.cy, 1e-3), np.inf))
    shift = np.round(CAMERA.depth_scale / ahead).astype(int)
    texture = rng.integers(0, 255, (HEIGHT, 2 * WIDTH, 3)).astype(np.uint8)
    left = texture[:, 100 : 100 + WIDTH]
    right = np.stack([texture[row, 100 + shift[row, 0] : 100 + shift[row, 0] + WIDTH] for row in range(HEIGHT)])
    return StereoFrame("0", 0, left, right, CAMERA)


def test_the_road_is_driven_on_and_the_wall_is_high() -> None:
    ids = np.where(np.arange(HEIGHT)[:, None] > CAMERA.cy + OVER_GROUND * CAMERA.fy / WALL, 1, 2) * np.ones(
        (1, WIDTH), int
    )
    found = find_places(street(), ids.astype(np.uint8), 3)
    assert found.pixels.tolist() == [(ids == 1).sum(), (ids == 2).sum(), 0]
    assert found.in_lane[0] > 20 * found.in_lane[1] and found.in_lane[0] > 500
    assert found.over_horizon[0] == 0 and found.over_horizon[1] > 0.7 * found.pixels[1]
    assert found.heights[0].argmax() == 2 and (found.heights[1, 4:].sum() > 0.8 * found.heights[1].sum())
