"""Evidence of sameness and against it, summed over a sample of frames that does not grow with the recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from cups_train.flow.dis import optical_flow
from cups_train.picks import evenly_spaced
from cups_train.pseudo_label.sameness.transitions import Step, away_from_borders, chain, count_transitions, kept_share

GAPS = (1, 2, 4, 8)  # frames between the two looks at a point
TOLD = (1, 4, 8)  # of the gaps: over these it is told how steady classes are
RUN = GAPS[-1] + 1  # frames in a row that are looked at together
RUNS = 24  # of all recordings together
SEEN_TO_MOVE = 0.5  # px from one frame to the next
MARGIN = 4  # px around moving objects that are left out
# m over the ground
BINS = np.concatenate([[-1.0, -0.5], np.arange(-0.3, 0.61, 0.02), [0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 9.0]])

Match = Callable[[np.ndarray, np.ndarray], Step]


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """What is known of one frame."""

    image: np.ndarray  # (H, W, 3) uint8 RGB
    clusters: np.ndarray  # (H, W) uint8, 1..K
    moving: np.ndarray  # (H, W) bool
    height: np.ndarray  # (H, W) float32 m over the ground; NaN where it is unknown or uncertain by half a kerb


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums over frames, by cluster 0..K-1."""

    # (len(GAPS), K, K) int64: still points of a that are of b GAPS[g] frames later, away from borders of clusters at
    # both ends
    sure: np.ndarray
    all: np.ndarray  # (len(GAPS), K, K) int64: the same wherever the points lie
    heights: np.ndarray  # (K, len(BINS) + 1) int64: still pixels by height over the ground
    measured: np.ndarray  # (K,) int64: still pixels of frames in which heights were measured
    pixels: np.ndarray  # (K,) int64
    passed: np.ndarray  # (K,) int64: those of runs in which the camera moved

    @classmethod
    def nothing(cls, k: int) -> Evidence:
        pairs, none = np.zeros((len(GAPS), k, k), np.int64), np.zeros(k, np.int64)
        return cls(pairs, pairs, np.zeros((k, len(BINS) + 1), np.int64), none, none, none)

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.sure + other.sure,
            self.all + other.all,
            self.heights + other.heights,
            self.measured + other.measured,
            self.pixels + other.pixels,
            self.passed + other.passed,
        )

    @property
    def clusters(self) -> int:
        """K."""
        return len(self.pixels)


class FrameRun(NamedTuple):
    """Successive frames of a recording."""

    recording: int
    first: int
    frames: int


def choose_runs(follows: Sequence[Sequence[bool]], most: int = RUNS) -> list[FrameRun]:
    """At most `most` runs of successive frames, evenly over all recordings.

    follows: for every recording, whether the next frame is a frame's successor.
    """
    every = []
    for number, links in enumerate(follows):
        start = 0
        for i, link in enumerate(links):
            if not link or i + 1 - start == RUN or i + 1 == len(links):
                every.append(FrameRun(number, start, i + 1 - start))
                start = i + 1
    every = [run for run in every if run.frames > 1] or every  # a single frame shows no transition
    return [every[i] for i in evenly_spaced(len(every), most)]


def collect_evidence(runs: Iterable[Sequence[SeenFrame]], k: int, match: Match | None = None) -> Evidence:
    """The evidence of all runs of successive frames; one run is held at a time."""
    total = Evidence.nothing(k)
    for views in runs:
        total += gather(views, k, match)
    return total


def gather(views: Sequence[SeenFrame], k: int, match: Match | None = None) -> Evidence:
    """The evidence of successive frames. match: flow from one image to the next and where it is sure; DIS, both ways,
    without one."""
    matcher = match or _matched
    steps = [matcher(now.image, after.image) for now, after in zip(views, views[1:], strict=False)]
    still = [np.where(_apart(view.moving), view.clusters, 0).astype(np.uint8) for view in views]
    inner = [
        np.where(away_from_borders(view.clusters), ids, 0).astype(np.uint8)
        for view, ids in zip(views, still, strict=True)
    ]
    both = np.zeros((2, len(GAPS), k, k), np.int64)
    for g, gap in enumerate(GAPS):
        for i in range(0, len(views) - gap, max(1, gap // 2)):
            way = chain(steps[i : i + gap])
            both[0, g] += count_transitions(inner[i], inner[i + gap], way, k)
            both[1, g] += count_transitions(still[i], still[i + gap], way, k)
    heights = sum(
        (_heights(view.height, ids, k) for view, ids in zip(views, still, strict=True)),
        np.zeros((k, len(BINS) + 1), np.int64),
    )
    measured = sum(
        (
            np.bincount(ids.ravel(), minlength=k + 1)[1 : k + 1]
            for view, ids in zip(views, still, strict=True)
            if np.isfinite(view.height).any()
        ),
        np.zeros(k, np.int64),
    )
    pixels = sum(
        (np.bincount(view.clusters.ravel(), minlength=k + 1)[1 : k + 1] for view in views), np.zeros(k, np.int64)
    )
    passed = pixels if camera_moves(steps) else np.zeros_like(pixels)
    return Evidence(both[0], both[1], heights, measured, pixels, passed)


def camera_moves(steps: Sequence[Step]) -> bool:
    """Whether half of the points that are tracked from one frame to the next are seen to move, in any of the steps."""
    return any(
        step.ok.any() and float(np.median(np.linalg.norm(step.flow[step.ok], axis=-1))) > SEEN_TO_MOVE for step in steps
    )


def steadiness(evidence: Evidence, class_of: np.ndarray) -> list[dict[str, Any]]:
    """Shares of tracked points that keep their cluster (before joining) and their class (after), by frames; class_of:
    (K,) of clusters."""
    return [
        {
            "frames": gap,
            "before": kept_share(counts, np.arange(evidence.clusters)),
            "after": kept_share(counts, class_of),
        }
        for gap, counts in zip(GAPS, evidence.all, strict=True)
        if gap in TOLD and counts.any()
    ]


def _matched(now: np.ndarray, after: np.ndarray) -> Step:
    return Step(*optical_flow(now, after))


def _apart(moving: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.dilate(moving.astype(np.uint8), np.ones((2 * MARGIN + 1, 2 * MARGIN + 1), np.uint8)) == 0)


def _heights(height: np.ndarray, ids: np.ndarray, k: int) -> np.ndarray:
    known = np.isfinite(height) & (ids > 0)
    pairs = (ids[known].astype(np.int64) - 1) * (len(BINS) + 1) + np.searchsorted(BINS, height[known], side="right")
    return np.bincount(pairs, minlength=k * (len(BINS) + 1)).reshape(k, len(BINS) + 1)
