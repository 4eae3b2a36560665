"""Guesses of names from evidence written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.pseudo_label.guess_names import Mover, guess_mover, guess_stuff, named
from cups_train.pseudo_label.places import EDGES, Places

N = 10_000


def places(*rows: tuple[float, float, float, float, dict[float, float]]) -> Places:
    """Shares of N pixels: over the horizon, finite, in lane, even; and of heights [m], by height."""
    heights = np.zeros((len(rows), len(EDGES) + 1), np.int64)
    for i, row in enumerate(rows):
        for height, share in row[4].items():
            heights[i, np.searchsorted(EDGES, height, side="right")] = round(N * share)
    over, finite, lane, even = (np.array([round(N * row[j]) for row in rows], np.int64) for j in range(4))
    return Places(np.full(len(rows), N, np.int64), over, finite, lane, even, heights)


ROAD = (0.0, 0.9, 0.3, 0.7, {0.0: 0.8, 0.1: 0.05, 0.6: 0.02})
SIDEWALK = (0.0, 0.9, 0.0, 0.6, {0.0: 0.4, 0.15: 0.4})
SKY = (1.0, 0.15, 0.0, 0.0, {})
FACADE = (0.9, 0.75, 0.0, 0.3, {0.7: 0.05, 1.2: 0.1, 2.2: 0.1, 3.5: 0.15, 5.0: 0.1})
CROWN = (0.95, 0.8, 0.0, 0.4, {2.2: 0.02, 3.5: 0.4, 5.0: 0.2})
POLE = (0.8, 0.7, 0.0, 0.05, {0.7: 0.1, 1.2: 0.1, 2.2: 0.1, 3.5: 0.2, 5.0: 0.1})


def test_road_sky_and_facades_are_told_and_nothing_else() -> None:
    assert guess_stuff(places(ROAD, SIDEWALK, SKY, FACADE, CROWN, POLE)) == {1: "road?", 3: "sky?", 4: "building?"}


def test_a_small_class_without_matches_is_no_second_sky() -> None:
    """What lies at the picture's edge is not in the right image, so that it seems infinitely far."""
    found = places(SKY, SKY, SKY)
    for sums in (found.pixels, found.over_horizon, found.finite):
        sums[:] = sums * [20, 1, 5]
    assert guess_stuff(found) == {1: "sky?", 3: "sky?"}


def test_without_a_ground_or_with_few_pixels_nothing_is_told() -> None:
    assert guess_stuff(Places.nothing(4)) == {}
    few = places(SKY)
    assert (
        guess_stuff(Places(few.pixels // 100, few.over_horizon // 100, few.finite, few.in_lane, few.even, few.heights))
        == {}
    )


@pytest.mark.parametrize(
    ("width", "height", "speed", "name"),
    [
        (0.6, 1.7, 1.3, "person?"),
        (1.7, 1.75, 5.0, "two-wheeler?"),
        (0.6, 1.75, 5.0, "two-wheeler?"),
        (1.8, 1.5, 10.0, "car?"),
        (4.3, 1.5, 10.0, "car?"),
        (4.95, 2.38, 6.0, "large vehicle?"),
        (2.5, 3.2, 8.0, "large vehicle?"),
        (11.0, 3.1, 8.0, "large vehicle?"),
        (0.2, 0.3, 1.0, None),
        (0.5, 3.0, 1.0, None),
    ],
)
def test_movers_are_told_by_size_and_speed(width: float, height: float, speed: float, name: str | None) -> None:
    assert guess_mover(Mover(20, width, height, speed)) == name
    assert guess_mover(Mover(2, width, height, speed)) is None


def test_guesses_are_unique_names() -> None:
    classes = Classes(tuple(PseudoClass(i, f"class_{i:02d}", False, (i, i, i)) for i in range(1, 5)))
    assert [c.name for c in named(classes, {1: "building?", 3: "building?", 4: "sky?"})] == [
        "building?",
        "class_02",
        "building? 2",
        "sky?",
    ]


def test_clusters_sum_to_their_classes() -> None:
    found = places(ROAD, SKY, ROAD).joined((2, 1, 2), 2)
    assert found.pixels.tolist() == [N, 2 * N] and guess_stuff(found) == {1: "sky?", 2: "road?"}
