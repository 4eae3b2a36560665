"""Reasons of frames without objects and what they advise."""
from cups_train.pseudo_label.reasons import advice, in_words, sum_up


def test_reasons_are_summed_up_by_their_remedy():
    reasons = ["nothing moves against the static scene"] * 5
    reasons += ["all 2 candidates rejected: hardly moves, too thin", "all 7 candidates rejected: too far"]
    rows = sum_up([None, *reasons, "no frame before or after it within the time step", None])
    assert [(r["reason"], r["frames"]) for r in rows] == [("nothing moves", 5), ("candidates too small, too far or too doubtful", 2),
                                                          ("no neighbour in time", 1)]
    assert in_words(rows).startswith("nothing moves in 5 frames, candidates")
    assert advice(rows).startswith("record streets with moving cars") and "nearer than 40 m" in advice(rows) and "dropped frames" in advice(rows)


def test_a_rare_reason_brings_no_advice_and_an_unknown_one_is_told():
    rows = sum_up(["nothing moves against the static scene"] * 30 + ["a new reason"])
    assert advice(rows) == "record streets with moving cars and people at 5 Hz or more"
    assert rows[1] == {"reason": "other reasons", "frames": 1, "advice": "read `reason` in motion.json"}
    assert sum_up([None]) == [] and in_words([]) == "" and advice([]).startswith("record streets")
