"""Why frames are without moving objects, summed up over recordings, and what to record instead."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 0.1  # share of the empty frames from which a kind of reason brings its advice


@dataclass(frozen=True)
class Kind:
    """Reasons that ask for the same remedy."""

    marks: tuple[str, ...]  # any of these in a frame's reason
    text: str
    advice: str


KINDS = (
    Kind(("nothing moves", "one rigid motion explains"), "nothing moves", "record streets with moving cars and people at 5 Hz or more"),
    Kind(("no rigid motion", "too few valid pixels"), "no ego-motion or too little depth",
         "record in daylight with a short exposure and clean lenses, and check the calibration with `cups-train inspect`"),
    Kind(("no frame before or after",), "no neighbour in time", "record without dropped frames at 5 Hz or more"),
    Kind(("confirm", "found again"), "found in one frame only", "record at 10 Hz or more in one piece, so that an object is seen several times"),
    Kind(("rejected", "too small", "hidden"), "candidates too small, too far or too doubtful",
         "record traffic nearer than 40 m, or with more pixels or a wider baseline"),
    Kind(("border",), "objects at the border of the picture", "record a wider view of the street"))
OTHER = Kind((), "other reasons", "read `reason` in motion.json")


def sum_up(reasons: Iterable[str | None]) -> list[dict[str, Any]]:
    """[{"reason", "frames", "advice"}] of the frames without objects, commonest first; a frame with objects has the reason None."""
    counts = Counter(_kind(reason) for reason in reasons if reason)
    return [{"reason": kind.text, "frames": count, "advice": kind.advice} for kind, count in sorted(counts.items(), key=lambda c: (-c[1], c[0].text))]


def in_words(rows: Sequence[dict[str, Any]]) -> str:
    """`nothing moves in 12 frames, no neighbour in time in 3`; "" without any."""
    return ", ".join(f"{row['reason']} in {row['frames']}{' frames' if i == 0 else ''}" for i, row in enumerate(rows))


def advice(rows: Sequence[dict[str, Any]]) -> str:
    """What to record instead: the remedies of the common reasons."""
    total = sum(row["frames"] for row in rows)
    return "; ".join(row["advice"] for row in rows if row["frames"] >= LEAST * total) or KINDS[0].advice


def _kind(reason: str) -> Kind:
    return next((kind for kind in KINDS if any(mark in reason for mark in kind.marks)), OTHER)
