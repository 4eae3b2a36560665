import numpy as np
import pytest
import torch

from cups_train.semantics.head.correspondence import distil, likeness, nearness, others, published_depth_likeness
from cups_train.semantics.head.spots import SPOTS, farthest_spots, random_spots, sample, scene_points
from cups_train.types import StereoCamera


def test_distillation_by_hand():
    features = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])  # two spots with orthogonal features
    codes = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])  # at 45 degrees
    alike, cosine = likeness(features, features), likeness(codes, codes)
    torch.testing.assert_close(alike, torch.eye(2)[None])
    half = 0.5**0.5
    # - mean of S (F - b) with b = 0.25: twice 1 * 0.75, twice 0.7071 * -0.25
    torch.testing.assert_close(distil(alike, cosine, 0.25), torch.tensor(-(2 * 0.75 - 2 * half * 0.25) / 4))


def test_codes_that_point_apart_are_left_alone():
    codes = torch.tensor([[[1.0, -1.0]]], requires_grad=True)
    distil(torch.zeros(1, 2, 2), likeness(codes, codes), 0.5)
    assert distil(torch.zeros(1, 2, 2), torch.full((1, 2, 2), -0.5), 0.5) == 0


def test_what_is_near_in_space_is_alike_but_for_the_ground():
    # x, y, z, height
    spots = np.array([[0.0, 0, 10, 1], [0, 2, 10, 3], [30, 0, 10, 1], [0, 0.5, 10, 0.1], [0, 2.5, 10, 0.0]])
    alike = nearness(torch.from_numpy(spots.T[None]))[0]
    assert (alike == alike.T).all() and (alike.diagonal() == 1).all()
    torch.testing.assert_close(alike[0, 1], torch.tensor(np.exp(-1.0)))
    torch.testing.assert_close(alike[3, 4], torch.tensor(np.exp(-1.0)))  # both of the ground
    assert alike[0, 2] < 1e-6  # of one depth, across the street
    assert alike[0, 3] == 0  # half a metre away, but on the ground


def test_the_published_depth_term_is_blind_to_depth():
    alike = published_depth_likeness(torch.tensor([[1.0, 50.0, 0.0]]))[0]
    torch.testing.assert_close(alike, torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 0]]))


def test_no_image_is_its_own_negative():
    generator = torch.Generator().manual_seed(0)
    for count in (2, 3, 16):
        for _ in range(20):
            order = others(count, generator)
            assert (order != torch.arange(count)).all() and order.min() >= 0 and order.max() < count


def test_spots_read_columns_first():
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    spots = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]])
    torch.testing.assert_close(sample(maps, spots)[0, 0], torch.tensor([0.0, 3.0, 8.0, 5.5]))
    drawn = random_spots(5, torch.Generator().manual_seed(0))
    assert drawn.shape == (5, SPOTS, 2) and drawn.abs().max() <= 1


def test_scene_points_are_back_projected():
    camera = StereoCamera(height=4, width=8, fx=10.0, fy=20.0, cx=3.5, cy=1.5, baseline=0.2)
    points = scene_points(np.array([[0.5, 0.0]], np.float32), camera, 1, 6)
    np.testing.assert_allclose(points[:, 0, 0], [(6 - 3.5) / 10 * 2, (1 - 1.5) / 20 * 2, 2], rtol=1e-6)
    np.testing.assert_allclose(points[2, 0, 1], 80)  # the sky


def slow_farthest(cloud, first, count):
    """Greedy farthest points, one image, in numpy."""
    chosen = [first]
    while len(chosen) < count:
        distances = np.linalg.norm(cloud[:, None] - cloud[chosen][None], axis=-1).min(1)
        chosen.append(int(distances.argmax()))
    return chosen


def test_farthest_spots_equal_the_greedy_rule_and_start_anywhere():
    rng = np.random.default_rng(0)
    points = torch.from_numpy(rng.normal(size=(2, 4, 12, 14)).astype(np.float32))
    points[:, 2] = points[:, 2].exp()
    spots = farthest_spots(points, torch.Generator().manual_seed(1))
    starts = set()
    for cloud, found in zip(points, spots, strict=True):
        columns, rows = ((found + 1) / 2 * torch.tensor([13, 11])).round().long().T
        index = (rows * 14 + columns).numpy()
        x, y, z, _ = cloud.flatten(1).numpy()
        assert index.tolist() == slow_farthest(np.stack([x / z, y / z, np.log(z)], 1), int(index[0]), SPOTS)
        starts.add(int(index[0]))
    assert len(starts) == 2


def test_farthest_spots_prefer_depth_that_varies_over_planes_near_or_far():
    rays = torch.stack(
        [
            torch.arange(30.0).expand(30, 30) * 0.01,
            torch.arange(30.0)[:, None].expand(30, 30) * 0.01,
            torch.ones(30, 30),
        ]
    )
    for plane, corner in ((10.0, 80.0), (80.0, 10.0)):
        depth = torch.full((30, 30), plane)
        depth[20:, 20:] = plane * (corner / plane) ** torch.rand(10, 10, generator=torch.Generator().manual_seed(0))
        far = farthest_spots((rays * depth)[None], torch.Generator().manual_seed(0))
        share = ((far[0] > 1 / 3).all(-1)).float().mean()
        assert share > 0.4  # it is a ninth of the image


@pytest.mark.parametrize("size", [(3, 4), (1, 2)])
def test_small_crops_give_spots_twice(size):
    spots = farthest_spots(torch.rand(1, 4, *size), torch.Generator().manual_seed(0))
    assert spots.shape == (1, SPOTS, 2) and spots.abs().max() <= 1
