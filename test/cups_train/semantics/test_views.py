import numpy as np
import pytest

from cups_train.semantics.prepared import load, save
from cups_train.semantics.preparing import prepare
from cups_train.semantics.views import LEFT, RIGHT, UNKNOWN, carry, matches, random_view, sample_cells


@pytest.fixture(scope="module")
def frame(make_street):
    street = make_street()
    moving = np.zeros((64, 128), bool)
    moving[8:24, 40:80] = True
    return prepare(street.stereo("000000"), street.left("000001"), moving, 64, np.random.default_rng(0))


def test_prepared_frames_keep_on_disk(frame, tmp_path):
    save(tmp_path / "x.npz", frame)
    again = load(tmp_path / "x.npz")
    np.testing.assert_array_equal(again.images, frame.images)
    np.testing.assert_array_equal(again.shifts, frame.shifts)


def test_moving_objects_on_cells(frame, street):
    assert frame.moving.sum() == 4 * 10 and (frame.moving[2:6, 10:20] == 1).all()
    still = prepare(street.stereo("000002"), None, None, 64, np.random.default_rng(0))
    assert (still.moving == -1).all() and not still.shifts_ok[1].any()


def test_correspondences_of_a_known_scene(frame):
    # the right image sees everything 8 px, the next one 2 px further left
    wall = np.s_[5:9, 6:26]
    assert frame.shifts_ok[(RIGHT - 1, *wall)].mean() > 0.9
    np.testing.assert_allclose(np.median(frame.shifts[(RIGHT - 1, 0, *wall)]), -8, atol=0.3)
    np.testing.assert_allclose(np.median(frame.shifts[(1, 0, *wall)]), -2, atol=0.3)
    np.testing.assert_allclose(np.median(frame.disparity[wall]), 8, atol=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_a_view_shows_what_its_affine_map_says(seed):
    rng = np.random.default_rng(seed)
    ramp = np.stack(
        np.broadcast_arrays(np.arange(128)[None], np.arange(64)[:, None] * 2, np.zeros((64, 128))), -1
    ).astype(np.uint8)
    view = random_view(ramp, rng)
    u, v = view.cells()
    cells = sample_cells(np.arange(16 * 32).reshape(16, 32), view, UNKNOWN)
    inside = cells != UNKNOWN
    np.testing.assert_array_equal(
        cells[inside], (np.floor((v + 0.5) / 4) * 32 + np.floor((u + 0.5) / 4))[inside].astype(int)
    )
    back_u, back_v = view.inverse(u, v)
    np.testing.assert_allclose([back_u[0, 3], back_v[2, 0]], [3 * 4 + 1.5, 2 * 4 + 1.5])


def test_matches_show_the_same_point(frame):
    rng = np.random.default_rng(1)
    while True:
        a, b = random_view(frame.images[LEFT], rng), random_view(frame.images[RIGHT], rng)
        here, there = matches(frame, RIGHT, a, b, 40, rng)
        if len(here) == 40:
            break
    u, v = a.cells()
    left_u, left_v = u[here[:, 1], here[:, 0]], v[here[:, 1], here[:, 0]]
    right_u = b.affine[0, 0] * (there[:, 0] * 4 + 1.5) + b.affine[0, 2]
    right_v = b.affine[1, 1] * (there[:, 1] * 4 + 1.5) + b.affine[1, 2]
    np.testing.assert_allclose(np.median(right_u - left_u), -8, atol=0.3)
    np.testing.assert_allclose(right_v, left_v, atol=1e-3)


def test_carried_classes_keep_the_nearer_surface():
    classes = np.int64([[1, 2, 3, 4]])
    shift = np.zeros((2, 1, 4), np.float32)
    shift[0, 0] = -4, 0, -4, 0  # cells 0 and 2 move one cell left: 0 leaves, 2 lands on 1
    disparity = np.float32([[9, 1, 5, 1]])
    carried = carry(classes, shift, np.ones((1, 4), bool), disparity)
    np.testing.assert_array_equal(carried, [[UNKNOWN, 3, UNKNOWN, 4]])
    np.testing.assert_array_equal(
        carry(classes, shift, np.bool_([[1, 1, 0, 1]]), disparity), [[UNKNOWN, 2, UNKNOWN, 4]]
    )


def test_recoloured_views_stay_images(frame):
    view = random_view(frame.images[LEFT], np.random.default_rng(5))
    assert view.image.dtype == np.float32 and 0 <= view.image.min() and view.image.max() <= 1
