"""The z-buffer, the truth and the textures against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_train.render.actors import Cast, Track
from cups_train.render.bodywork import VehicleTextures
from cups_train.render.people import walking
from cups_train.render.quads import CUTOUT, TWO_SIDED, Paint, Quads, box, join, pose, quad
from cups_train.render.raster import Viewpoint, clip_near, rasterise
from cups_train.render.shade import cast_shadow
from cups_train.render.textures import TextureBank, TextureBuilder, noise
from cups_train.render.truth import HAS_FLOW, SEEN_NEXT, SEEN_RIGHT, Seen, frame_truth, segments
from cups_train.types import StereoCamera

CAMERA = StereoCamera(48, 64, 40.0, 40.0, 31.5, 23.5, 0.5)  # depth_scale 20 px m


@pytest.fixture(scope="module")
def bank() -> TextureBank:
    builder = TextureBuilder()
    builder.add(np.full((8, 8, 3), 100.0))
    holes = np.zeros((8, 8, 4))
    holes[:, :4, 3] = 255
    builder.add(holes)
    return builder.build()


def wall(z: float, half: float, paint: Paint, category: int, instance: int = 0, part: int = 0) -> Quads:
    """A square across the view axis of a camera at the origin that looks along z; y points down."""
    return quad([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]], paint).of(
        category, instance, part
    )


def view(x: float = 0.0) -> Viewpoint:
    return Viewpoint(CAMERA, pose(x, 0.0))


def test_a_square_covers_the_pixels_that_it_projects_to_at_its_depth(bank: TextureBank) -> None:
    buffers = rasterise(view(), wall(10.0, 2.0, Paint(0), 3), bank)
    seen = buffers.quad[::2, ::2] == 0
    expected = np.zeros((48, 64), bool)
    expected[16:32, 24:40] = True  # 31.5 +- 40 * 2 / 10 and 23.5 +- 8
    assert np.array_equal(seen, expected)
    assert np.allclose(buffers.inverse_depth[::2, ::2][seen], 0.1) and not buffers.inverse_depth[::2, ::2][~seen].any()


def test_the_nearer_quad_wins_whatever_the_order_and_size(bank: TextureBank) -> None:
    near, far = wall(5.0, 0.3, Paint(0), 3), wall(10.0, 4.0, Paint(0), 3)
    first, second = rasterise(view(), join([near, far]), bank), rasterise(view(), join([far, near]), bank)
    assert np.array_equal(first.inverse_depth, second.inverse_depth)
    assert first.inverse_depth[48, 63] == pytest.approx(0.2) and first.inverse_depth[20, 63] == pytest.approx(0.1)


def test_backs_are_not_seen_unless_two_sided_and_holes_let_through(bank: TextureBank) -> None:
    turned = quad([[2, -2, 10], [-2, -2, 10], [-2, 2, 10], [2, 2, 10]], Paint(0))
    assert (rasterise(view(), turned, bank).quad < 0).all()
    both = quad([[2, -2, 10], [-2, -2, 10], [-2, 2, 10], [2, 2, 10]], Paint(0, flags=TWO_SIDED))
    assert (rasterise(view(), both, bank).quad == 0).any()
    for half in (3.0, 0.6):  # drawn alone, and with the small ones
        seen = rasterise(view(), wall(10.0, half, Paint(1, flags=CUTOUT), 3), bank).quad >= 0
        assert seen[:, :63].any() and not seen[:, 64:].any()


def test_a_floor_that_runs_under_the_camera_is_cut_at_the_near_plane(bank: TextureBank) -> None:
    floor = quad([[-50, 1.5, 60], [50, 1.5, 60], [50, 1.5, -60], [-50, 1.5, -60]], Paint(0))
    buffers = rasterise(view(), floor, bank)
    assert buffers.inverse_depth[94, 63] == pytest.approx((47 - 23.5) / 40 / 1.5)  # y = f h / Z
    assert (buffers.quad[:46] < 0).all()
    assert clip_near(np.array([[0, 0, -1.0], [1, 0, -1], [1, 1, -1]])).shape == (0, 3)
    assert len(clip_near(np.array([[0, 0, -1.0], [0, 0, 1], [1, 0, 1], [1, 0, -1]]))) == 4


def test_truth_of_a_moving_square_before_a_wall(bank: TextureBank) -> None:
    """The square at 5 m (disparity 4) goes 0.5 m right and 1 m away in one step while the camera goes 0.25 m right."""
    quads = join([wall(10.0, 8.0, Paint(0), 3), wall(5.0, 0.5, Paint(0), 14, 13001, 1)])
    now_poses, next_poses = np.stack([np.eye(4), np.eye(4)]), np.stack([np.eye(4), np.eye(4)])
    next_poses[1, :3, 3] = (0.5, 0.0, 1.0)
    now = Seen(view(), rasterise(view(), quads, bank), now_poses)
    after_quads = quads.placed(next_poses)
    after = Seen(view(0.25), rasterise(view(0.25), after_quads, bank), next_poses)
    truth = frame_truth(now, quads, rasterise(view(0.5), quads, bank), after)
    assert truth.flow is not None and truth.disparity_next is not None
    assert truth.instance[23, 31] == 13001 and truth.category[23, 31] == 14 and truth.instance[23, 20] == 0
    assert truth.disparity[23, 31] == pytest.approx(4.0) and truth.disparity_next[23, 31] == pytest.approx(20 / 6)
    x = (31 - 31.5) / 40 * 5
    assert truth.flow[23, 31] == pytest.approx([40 * (x + 0.25) / 6 + 0.5, -0.5 * 5 / 6 + 0.5])
    assert truth.flow[10, 20] == pytest.approx([-1.0, 0.0])  # the wall: 40 * 0.25 / 10
    assert truth.visible[23, 31] == SEEN_RIGHT | SEEN_NEXT | HAS_FLOW
    assert truth.visible[23, 26] & SEEN_RIGHT == 0  # wall left of the square, behind it for the right camera
    assert truth.visible[23, 37] & SEEN_NEXT == 0  # wall that the square then hides
    assert truth.visible[23, 0] & SEEN_RIGHT == 0  # leaves the right image


def test_segments_hold_one_row_a_class_of_stuff_and_one_a_thing(bank: TextureBank) -> None:
    quads = join([wall(5.0, 0.5, Paint(0), 14, 13001), wall(10.0, 2.0, Paint(0), 0)])
    now = Seen(view(), rasterise(view(), quads, bank), np.eye(4)[None])
    ids, rows = segments(frame_truth(now, quads, now.buffers, None), {13001: True})
    assert ids[16, 24] == 0  # void
    assert rows == [
        {"id": 1, "category_id": 11, "area": 48 * 64 - 256, "bbox": [0, 0, 64, 48], "iscrowd": 0},
        {
            "id": 2,
            "category_id": 14,
            "area": 64,
            "bbox": [28, 20, 8, 8],
            "iscrowd": 0,
            "true_id": 13001,
            "moving": True,
        },
    ]


def test_a_box_shows_its_faces_outwards() -> None:
    made = box((4.0, 2.0, 1.5), (1.0, 0.0, 0.0), Paint(0))
    outward = -np.cross(made.axes[:, 0], made.axes[:, 1])
    middle = made.corners.mean(1) - np.array([1.0, 0.0, 0.75])
    assert len(made) == 6 and (np.sum(outward * middle, 1) > 0).all()
    assert np.allclose(np.sort(np.linalg.norm(outward, axis=1)), [3, 3, 6, 6, 8, 8])


def test_a_shadow_lies_opposite_the_sun() -> None:
    sun = np.array([1.0, 0.0, 1.0]) / np.sqrt(2)
    shadow = cast_shadow(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 2], [0, 1, 2.0]]), sun)
    assert shadow[:, 0].min() == pytest.approx(-2) and shadow[:, 0].max() == 0 and not shadow[:, 2].any()


def test_noise_joins_at_its_edges_and_textures_mix_neighbours(bank: TextureBank) -> None:
    value = noise(np.random.default_rng(1), (64, 128), 2, 0.4)
    inner = np.abs(np.diff(value, axis=1)).mean()
    assert value.shape == (64, 128) and np.abs(value[:, 0] - value[:, -1]).mean() < 2 * inner
    builder = TextureBuilder()
    builder.add(np.stack([np.array([[0, 100], [0, 100.0]])] * 3, -1))
    texture, level = np.zeros(3, np.int32), np.zeros(3, np.int32)
    color = builder.build().color(texture, level, np.array([0.25, 0.5, 0.75]), np.array([0.5, 0.5, 0.5]))
    assert np.allclose(color[:, 0], [0, 50, 100])


def test_nobody_is_put_where_another_comes_by() -> None:
    cast = Cast(VehicleTextures(*[0] * 14), 0, np.random.default_rng(0))
    time = np.arange(11) * 0.1
    still = Track(np.tile([0.0, 10.0], (11, 1)), np.full(11, np.pi / 2))
    assert cast.vehicle("car", still)
    into = Track(np.stack([np.zeros(11), 10 * time], -1), np.full(11, np.pi / 2))
    beside = Track(into.xy + (3.0, 0.0), into.yaw)
    assert (
        not cast.vehicle("car", into)
        and cast.vehicle("car", beside)
        and cast.cyclist(Track(into.xy - (3.0, 0.0), into.yaw))
    )
    assert [a.name for a in cast.actors] == ["car", "car", "rider", "bicycle"]
    assert cast.actors[0].speed.max() == 0 and np.allclose(cast.actors[1].speed, 10)
    assert len({a.true_id for a in cast.actors}) == 4 and cast.actors[2].true_id // 1000 == 12


def test_legs_of_a_walker_swing_against_each_other() -> None:
    poses = walking(1.75, np.pi / 2, 0.4)
    foot = np.array([0, 0, -0.45, 1])
    assert (poses[3] @ foot)[0] > 0.2 and (poses[4] @ foot)[0] < -0.2
    assert 0.0 <= (poses[3] @ foot)[2] < 0.15
