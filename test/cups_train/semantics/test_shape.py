import numpy as np

from cups_train.geometry.ground import Ground
from cups_train.semantics.shape import cell_disparity, scene_shape, surface_channels


def test_cells_are_means_of_known_pixels_in_their_own_pixels():
    disparity = np.full((8, 8), 4.0, np.float32)
    disparity[:4, :4] = np.nan
    disparity[4:, :2] = np.nan
    disparity[4:, 2:4] = 6.0
    cells = cell_disparity(disparity, 2, 2)
    assert np.isnan(cells[0, 0])
    np.testing.assert_allclose(cells[0, 1], 1.0)  # a quarter of the width: a quarter of the disparity
    np.testing.assert_allclose(cells[1, 0], 1.5)


def test_height_and_normals_of_ground_and_wall(camera):
    # level camera 1.5 m over the ground, a wall 10 m away: disparity of the ground is b (v - cy) / 1.5, of the wall f b
    # / 10
    v = np.arange(64, dtype=np.float32)[:, None] - camera.cy
    ground = np.repeat(0.5 * v / 1.5, 128, 1)
    wall = np.full((64, 128), camera.depth_scale / 10, np.float32)
    channels = surface_channels(
        np.maximum(ground, wall).astype(np.float32), camera, Ground(np.array([0.0, 1.0, 0.0]), 1.5)
    )
    height, clipped, inverse, up, side, forward, rough, far = channels
    np.testing.assert_allclose(height[55:62, 20:100], 0, atol=1e-3)
    # wall, row 20: y = (20 - 31.5) / 100 * 10 = -1.15 m, so 2.65 m over the ground
    np.testing.assert_allclose(height[20, 64], 2.65, atol=1e-4)
    np.testing.assert_allclose(clipped[20, 64], 2.6, atol=1e-6)
    np.testing.assert_allclose(inverse[20, 64] ** 2, 0.1, atol=1e-6)
    np.testing.assert_allclose([up[58, 64], side[58, 64]], [1, 0], atol=1e-3)
    np.testing.assert_allclose([up[15, 64], side[15, 64], forward[15, 64]], [0, 0, 1], atol=1e-3)
    assert far.max() == 0 and rough[15, 64] < rough[48, 64]


def test_far_and_unknown_pixels(camera):
    disparity = np.zeros((64, 128), np.float32)
    disparity[32:] = np.nan
    channels, filled = scene_shape(disparity, camera, (16, 32), np.random.default_rng(0))
    assert (filled == 0).all() and (channels[7] == 1).all() and np.isfinite(channels).all()
