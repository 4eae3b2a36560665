"""Objects that are cut out and pasted."""

from __future__ import annotations

import numpy as np

from cups_train.training.copy_paste import Cutout, cutouts_of, new_rows, paste_objects


def test_pasted_class_is_its_own_source_s(blank):
    """A 10 px object first, a 60 px object second: what is pasted is the second, with the second's class."""
    sample = blank(640, 1280, (3, 8))
    sample.instance[10:20, 10:20], sample.instance[100:160, 200:260] = 1, 2
    sources = cutouts_of(sample)
    assert [(s.thing, s.mask.shape) for s in sources] == [(8, (60, 60))]
    pasted = paste_objects(blank(640, 1280), sources, 8, np.random.default_rng(0))
    assert set(pasted.thing.tolist()) == {8}


def test_paste_hides_what_was_there_and_changes_no_argument(blank):
    target = blank(64, 64, (0,))
    target.instance[:], target.image[:] = 1, 50
    source = Cutout(np.full((40, 40, 3), 200, np.uint8), np.ones((40, 40), bool), 1)
    pasted = paste_objects(target, [source], 1, np.random.default_rng(2))
    new = pasted.instance == 2
    assert pasted.thing.tolist() == [0, 1] and new.any()
    assert (pasted.image[new] == 200).all() and (pasted.image[~new] == 50).all()
    assert (pasted.semantic[new] == 0).all() and (pasted.semantic[~new] == 1).all()
    assert (pasted.instance[~new] == 1).all()
    assert (target.instance == 1).all() and (target.image == 50).all() and (source.mask.all())


def test_sources_are_copies(blank):
    """The first paste into an image must not change what is pasted later."""
    sample = blank(64, 64, (0,))
    sample.instance[0:40, 0:40] = 1
    source = cutouts_of(sample)[0]
    sample.instance[:], sample.image[:] = 0, 99
    assert source.mask.all() and source.image.max() == 0


def test_no_source_no_paste_and_cut_at_the_border(blank):
    target = blank(16, 16)
    assert paste_objects(target, [], 8, np.random.default_rng(0)) is target
    wide = Cutout(np.full((40, 200, 3), 9, np.uint8), np.ones((40, 200), bool), 1)
    for seed in range(20):
        pasted = paste_objects(target, [wide], 3, np.random.default_rng(seed))
        assert pasted.instance.max() == len(pasted.thing) <= 3


def test_new_boxes():
    known = np.array([[0, 0, 10, 10]], np.float32)
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4], [20, 20, 30, 30], [5, 5, 5, 5]], np.float32)
    assert new_rows(boxes, known).tolist() == [False, False, True, True, False]  # IoU 1, 0.5, 0.4, 0, no area
    assert new_rows(boxes, known[:0]).tolist() == [True, True, True, True, False]
