"""Which frames stage 2 learns from, and what it is shown of them."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from cups_train.bootstrap.frames import Loader, Schedule, index_frames
from cups_train.errors import ResultError
from cups_train.training.sample import boxes_of


def test_index_and_schedule(labelled):
    frames = index_frames(labelled)
    assert len(frames) == 8 and sum(f.has_object for f in frames) == 6
    schedule = Schedule.of(frames, 0.25, 1)
    drawn = [schedule.draw(number) for number in range(80)]
    assert sum(not f.has_object for f in drawn) == 20
    objects = [f for f in drawn if f.has_object]
    assert len(set(objects[:6])) == len(set(objects[6:12])) == 6 and objects[:6] != objects[6:12]
    assert drawn == [Schedule.of(frames, 0.25, 1).draw(number) for number in range(80)]
    for kind in (True, False):
        assert all(
            Schedule.of([f for f in frames if f.has_object == kind], 0.25, 1).draw(n).has_object == kind
            for n in range(5)
        )
    with pytest.raises(ResultError, match="labels.json"):
        index_frames(replace(labelled, recordings=[replace(labelled.recordings[0], name="other")]))


def test_loaded_sample_shows_what_its_labels_say(labelled):
    loader, frames = Loader(labelled, (64, 128), True), index_frames(labelled)
    flips = set()
    for seed in range(12):
        sample = loader.load(frames[4 * (seed % 2)], np.random.default_rng(seed))
        assert sample.image.shape == (64, 128, 3)
        for row, (x1, y1, x2, y2) in enumerate(boxes_of(sample.instance, len(sample.thing)).astype(int)):
            inner = sample.instance[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2] == row + 1
            colour = sample.image[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2][inner].mean(axis=0)
            assert colour.argmax() == sample.thing[row]  # thing 0 is red, thing 1 is green
            flips.add((row, x1 > 64))
        assert (sample.semantic[sample.instance > 0] == 0).all()
        assert sample.semantic[63, 0] in (0, 2) and set(np.unique(sample.semantic)) <= {0, 1, 2}
    assert len(flips) >= 3


def test_labels_of_another_size_are_refused(labelled, tmp_path):
    shutil.copytree(labelled.labels / "square", tmp_path / "wide")
    labelled = replace(labelled, recordings=labelled.recordings[:1], labels=tmp_path)
    frame = index_frames(labelled)[0]
    with pytest.raises(ResultError, match="expected labels of 200x100 px for frame 000000 of wide, found 140x120"):
        Loader(labelled, (64, 128), True).load(frame, np.random.default_rng(0))
