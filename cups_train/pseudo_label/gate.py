"""Whether finished labels are worth training on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cups_train.config import LabelConfig
from cups_train.errors import GateError
from cups_train.files import read_json
from cups_train.folders.labels import read_labels
from cups_train.folders.layout import LABELS, STATISTICS
from cups_train.pseudo_label.reasons import advice, in_words

ALIVE = 0.005  # share of the pixels from which a class counts as used
FEWEST_ALIVE = 5


def gate(statistics: dict[str, Any], config: LabelConfig) -> None:
    """Judge all recordings together. Raises GateError with what was expected, what was found, and what mends it."""
    frames, moving, reasons = statistics["frames"], statistics["frames_with_objects"], statistics.get("reasons", [])
    if frames == 0 or moving < config.min_moving_frames * frames:
        raise GateError(
            f"expected moving objects in at least {config.min_moving_frames:.0%} of the frames, found them in "
            f"{moving} of {frames}; "
            f"{advice(reasons)} ({in_words(reasons) + '; ' if reasons else ''}or lower labels.min_moving_frames)"
        )
    shares = {c["name"]: c["area_share"] for c in statistics["classes"]}
    largest = max(shares, key=lambda name: shares[name])
    if shares[largest] > config.max_class_share:
        raise GateError(
            f"expected no class above {config.max_class_share:.0%} of all pixels, found {largest} with "
            f"{shares[largest]:.0%}; "
            "raise semantics.steps or semantics.classes, or record more varied places (or raise "
            "labels.max_class_share)"
        )
    alive, wanted = sum(s >= ALIVE for s in shares.values()), min(FEWEST_ALIVE, len(shares))
    if alive < wanted:
        raise GateError(
            f"expected at least {wanted} classes with {ALIVE:.1%} of the pixels or more, found {alive} of "
            f"{len(shares)}; "
            f"raise semantics.steps or record more varied places"
        )
    if not statistics["split"]["things"]:
        raise GateError(
            "expected at least one class that moving objects are made of, found none in "
            f"{statistics['objects']} objects "
            f"of {frames} frames; record more moving cars and people, lower labels.min_instances, or name the "
            "classes in labels.things"
        )
    if statistics["instances"] == 0:
        raise GateError(
            f"expected labels of moving things, found none among {statistics['objects']} objects; lower "
            "labels.thing_vote"
        )


def verdict(statistics: dict[str, Any], config: LabelConfig) -> dict[str, Any]:
    """The gate's entry of statistics.json: passed, message, and warnings that stop nothing."""
    try:
        gate(statistics, config)
    except GateError as error:
        return {"passed": False, "message": str(error), "warnings": warnings(statistics)}
    return {"passed": True, "message": None, "warnings": warnings(statistics)}


def warnings(statistics: dict[str, Any]) -> list[str]:
    """What a person should look at, one sentence each."""
    found = []
    split, k = statistics["split"], len(statistics["split"]["table"])
    if split["note"]:
        found.append(f"thing/stuff split: {split['note']}")
    if len(split["things"]) > k / 3:
        found.append(f"{len(split['things'])} of {k} clusters are things; raise labels.psi where stuff is among them")
    if statistics["bottom_share"] > 0.2:
        found.append(
            f"{statistics['bottom_share']:.0%} of the object pixels lie at the lower edge; the own "
            "car may show in the picture"
        )
    return found


def check(labels: Path, config: LabelConfig) -> str:
    """The quality gate on a finished label folder, as text. Raises GateError where it does not pass, ResultError where
    a label file changed since."""
    found = read_json(labels / STATISTICS)
    for path in sorted(labels.glob(f"*/{LABELS}")):
        for frame in read_labels(path.parent):
            frame.verify()
    gate(found, config)
    return summary(found)


def summary(statistics: dict[str, Any]) -> str:
    """The figures of the labels in a few lines."""
    split, things = statistics["split"], [c for c in statistics["classes"] if c["isthing"]]
    lines = [
        f"frames {statistics['frames']}, with moving objects "
        f"{statistics['frames_with_objects']}, with labelled instances "
        f"{statistics['frames_with_instances']}; instances {statistics['instances']} "
        f"({statistics['instances_per_frame']:.1f} a frame)",
        f"classes {len(statistics['classes'])} of {len(split['table'])} clusters, of which {len(split['things'])} "
        "are things by rule "
        f"{split['rule']}; things: "
        f"{', '.join(c['name'] for c in things) or 'none'}",
        f"void {statistics['void_share']:.1%} of the pixels, things "
        f"{statistics['thing_share']:.1%}, of these in an instance "
        f"{statistics['thing_pixels_in_instances']:.1%}",
    ]
    if statistics.get("reasons"):
        lines.append(f"without moving objects: {in_words(statistics['reasons'])}")
    return "\n".join([*lines, *(f"look at: {w}" for w in warnings(statistics)), "the labels pass the quality gate"])
