"""What is known of distances, and what an object loses by it."""

from __future__ import annotations

import numpy as np

from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.pseudo_label.kinds import Scale
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.sight import Sight, sight_of, trim
from cups_train.types import StereoCamera, StereoFrame

H, W = 120, 320


class _Road:
    """A recording of one frame: a textured road 1.4 m below the camera, and a wall 10 m away."""

    camera = StereoCamera(H, W, 300.0, 300.0, 159.5, 40.0, 0.3)

    def stereo(self, key: str) -> StereoFrame:
        rng = np.random.default_rng(3)
        v = np.arange(H)
        depth = np.minimum(10.0, 1.4 * 300 / np.maximum(v - 40.0, 1e-3))
        self.disparity = 300 * 0.3 / depth
        wide = rng.integers(0, 255, (H, W + 200, 3)).astype(np.float32)
        u = np.arange(W)
        left = wide[:, :W]
        right = np.stack([wide[row, :W][np.clip(np.round(u + self.disparity[row]).astype(int), 0, W - 1)] for row in v])
        return StereoFrame(key, 0, left.astype(np.uint8), right.astype(np.uint8), self.camera)


def test_distances_and_heights_of_a_street() -> None:
    road = _Road()
    sight = sight_of(road, "000000")  # type: ignore[arg-type]
    ahead = sight.disparity[100:, 60:280]
    assert np.nanmedian(np.abs(ahead - road.disparity[100:, None])) < 0.6 and np.isfinite(ahead).mean() > 0.8
    assert sight.on_ground[100:, 60:280].mean() > 0.8 and not sight.on_ground[:60, 60:280].any()
    assert np.nanmedian(sight.height[50:60, 60:280]) > 0.7


def _sight(disparity: np.ndarray, height: np.ndarray) -> Sight:
    return Sight(disparity.astype(np.float32), height.astype(np.float32), 0.5)


def test_shadows_and_what_lies_behind_are_not_of_an_object() -> None:
    instances = np.zeros((20, 40), np.uint16)
    instances[2:18, 5:30] = 4
    disparity, height = np.full((20, 40), 10.0), np.ones((20, 40))
    height[15:], disparity[2:15, 25:30], disparity[2:15, 5:7] = 0.02, 3, np.nan
    trimmed = trim(instances, _sight(disparity, height))
    assert (trimmed[2:15, 5:25] == 4).all() and np.count_nonzero(trimmed) == 13 * 20
    assert trimmed.dtype == instances.dtype
    nothing = np.full((20, 40), np.nan)
    assert np.array_equal(trim(instances, _sight(nothing, nothing)), instances)


def test_a_label_is_trimmed_where_asked_for() -> None:
    class_map, instances = np.ones((20, 40), np.uint8), np.zeros((20, 40), np.uint16)
    class_map[2:15, 5:25] = 2
    instances[2:18, 5:25], instances[17:, 25:33] = 4, 5
    disparity, height = np.full((20, 40), 10.0), np.ones((20, 40))
    height[15:] = 0
    classes = Classes((PseudoClass(1, "road", False, (1, 1, 1)), PseudoClass(2, "car", True, (2, 2, 2))))
    for trims, pixels, road in ((True, [260], 1), (False, [320, 24], 2)):
        rules = Rules(classes, LabelConfig(trim=trims))
        label = label_maps(class_map, instances, [], rules, Scale(100, 0.1), _sight(disparity, height))
        assert [row.pixels for row in label.rows] == pixels, "an object that is all ground is none"
        assert label.class_map[16, 10] == road
