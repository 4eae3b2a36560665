"""Why frames are without moving objects, summed up over recordings, and what to record instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cups_train.types import Reason

LEAST = 0.1  # share of the empty frames from which a remedy is given as advice


@dataclass(frozen=True)
class Remedy:
    """Several reasons may ask for the same one."""

    text: str  # the reasons in a few words
    advice: str


NOTHING_MOVES = Remedy("nothing moves", "record streets with moving cars and people at 5 Hz or more")
NO_DEPTH = Remedy(
    "no ego-motion or too little depth",
    "record in daylight with a short exposure and clean lenses, and check the calibration with `cups-train inspect`",
)
NO_NEIGHBOUR = Remedy("no neighbour in time", "record without dropped frames at 5 Hz or more")
SEEN_ONCE = Remedy(
    "found in one frame only", "record at 10 Hz or more in one piece, so that an object is seen several times"
)
DOUBTFUL = Remedy(
    "candidates too small, too far or too doubtful",
    "record traffic nearer than 40 m, or with more pixels or a wider baseline",
)
AT_BORDER = Remedy("objects at the border of the picture", "record a wider view of the street")
NOT_GIVEN = Remedy(
    "no flow among the given files",
    "give KEY_flow.png, KEY_disp.png and KEY_disp_next.png for more frames, or leave --given out",
)
NOT_LABELLED = Remedy(
    "no object in the published labels", "look at the published labels: they have objects in few frames"
)
OTHER = Remedy("other reasons", "read `reason` in motion.json")

REMEDIES = {
    Reason.NOTHING_MOVES: NOTHING_MOVES,
    Reason.NO_CAMERA_MOTION: NO_DEPTH,
    Reason.TOO_LITTLE_DEPTH: NO_DEPTH,
    Reason.NO_NEIGHBOUR: NO_NEIGHBOUR,
    Reason.NOT_FOUND_AGAIN: SEEN_ONCE,
    Reason.REFUTED: SEEN_ONCE,
    Reason.UNCONFIRMED: SEEN_ONCE,
    Reason.REJECTED: DOUBTFUL,
    Reason.HIDDEN: DOUBTFUL,
    Reason.TOO_SMALL: DOUBTFUL,
    Reason.AT_BORDER: AT_BORDER,
    Reason.NOT_GIVEN: NOT_GIVEN,
    Reason.NOT_LABELLED: NOT_LABELLED,
    Reason.UNKNOWN: OTHER,
}


def sum_up(reasons: Mapping[Reason, int]) -> list[dict[str, Any]]:
    """[{"reason", "frames", "advice"}] from the number of frames without objects for each reason, commonest first."""
    counts: Counter[Remedy] = Counter()
    for reason, frames in reasons.items():
        counts[REMEDIES[reason]] += frames
    return [
        {"reason": remedy.text, "frames": count, "advice": remedy.advice}
        for remedy, count in sorted(counts.items(), key=lambda c: (-c[1], c[0].text))
    ]


def in_words(rows: Sequence[dict[str, Any]]) -> str:
    """`nothing moves in 12 frames, no neighbour in time in 3`; "" without any."""
    return ", ".join(f"{row['reason']} in {row['frames']}{' frames' if i == 0 else ''}" for i, row in enumerate(rows))


def advice(rows: Sequence[dict[str, Any]]) -> str:
    """What to record instead: the remedies of the common reasons."""
    total = sum(row["frames"] for row in rows)
    return "; ".join(row["advice"] for row in rows if row["frames"] >= LEAST * total) or NOTHING_MOVES.advice
