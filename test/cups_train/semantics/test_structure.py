import numpy as np

from cups_train.semantics.groups import STRUCTURE, SURFACE
from cups_train.semantics.shape import scene_shape
from cups_train.semantics.structure import column_reach, raised, row_length, structure_channels, thinness


def test_a_kerb_is_a_step_that_depth_makes_softer():
    kerb, knee = raised(np.float32([0, 0.045, 0.1, 0.35]), np.full(4, 5, np.float32))
    # 1 / (1 + exp(0.045 / 0.015)) = 0.0474, and 0.055 / 0.015 = 3.667 widths above it
    np.testing.assert_allclose(kerb, [0.0474, 0.5, 0.9751, 1], atol=1e-3)
    np.testing.assert_allclose(knee[[0, 3]], [0.0124, 0.5], atol=1e-3)
    far, _ = raised(np.float32([0.1]), np.full(1, 40, np.float32))  # the step is 0.06 m wide there
    np.testing.assert_allclose(far, 1 / (1 + np.exp(-0.055 / 0.06)), rtol=1e-5)


def test_a_column_of_one_depth_reaches_from_its_base_to_its_top():
    height = np.float32([[9, 5], [5, 3], [2, 1], [0.1, 0]])
    depth = np.float32([[40, 10], [10, 10], [10, 5], [10, 5]])
    top, base = column_reach(height, -np.log(depth))
    np.testing.assert_allclose(top, [[9, 5], [5, 5], [5, 1], [0.1, 0]])  # the ground (0.1 and 0 m) reaches nowhere up
    np.testing.assert_allclose(base, [[9, 3], [0.1, 3], [0.1, 0], [0.1, 0]])


def test_rows_of_one_depth_have_a_length():
    # each step of the second row is below 6 %
    depth = np.float32([[10, 10, 10, 5, 5, 20], [10, 10.5, 11, 11.5, 12, 12.5]])
    np.testing.assert_array_equal(row_length(-np.log(depth)), [[3, 3, 3, 2, 2, 1], [6, 6, 6, 6, 6, 6]])


def test_a_pole_is_thin_and_a_wall_is_not():
    image = np.full((64, 512), np.log(0.02), np.float32)
    image[:, 100:104] = np.log(0.03)
    image[:, 300:400] = np.log(0.03)
    narrow, wide = thinness(image, (16, 128))
    np.testing.assert_allclose(narrow[:, 25], np.log(1.5), rtol=1e-5)
    np.testing.assert_allclose(wide[:, 25], np.log(1.5), rtol=1e-5)
    np.testing.assert_allclose(np.delete(narrow, 25, axis=1), 0, atol=1e-6)


def test_the_mirror_image_has_the_mirrored_channels(camera):
    rng = np.random.default_rng(0)
    disparity = rng.uniform(1, 9, (16, 32)).astype(np.float32)
    height, finer = rng.uniform(-0.2, 6, (16, 32)).astype(np.float32), rng.normal(size=(64, 128)).astype(np.float32)
    small = camera.scaled(16, 32)  # its centre is in the middle
    plain = structure_channels(height, disparity, small, finer)
    mirrored = structure_channels(
        *(np.ascontiguousarray(a[:, ::-1]) for a in (height, disparity)), small, np.ascontiguousarray(finer[:, ::-1])
    )
    assert plain.shape == (STRUCTURE, 16, 32)
    np.testing.assert_allclose(mirrored, plain[:, :, ::-1], rtol=1e-4, atol=1e-5)


def test_a_pavement_is_raised_and_the_road_is_not(camera):
    big = camera.scaled(256, 512)
    v, u = np.mgrid[:256, :512].astype(np.float32)
    below = np.maximum(v - big.cy, 0.0)
    road, pavement = big.baseline * below / 1.5, big.baseline * below / 1.35  # level, 1.5 m and 1.35 m under the camera
    aside = np.abs(u - big.cx) / big.fx * big.depth_scale / np.maximum(road, 1e-3)
    kerb, near = aside > 4, (v > big.cy + 30) & (v < 250)  # up to 20 m
    disparity = np.where(kerb, pavement, road).astype(np.float32)
    channels, _ = scene_shape(disparity, big, (64, 128), np.random.default_rng(0))
    step = channels[SURFACE]  # the first channel of the structure
    cells = [m.reshape(64, 4, 128, 4).all((1, 3)) for m in (near & ~kerb & (aside < 3), near & kerb & (aside > 5))]
    assert [c.sum() > 100 for c in cells] == [True, True]
    assert step[cells[0]].max() < 0.2 and step[cells[1]].min() > 0.8
