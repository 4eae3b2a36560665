"""Names that geometry and motion propose for classes. They are guesses, "road?", until a person gives names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cups_ros.types import Classes
from cups_train.pseudo_label.kinds import Kinds, Objects
from cups_train.pseudo_label.places import EDGES, Places

LEAST = 1000  # pixels, and pixels of known height, that a guess rests on
# of what the camera is about to drive on: more than shadows and marks under parked cars, few enough for two road
# surfaces
LANE_SHARE = 0.15
FLAT = 0.8  # share of the heights of ground within 0.25 m: what is farther off is noise of stereo
# the sky has no pixel under the horizon; a few of its pixels are matched wrongly with roofs and clouds
OVER_HORIZON, FINITE = 0.95, 0.35
SKY_SHARE = 0.1  # of the largest sky: at the picture's edge, walls and trees have no match either
# m: a facade stands on the ground and rises over people and cars; crowns, lamps and signs hang high
LOW, HIGH, TALL = (0.5, 2.5), 3.0, 0.25
EVEN = 0.35  # share of a facade's pixels on planes: trunks and poles are round or thin, fences are seen through
FEWEST = 5  # objects of a kind


@dataclass(frozen=True)
class Mover:
    """A kind of moving objects, by its medians."""

    objects: int
    width: float  # m, across the line of sight
    height: float  # m
    speed: float  # m/s


def named(classes: Classes, guesses: Mapping[int, str]) -> Classes:
    """The classes with guessed names, by id; a guess of several classes is numbered from the second on."""
    seen: Counter[str] = Counter()
    items = []
    for c in classes:
        if guess := guesses.get(c.id):
            seen[guess] += 1
            c = replace(c, name=guess if seen[guess] == 1 else f"{guess} {seen[guess]}")
        items.append(c)
    return Classes(tuple(items))


def guess_stuff(places: Places) -> dict[int, str]:
    """Guesses by class id 1.. of still pixels, in the order of `places`; classes that nothing tells are left out."""
    guesses = {}
    lane = places.in_lane / max(int(places.in_lane.sum()), 1)
    measured = places.heights.sum(axis=1)
    far = (places.over_horizon >= OVER_HORIZON * places.pixels) & (places.finite <= FINITE * places.pixels)
    least_sky = SKY_SHARE * int(places.pixels[far].max(initial=0))
    for i in np.flatnonzero(places.pixels >= LEAST).tolist():
        heights = places.heights[i] / max(int(measured[i]), 1)
        if far[i] and places.pixels[i] >= least_sky:
            guesses[i + 1] = "sky?"
        elif measured[i] < LEAST:
            continue
        elif lane[i] >= LANE_SHARE and _share(heights, -0.25, 0.25) >= FLAT:
            guesses[i + 1] = "road?"
        elif (
            _share(heights, *LOW) >= TALL / 2
            and _share(heights, HIGH, np.inf) >= TALL
            and places.even[i] >= EVEN * measured[i]
        ):
            guesses[i + 1] = "building?"
    return guesses


def guess_movers(kinds: Kinds | None, objects: Objects) -> dict[int, str]:
    """Guesses by class id of the kinds of moving objects."""
    if kinds is None:
        return {}
    class_of, guesses = kinds.classes_of(objects), {}
    for i in np.unique(class_of).tolist():
        width, height, _, _, speed = np.exp(np.median(objects.sizes[class_of == i], axis=0)).tolist()
        if guess := guess_mover(Mover(int(np.count_nonzero(class_of == i)), width, height, speed)):
            guesses[i] = guess
    return guesses


def guess_mover(mover: Mover) -> str | None:
    """A guess from size in metres and speed; None where nothing in a street is plainly of this size."""
    if mover.objects < FEWEST:
        return None
    # vans end at 2.4 m, of which the middle 94 % are measured, cars at 5.5 m
    if mover.height > 2.25 or mover.width > 6.0:
        return "large vehicle?" if mover.width > 1.6 and mover.height > 1.6 else None
    # bicycles are 1.9 m long and carry a rider of 1.7 m
    if mover.width > 2.6 or (mover.width > 1.4 and mover.height <= mover.width):
        return "car?" if mover.height > 1.0 else None
    if not 0.9 < mover.height < 2.2:  # children to tall riders
        return None
    # people walk at 1.4 m/s and jog at 2.8
    return "two-wheeler?" if mover.speed > 2.8 else "person?" if mover.width < 1.3 else None


def _share(heights: np.ndarray, low: float, high: float) -> float:
    """Of (len(EDGES) + 1,) shares by height, those from `low` to `high`, which are edges or infinite."""
    return float(
        heights[np.searchsorted(EDGES, low, side="right") : np.searchsorted(EDGES, high, side="left") + 1].sum()
    )
