"""Which pseudo classes are things: decided once, from where classes lie with regard to moving objects."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cups_ros.colors import palette
from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import CupsError
from cups_train.pseudo_label.counts import Counts
from cups_train.pseudo_label.neighbours import likeness, pooled

LEAST_AREA = 5e-4  # share of the counted pixels below which a class is no thing class
MOST_AREA = 0.5  # share of the counted pixels that thing classes may take together


@dataclass(frozen=True)
class ClassRatio:
    """One row of the table that the decision was made from: the class's own counts, and the ratio of it and the classes like it together."""

    class_id: int
    n_in: int
    n_all: int
    n_mask: int
    n_found: int
    ratio: float  # n_in / n_all, neighbours included
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
        """All pseudo classes with their kind, names such as thing_03 and class_07, and well separated colours."""
        kinds = {row.class_id: row.isthing for row in self.table}
        colors = palette(len(kinds))
        return Classes(tuple(PseudoClass(c, f"{'thing' if kinds[c] else 'class'}_{c:02d}", kinds[c], colors[c - 1]) for c in sorted(kinds)))

    def to_json(self) -> dict[str, Any]:
        return {"things": list(self.things), "rule": self.rule, "note": self.note, "mean_ratio": round(self.mean_ratio, 6),
                "table": [row.to_json() for row in self.table]}


def find_split(counts: Counts, config: LabelConfig, centres: np.ndarray | None = None) -> Split:
    """Decide which classes are things. Never fails for want of objects: then nothing is a thing, and the note says so.

    A class is a thing where the share of its pixels inside moving objects is more than `psi` times that of all pixels
    (lift), and enough objects hold it; with `centres` (K, C), what the classes look like, those that look alike are counted
    together, each with its weight. Against CUPS's share of the sum of ratios over classes, this depends neither on K nor
    on rare classes. Where no class passes, the largest gap between the ratios decides, then the best class alone.
    """
    k = len(counts.n_all) - 1
    n_in, n_all = counts.n_in[1:].astype(np.float64), counts.n_all[1:].astype(np.float64)
    if config.compat == "reference" and not config.things:
        return _published(counts, n_in / (n_all + 1e-6), config)
    alike = counts if centres is None or not config.neighbours else pooled(counts, likeness(centres, config.neighbours))
    ratio = alike.n_in[1:] / np.maximum(alike.n_all[1:], 1)
    mean, least = float(n_in.sum() / max(n_all.sum(), 1)), LEAST_AREA * n_all.sum()
    supported = (alike.n_found[1:] >= _fewest(config.min_instances, counts.instances)) & (alike.n_all[1:] >= least) & (alike.n_in[1:] > 0)
    if config.things:
        if max(config.things) > k or min(config.things) < 1:
            raise CupsError(f"expected class ids of 1 to {k} in labels.things, found {sorted(config.things)}")
        return _split(counts, ratio, mean, supported, (np.isin(np.arange(1, k + 1), config.things), "given", None))
    chosen, rule, note = _by_lift(ratio, mean, supported, config.psi)
    chosen, too_many = _within_area(chosen, ratio, n_all)
    notes = "; ".join(n for n in (note, too_many) if n)
    return _split(counts, ratio, mean, supported, (chosen, rule, notes or None))


def _fewest(min_instances: int, instances: int) -> int:
    """Objects that must hold a class: in short recordings fewer than asked for, one in fifty but at least two."""
    return min(min_instances, max(2, -(-instances // 50)))


def _by_lift(ratio: np.ndarray, mean: float, supported: np.ndarray, psi: float) -> tuple[np.ndarray, str, str | None]:
    chosen = supported & (ratio > psi * mean)
    if chosen.any():
        return chosen, "lift", None
    candidates = supported & (ratio > mean)
    if not candidates.any():
        return candidates, "none", "no class lies in moving objects more than elsewhere, so nothing is a thing"
    passed = f"no class lies in moving objects {psi:g} times as much as all pixels do"
    gap = _upper_group(ratio, supported) & candidates
    if gap.any() and np.count_nonzero(gap) < np.count_nonzero(supported):
        return gap, "gap", f"{passed}: the {np.count_nonzero(gap)} above the largest gap were taken"
    best = np.zeros_like(candidates)
    best[np.argmax(np.where(candidates, ratio, -1.0))] = True
    return best, "best", f"{passed}: the one with the largest ratio was taken"


def _upper_group(ratio: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """Otsu's two groups of log ratio among the supported classes: the upper one."""
    values = np.sort(np.log(ratio[supported]))
    if len(values) < 2:
        return np.zeros_like(supported)
    cuts = np.arange(1, len(values))
    below, above = np.cumsum(values)[:-1] / cuts, (values.sum() - np.cumsum(values)[:-1]) / (len(values) - cuts)
    best = int(np.argmax(cuts * (len(values) - cuts) * (above - below) ** 2))
    with np.errstate(divide="ignore"):
        upper: np.ndarray = supported & (np.log(ratio) >= values[best + 1])
    return upper


def _within_area(chosen: np.ndarray, ratio: np.ndarray, n_all: np.ndarray) -> tuple[np.ndarray, str | None]:
    """Thing classes by falling ratio until they fill half of the picture: everything a thing is no split."""
    order = np.argsort(-ratio, kind="stable")
    order = order[chosen[order]]
    fits = np.cumsum(n_all[order]) <= MOST_AREA * n_all.sum()
    if len(order) < 2 or fits.all():
        return chosen, None
    kept = np.zeros_like(chosen)
    kept[order[:max(1, int(np.count_nonzero(fits)))]] = True
    return kept, (f"thing classes would fill more than {MOST_AREA:.0%} of the picture: "
                  f"of {len(order)} the {np.count_nonzero(kept)} with the largest ratios were taken")


def _published(counts: Counts, ratio: np.ndarray, config: LabelConfig) -> Split:
    """CUPS: the classes whose share of the sum of all ratios is above psi / K (0.08 at K = 27), counted from the top."""
    total, k = float(ratio.sum()), len(ratio)
    chosen = ratio / total > config.psi / k if total > 0 else np.zeros(k, bool)
    note = None if chosen.any() and not chosen.all() else "the published rule found every class or none to be a thing"
    return _split(counts, ratio, total / k, counts.n_all[1:] > 0, (chosen, "published", note))


def _split(counts: Counts, ratio: np.ndarray, mean: float, supported: np.ndarray, decision: tuple[np.ndarray, str, str | None]) -> Split:
    chosen, rule, note = decision
    n_in, n_all, n_mask, n_found = (n[1:].tolist() for n in (counts.n_in, counts.n_all, counts.n_mask, counts.n_found))
    rows = [ClassRatio(i + 1, n_in[i], n_all[i], n_mask[i], n_found[i], float(ratio[i]), float(ratio[i] / mean) if mean > 0 else 0.0,
                       bool(supported[i]), bool(chosen[i])) for i in np.argsort(-ratio, kind="stable").tolist()]
    things = tuple(int(i) + 1 for i in np.flatnonzero(chosen))
    return Split(things, rule, note, mean, tuple(rows))
