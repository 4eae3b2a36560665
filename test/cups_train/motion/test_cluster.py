"""The rigid clustering of a box before a wall."""

import numpy as np
import pytest

from cups_train.geometry import se3
from cups_train.geometry.ground import find_ground
from cups_train.motion.cells import make_cells
from cups_train.motion.cluster import candidates, cluster
from cups_train.motion.ego import estimate_ego
from cups_train.motion.ensemble import rigid_proposals
from cups_train.motion.evidence import Evidence, gather, scales_of
from cups_train.types import SceneFlow, StereoCamera


def _evidence(noise: float) -> tuple[Evidence, np.ndarray]:
    """A wall at 15 m and a box at 10 m that moves 0.5 m to the right."""
    camera = StereoCamera(160, 320, 352.0, 352.0, 159.5, 70.0, 0.22)
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
