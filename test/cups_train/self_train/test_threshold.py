"""The score from which an instance is a label, and the watch over how many there are."""

from __future__ import annotations

import json

from cups_train.self_train.threshold import HeldThreshold, Watch
from cups_train.training.journal import Journal


def test_a_teacher_that_finds_nothing_is_named(tmp_path):
    watch = Watch(Journal(tmp_path, 40), steps=40)
    for instances in (1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0):
        watch.look(instances)
    assert not (tmp_path / "train.log").exists()
    for _ in range(20):
        watch.look(0)
    assert (tmp_path / "train.log").read_text().count("no instance in 8 steps") == 1


def test_the_threshold_sinks_with_the_scores_but_never_rises():
    threshold = HeldThreshold(first=4)
    assert [threshold.hold([[0.9, 0.75, 0.4], [0.8]], 0.7) for _ in range(2)] == [0.7, 0.7]
    assert threshold.rate == 1.5
    again = HeldThreshold(**json.loads(json.dumps(threshold.to_json())))
    for held in (threshold, again):
        gammas = [held.hold([[0.6, 0.45, 0.1], [0.5]], 0.7) for _ in range(40)]
        assert gammas[-1] == 0.45  # 1.5 an image: 0.6, 0.5 and 0.45 in two images
        assert all(later <= earlier for earlier, later in zip(gammas, gammas[1:], strict=False))
        assert held.hold([[0.2], []] * 32, 0.7) == 0.35  # not below half
        assert held.hold([[0.99] * 9] * 64, 0.7) == 0.7
    assert [HeldThreshold(first=2).hold([[], []], 0.7), HeldThreshold(first=0).hold([[]], 0.7)] == [0.7, 0.7]
