"""The rigid clustering, its spatial term, votes and suppression."""
from types import SimpleNamespace

import numpy as np
import pytest

from cups_train.geometry import se3
from cups_train.geometry.ground import find_ground
from cups_train.motion.cells import WINDOW, make_cells, reach_of, spatial_penalty
from cups_train.motion.cluster import candidates, cluster
from cups_train.motion.ego import estimate_ego
from cups_train.motion.ensemble import matrix_nms, patch, rigid_proposals, vote_masks
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.motion.links import components, fill_holes
from cups_train.types import SceneFlow, StereoCamera


def _box(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[rows, columns] = True
    return mask


def test_spatial_term_equals_the_search_over_the_whole_window():
    rng = np.random.default_rng(0)
    height, width, shape = 60, 110, (7, 12)
    rows = ((2 * np.arange(shape[0]) + 1) * height) // (2 * shape[0])
    columns = ((2 * np.arange(shape[1]) + 1) * width) // (2 * shape[1])
    cells = SimpleNamespace(shape=shape, rows=rows, columns=columns)
    assigned = rng.random(shape) < 0.06
    sigma = 0.055 * width
    want = np.full((height, width), np.inf)
    for v in range(height):
        for u in range(width):
            for i, j in zip(*np.nonzero(assigned), strict=True):
                if abs(i - v * shape[0] // height) <= WINDOW and abs(j - u * shape[1] // width) <= WINDOW:
                    want[v, u] = min(want[v, u], ((v - rows[i]) ** 2 + (u - columns[j]) ** 2) / sigma**2)
    assert spatial_penalty(cells, assigned, (height, width)) == pytest.approx(want, rel=1e-5)
    assert np.isinf(want).any()
    few = assigned & (np.arange(shape[1]) > 8)
    box, whole = reach_of(cells, few, (height, width)), spatial_penalty(cells, few, (height, width))
    assert np.array_equal(spatial_penalty(cells, few, (height, width), box), whole[box])
    whole[box] = np.inf
    assert np.isinf(whole).all()


def test_votes_count_matched_masks_only():
    """A large mask found once does not ride on small ones that are found in every run."""
    small, same, large = _box(slice(5, 10), slice(5, 10)), _box(slice(5, 10), slice(5, 11)), _box(slice(0, 15), slice(0, 20))
    masks, votes = vote_masks([[patch(small)], [patch(same), patch(large)], [patch(small)], []], 0.75, small.shape)
    assert len(masks) == 1 and votes.tolist() == [0.75]
    assert (masks[0] == small).all()  # found by two of three there, by one in column 10
    assert len(vote_masks([[], []], 0.5, small.shape)[0]) == 0
    assert patch(same).overlap(patch(small)) == 25 / 30 and patch(small).overlap(patch(_box(slice(10, 12), slice(5, 9)))) == 0


def test_matrix_nms_keeps_the_better_of_two_and_of_part_and_whole():
    a, b = _box(slice(2, 12), slice(2, 12)), _box(slice(2, 12), slice(3, 13))  # IoU 9 / 11
    part, other = _box(slice(3, 6), slice(4, 7)), _box(slice(14, 19), slice(20, 29))
    masks = np.stack([b, a, other, part])
    assert matrix_nms(masks, np.array([0.9, 1.0, 0.8, 0.7])) == [1, 2]
    assert matrix_nms(np.zeros((0, 4, 4), bool), np.zeros(0)) == []


def test_components_follow_links_and_not_mere_neighbourhood():
    mask = np.ones((2, 4), bool)
    right, down = np.ones((2, 3), bool), np.ones((1, 4), bool)
    right[:, 1] = False  # a step of depth between columns 1 and 2
    label, count = components(mask, (right, down))
    assert count == 2 and label[0, 0] == label[1, 1] != label[0, 2] == label[1, 3]


def test_holes_are_filled_but_bays_and_large_holes_are_not():
    ring = _box(slice(2, 12), slice(2, 12))
    ring[5:7, 5:7] = False
    assert fill_holes(ring).sum() == 100
    ring[3:11, 3:11] = False
    assert (fill_holes(ring) == ring).all()
    bay = _box(slice(0, 10), slice(0, 10))
    bay[0:3, 4:6] = False  # open to the border of the picture
    assert (fill_holes(bay) == bay).all()


def _evidence(noise: float) -> tuple[Evidence, np.ndarray]:
    """A wall at 15 m and a box at 10 m that moves 0.5 m to the right."""
    camera = StereoCamera(320, 160, 352.0, 352.0, 159.5, 70.0, 0.22)
    rng = np.random.default_rng(3)
    v, u = np.mgrid[:160, :320].astype(np.float32)
    box = np.zeros((160, 320), bool)
    box[50:110, 100:180] = True
    depth = np.where(box, 10, 15)
    disparity = (camera.depth_scale / depth).astype(np.float32)
    flow = np.zeros((160, 320, 2), np.float32)
    flow[box, 0] = 0.5 * 352 / 10
    flow += noise * rng.normal(size=flow.shape).astype(np.float32)
    ok, sigma = np.ones_like(box), np.full(box.shape, max(noise, 0.03), np.float32)
    found = SceneFlow(flow, disparity, disparity, ok, ok, ok, sigma, sigma)
    ego = estimate_ego(found, camera, rng)
    ground = find_ground(camera, disparity, ok, rng)
    return gather(found, camera, ego, ground, scales_of(found, camera, 0.1, 70, 0.2)), box


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_clustering_finds_the_box_and_its_motion(noise):
    evidence, box = _evidence(noise)
    runs = cluster(evidence, candidates(make_cells(evidence), evidence.scales.low), np.random.default_rng(0))
    assert len(runs) == 1
    middle = np.array([(140 - 159.5) / 352 * 10, (80 - 70) / 352 * 10, 10])
    assert se3.apply(runs[0][0], middle) - middle == pytest.approx([0.5, 0, 0], abs=0.05)
    proposals = rigid_proposals(evidence, runs=3, vote=0.8, rng=np.random.default_rng(0))
    assert len(proposals) == 1 and proposals[0].source == "rigid"
    both = (proposals[0].mask & box).sum() / (proposals[0].mask | box).sum()
    assert both > 0.9
