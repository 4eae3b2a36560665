import numpy as np

from cups_train.pseudo_label.sameness.evidence import (
    BINS,
    GAPS,
    RUN,
    SeenFrame,
    camera_moves,
    choose_runs,
    collect_evidence,
    gather,
)
from cups_train.pseudo_label.sameness.transitions import Step


def still(now: np.ndarray, after: np.ndarray) -> Step:
    return Step(np.zeros((*now.shape[:2], 2), np.float32), np.ones(now.shape[:2], bool))


def view(cluster: int, moving: bool = False, height: float = np.nan) -> SeenFrame:
    shape = (24, 32)
    return SeenFrame(
        np.zeros((*shape, 3), np.uint8),
        np.full(shape, cluster, np.uint8),
        np.full(shape, moving),
        np.full(shape, height, np.float32),
    )


def test_runs_end_where_frames_do_not_follow_and_are_spread_evenly() -> None:
    assert choose_runs([[True, False, True, False, False], [True] * (RUN + 1) + [False]]) == [
        (0, 0, 2),
        (0, 2, 2),
        (1, 0, RUN),
        (1, RUN, 2),
    ]
    assert choose_runs([[True] * (2 * RUN - 1) + [False]] * 3, 2) == [(0, 0, RUN), (2, RUN, RUN)]
    assert choose_runs([]) == []


def test_a_point_counts_for_every_gap_by_its_clusters_at_both_ends() -> None:
    found = gather([view(1), view(1), view(2)], 3, still)
    pixels = 24 * 32
    assert found.sure[GAPS.index(1)].tolist() == [[pixels, pixels, 0], [0, 0, 0], [0, 0, 0]]
    assert found.sure[GAPS.index(2)].tolist() == [[0, pixels, 0], [0, 0, 0], [0, 0, 0]]
    assert not found.sure[GAPS.index(4)].any()
    assert found.pixels.tolist() == [2 * pixels, pixels, 0]


def test_moving_objects_and_borders_say_nothing() -> None:
    assert not gather([view(1, moving=True), view(1)], 1, still).all.any()
    halves = np.ones((24, 32), np.uint8)
    halves[:, 16:] = 2
    found = gather([SeenFrame(view(1).image, halves, view(1).moving, view(1).height)] * 2, 2, still)
    assert found.all[0].tolist() == [[24 * 16, 0], [0, 24 * 16]]
    assert found.sure[0].tolist() == [[24 * 13, 0], [0, 24 * 13]]


def test_heights_are_counted_where_they_are_known() -> None:
    found = gather([view(2, height=0.09), view(1)], 2, still)
    assert found.heights.sum(axis=1).tolist() == [0, 24 * 32]
    place = int(found.heights[1].argmax())
    assert BINS[place - 1] <= 0.09 < BINS[place]


def test_runs_add_up() -> None:
    runs = [[view(1), view(2)], [view(2), view(2)]]
    total = collect_evidence(runs, 2, still)
    assert total.sure[0].tolist() == [[0, 24 * 32], [0, 24 * 32]]
    assert total.clusters == 2


def test_flow_is_found_where_none_is_given() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 96, 3), np.uint8)
    picture = np.repeat(np.repeat(noise[:12, :24], 4, axis=0), 4, axis=1)
    views = [
        SeenFrame(picture, np.ones((48, 96), np.uint8), np.zeros((48, 96), bool), np.full((48, 96), np.nan, np.float32))
    ] * 2
    assert gather(views, 1).all[0, 0, 0] > 0.9 * 48 * 96


def test_a_camera_moves_where_half_of_the_points_do() -> None:
    still = Step(np.zeros((8, 8, 2), np.float32), np.ones((8, 8), bool))
    passing = Step(np.where(np.arange(8)[:, None, None] < 3, 9, 0) * np.ones((8, 8, 2), np.float32), still.ok)
    driving = Step(np.full((8, 8, 2), 0.6, np.float32), still.ok)
    unsure = Step(driving.flow, np.zeros((8, 8), bool))
    assert not camera_moves([still, passing, unsure]) and camera_moves([still, driving])
