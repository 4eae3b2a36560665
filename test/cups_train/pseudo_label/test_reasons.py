"""Reasons of frames without objects and what they advise."""

from collections import Counter

import pytest

from cups_train.pseudo_label.reasons import OTHER, REMEDIES, advice, in_words, sum_up
from cups_train.types import Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_advice(reason):
    assert REMEDIES[reason].text and REMEDIES[reason].advice
    assert (REMEDIES[reason] is OTHER) == (reason is Reason.UNKNOWN)
    assert advice(sum_up({reason: 1})) == REMEDIES[reason].advice


def test_reasons_are_summed_up_by_their_remedy():
    rows = sum_up(Counter({Reason.NOTHING_MOVES: 5, Reason.REJECTED: 1, Reason.TOO_SMALL: 1, Reason.NO_NEIGHBOUR: 1}))
    assert [(r["reason"], r["frames"]) for r in rows] == [
        ("nothing moves", 5),
        ("candidates too small, too far or too doubtful", 2),
        ("no neighbour in time", 1),
    ]
    assert in_words(rows).startswith("nothing moves in 5 frames, candidates")
    assert (
        advice(rows).startswith("record streets with moving cars")
        and "nearer than 40 m" in advice(rows)
        and "dropped frames" in advice(rows)
    )


def test_a_rare_reason_brings_no_advice_and_an_unknown_one_is_told():
    rows = sum_up({Reason.NOTHING_MOVES: 30, Reason.UNKNOWN: 1})
    assert advice(rows) == "record streets with moving cars and people at 5 Hz or more"
    assert rows[1] == {"reason": "other reasons", "frames": 1, "advice": "read `reason` in motion.json"}
    assert sum_up({}) == [] and in_words([]) == "" and advice([]).startswith("record streets")
