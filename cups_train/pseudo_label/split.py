"""Which pseudo classes are things: decided once, from where classes lie with regard to moving objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cups_ros.colors import palette
from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.likeness import likeness, pooled
from cups_train.pseudo_label.motion_counts import MotionCounts
from cups_train.published import split as published

LEAST_AREA = 5e-4  # share of the counted pixels below which a class is no thing class
MOST_AREA = 0.5  # share of the counted pixels that thing classes may take together


@dataclass(frozen=True)
class ClassRatio:
    """One row of the table that the decision was made from: the class's own counts, and the ratio of it and the classes
    like it together."""

    class_id: int
    n_in: int
    n_all: int
    n_mask: int
    n_found: int
    ratio: float  # n_in / n_all, those that look like it included
    lift: float  # ratio over the ratio of all pixels (published rule: over the mean ratio of the classes)
    supported: bool
    isthing: bool

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "ratio": round(self.ratio, 6), "lift": round(self.lift, 4)}


@dataclass(frozen=True)
class Split:
    """The thing classes, how they were found, and from what."""

    things: tuple[int, ...]  # ids, ascending
    rule: str  # "lift" | "gap" | "best" | "given" | "published" | "none"
    note: str | None  # what is unusual, for a person
    mean_ratio: float  # share of the counted pixels inside moving objects
    table: tuple[ClassRatio, ...]  # by falling ratio

    def classes(self) -> Classes:
        """All pseudo classes with names such as thing_03 and class_07, and well separated colours."""
        isthing = {row.class_id: row.isthing for row in self.table}
        colors = palette(len(isthing))
        return Classes(
            tuple(
                PseudoClass(c, f"{'thing' if isthing[c] else 'class'}_{c:02d}", isthing[c], colors[c - 1])
                for c in sorted(isthing)
            )
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "things": list(self.things),
            "rule": self.rule,
            "note": self.note,
            "mean_ratio": round(self.mean_ratio, 6),
            "table": [row.to_json() for row in self.table],
        }


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is decided from."""

    counts: MotionCounts  # the classes' own
    ratio: np.ndarray  # (K,) share of a class inside moving objects
    mean: float  # what a ratio is compared with
    supported: np.ndarray  # (K,) bool: seen often enough to be a thing


@dataclass(frozen=True, eq=False)
class Decision:
    """Which classes were chosen, by which rule, and what is unusual about it."""

    chosen: np.ndarray  # (K,) bool
    rule: str
    note: str | None = None


def find_split(counts: MotionCounts, config: LabelConfig, centres: np.ndarray | None = None) -> Split:
    """Decide which classes are things. Never fails for want of objects: then nothing is a thing, and the note says so.

    A class is a thing where the share of its pixels inside moving objects is more than `psi` times that of all pixels
    (lift), and enough objects hold it; with `centres` (K, C), what the classes look like, those that look alike are
    counted together, each with its weight. Against CUPS's share of the sum of ratios over classes, this depends neither
    on K nor on rare classes. Where no class passes, the largest gap between the ratios decides, then the best class
    alone.
    """
    if config.things:
        return _split(
            _evidence(counts, config, centres), Decision(_given(config.things, len(counts.n_all) - 1), "given")
        )
    if config.split == "published":
        return _by_published_rule(counts, config.psi)
    evidence = _evidence(counts, config, centres)
    decision = _by_lift(evidence, config.psi)
    chosen, too_many = _within_area(decision.chosen, evidence)
    return _split(
        evidence, replace(decision, chosen=chosen, note="; ".join(n for n in (decision.note, too_many) if n) or None)
    )


def _evidence(counts: MotionCounts, config: LabelConfig, centres: np.ndarray | None) -> Evidence:
    alike = counts if centres is None or not config.likeness else pooled(counts, likeness(centres, config.likeness))
    ratio = alike.n_in[1:] / np.maximum(alike.n_all[1:], 1)
    total = counts.n_all[1:].astype(np.float64).sum()
    enough = (alike.n_found[1:] >= _fewest(config.min_instances, counts.instances)) & (
        alike.n_all[1:] >= LEAST_AREA * total
    )
    mean = float(counts.n_in[1:].astype(np.float64).sum() / max(total, 1))
    return Evidence(counts, ratio, mean, enough & (alike.n_in[1:] > 0))


def _given(things: tuple[int, ...], k: int) -> np.ndarray:
    """(K,) bool. Raises CupsError where there is no such class."""
    if max(things) > k or min(things) < 1:
        raise CupsError(f"expected class ids of 1 to {k} in labels.things, found {sorted(things)}")
    return np.isin(np.arange(1, k + 1), things)


def _fewest(min_instances: int, instances: int) -> int:
    """Objects that must hold a class: in short recordings fewer than asked for, one in fifty but at least two."""
    return min(min_instances, max(2, -(-instances // 50)))


def _by_lift(evidence: Evidence, psi: float) -> Decision:
    ratio, mean, supported = evidence.ratio, evidence.mean, evidence.supported
    chosen = supported & (ratio > psi * mean)
    if chosen.any():
        return Decision(chosen, "lift")
    candidates = supported & (ratio > mean)
    if not candidates.any():
        return Decision(
            candidates, "none", "no class lies in moving objects more than elsewhere, so nothing is a thing"
        )
    passed = f"no class lies in moving objects {psi:g} times as much as all pixels do"
    gap = _upper_group(ratio, supported) & candidates
    if gap.any() and np.count_nonzero(gap) < np.count_nonzero(supported):
        return Decision(gap, "gap", f"{passed}: the {np.count_nonzero(gap)} above the largest gap were taken")
    best = np.zeros_like(candidates)
    best[np.argmax(np.where(candidates, ratio, -1.0))] = True
    return Decision(best, "best", f"{passed}: the one with the largest ratio was taken")


def _upper_group(ratio: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """Otsu's two groups of log ratio (K,) among the supported classes (K,) bool: the upper one, (K,) bool."""
    values = np.sort(np.log(ratio[supported]))
    if len(values) < 2:
        return np.zeros_like(supported)
    cuts = np.arange(1, len(values))
    below, above = np.cumsum(values)[:-1] / cuts, (values.sum() - np.cumsum(values)[:-1]) / (len(values) - cuts)
    best = int(np.argmax(cuts * (len(values) - cuts) * (above - below) ** 2))
    with np.errstate(divide="ignore"):
        upper: np.ndarray = supported & (np.log(ratio) >= values[best + 1])
    return upper


def _within_area(chosen: np.ndarray, evidence: Evidence) -> tuple[np.ndarray, str | None]:
    """Of the chosen classes (K,) bool, by falling ratio, those that fill half of the picture, and a note: everything a
    thing is no split."""
    n_all = evidence.counts.n_all[1:].astype(np.float64)
    order = np.argsort(-evidence.ratio, kind="stable")
    order = order[chosen[order]]
    fits = np.cumsum(n_all[order]) <= MOST_AREA * n_all.sum()
    if len(order) < 2 or fits.all():
        return chosen, None
    kept = np.zeros_like(chosen)
    kept[order[: max(1, int(np.count_nonzero(fits)))]] = True
    return kept, (
        f"thing classes would fill more than {MOST_AREA:.0%} of the picture: "
        f"of {len(order)} the {np.count_nonzero(kept)} with the largest ratios were taken"
    )


def _by_published_rule(counts: MotionCounts, psi: float) -> Split:
    ratio = published.ratios(counts.n_in[1:].astype(np.float64), counts.n_all[1:].astype(np.float64))
    chosen = published.are_things(ratio, psi)
    note = None if chosen.any() and not chosen.all() else "the published rule found every class or none to be a thing"
    return _split(
        Evidence(counts, ratio, float(ratio.sum()) / len(ratio), counts.n_all[1:] > 0),
        Decision(chosen, "published", note),
    )


def _split(evidence: Evidence, decision: Decision) -> Split:
    counts, ratio, mean = evidence.counts, evidence.ratio, evidence.mean
    n_in, n_all, n_mask, n_found = (n[1:].tolist() for n in (counts.n_in, counts.n_all, counts.n_mask, counts.n_found))
    rows = [
        ClassRatio(
            i + 1,
            n_in[i],
            n_all[i],
            n_mask[i],
            n_found[i],
            float(ratio[i]),
            float(ratio[i] / mean) if mean > 0 else 0.0,
            bool(evidence.supported[i]),
            bool(decision.chosen[i]),
        )
        for i in np.argsort(-ratio, kind="stable").tolist()
    ]
    things = tuple(int(i) + 1 for i in np.flatnonzero(decision.chosen))
    return Split(things, decision.rule, decision.note, mean, tuple(rows))
