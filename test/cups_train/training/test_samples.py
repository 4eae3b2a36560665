"""Samples, crops, copy-paste and light, on maps worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.training.copy_paste import Cutout, cutouts_of, new_rows, paste_objects
from cups_train.training.crop import Window, crop_sample, jitter_sizes, random_window, resize_labels
from cups_train.training.photometric import blend, mild, shift_hue, strong
from cups_train.training.randomness import generator
from cups_train.training.sample import Sample, boxes_of, label_sample, without_slivers

# 1 stuff, 2 thing, 3 stuff, 4 thing: ids of one kind are no block, as a real split leaves them
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 5)))


def blank(height: int, width: int, things: tuple[int, ...] = ()) -> Sample:
    image, semantic, instance = (
        np.zeros((height, width, 3), np.uint8),
        np.ones((height, width), np.uint8),
        np.zeros((height, width), np.uint16),
    )
    return Sample(image, semantic, instance, np.array(things, np.int64))


def test_targets_of_a_hand_made_label():
    class_map = np.array([[1, 1, 3, 3, 0], [2, 2, 4, 4, 2], [0, 2, 4, 1, 3]], np.uint8)
    instances = np.array([[0, 0, 0, 0, 0], [7, 7, 9, 9, 0], [7, 7, 9, 9, 300]], np.int32)
    image = np.zeros((3, 5, 3), np.uint8)
    sample = label_sample(image, class_map, instances, {7: 2, 9: 4, 300: 3}, CLASSES, ignore_unknown=True)
    # instance 7 is of class 2 -> thing 0; 9 of class 4 -> thing 1; 300 is stuff -> ignored; the lone thing pixel is
    # ignored
    assert sample.thing.tolist() == [0, 1]
    assert sample.instance.tolist() == [[0, 0, 0, 0, 0], [1, 1, 2, 2, 0], [1, 1, 2, 2, 0]]
    assert sample.semantic.tolist() == [[1, 1, 2, 2, 255], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255]]
    published = label_sample(image, class_map, instances, {7: 2, 9: 4, 300: 3}, CLASSES, ignore_unknown=False)
    assert published.semantic[1, 4] == 0 and published.semantic[2, 4] == 255


def test_an_instance_without_any_class_is_ignored():
    sample = label_sample(
        np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint16), {1: 0}, CLASSES, True
    )
    assert len(sample.thing) == 0 and (sample.semantic == 255).all()


def test_the_class_of_an_instance_is_the_one_that_its_label_states():
    """However many of its pixels a crop has left, and whatever they say."""
    class_map = np.array([[4, 4, 2, 1]], np.uint8)
    sample = label_sample(
        np.zeros((1, 4, 3), np.uint8), class_map, np.array([[1, 1, 1, 0]], np.uint16), {1: 2}, CLASSES, True
    )
    assert (
        sample.thing.tolist() == [0]
        and sample.instance.tolist() == [[1, 1, 1, 0]]
        and sample.semantic.tolist() == [[0, 0, 0, 1]]
    )


def test_boxes_are_half_open_and_slivers_go():
    instance = np.zeros((10, 12), np.uint16)
    instance[1:6, 2:7], instance[0:3, 8:12], instance[6:10, 0:4] = 1, 2, 3
    assert boxes_of(instance, 4).tolist() == [[2, 1, 7, 6], [8, 0, 12, 3], [0, 6, 4, 10], [0, 0, 0, 0]]
    sample = Sample(
        np.zeros((10, 12, 3), np.uint8), np.where(instance > 0, 0, 1).astype(np.uint8), instance, np.array([5, 6, 7, 8])
    )
    tidy = without_slivers(sample, ignore_unknown=True)
    assert tidy.thing.tolist() == [5, 7]
    assert boxes_of(tidy.instance, 2).tolist() == [[2, 1, 7, 6], [0, 6, 4, 10]]
    assert (tidy.semantic[0:3, 8:12] == 255).all() and (tidy.semantic[1:6, 2:7] == 0).all()
    assert (without_slivers(sample, ignore_unknown=False).semantic[0:3, 8:12] == 0).all()


def test_crop_keeps_aspect_and_area_fraction():
    rng = np.random.default_rng(0)
    windows = [random_window((640, 1280), 2.0, (0.7, 1.0), rng) for _ in range(1000)]
    for w in windows:
        assert abs(w.height / w.width - 0.5) < 0.002
        assert 0.695 <= w.height * w.width / (640 * 1280) <= 1.0
        assert 0 <= w.top <= 640 - w.height and 0 <= w.left <= 1280 - w.width
    shares = [w.height * w.width / (640 * 1280) for w in windows]
    assert abs(np.mean(shares) - 0.85) < 0.01


def test_crop_of_another_aspect_is_the_largest_that_fits():
    for image, size in (((100, 400), (100, 200)), ((300, 400), (200, 400))):
        window = random_window(image, 2.0, (1.0, 1.0), np.random.default_rng(1))
        assert (window.height, window.width) == size


def test_sizes():
    assert jitter_sizes((640, 1280), (0.6, 1.1)) == [(h, 2 * h) for h in range(384, 705, 32)]
    assert jitter_sizes((64, 64), (0.9, 0.95)) == [(64, 64)]


def test_labels_are_read_at_the_nearest_centre():
    # centres at 1.0 and 3.0: the right pixel of two equally near
    assert resize_labels(np.array([[1, 2, 3, 4]]), (1, 2)).tolist() == [[2, 4]]
    assert resize_labels(np.array([[1, 2]]), (2, 4)).tolist() == [[1, 1, 2, 2]] * 2


def test_crop_sample_moves_image_and_labels_together():
    sample = blank(20, 40, (0,))
    sample.image[4:12, 10:20], sample.instance[4:12, 10:20] = 200, 1
    cropped = crop_sample(sample, Window(2, 5, 16, 32), (32, 64))
    assert boxes_of(cropped.instance, 1).tolist() == [[10, 4, 30, 20]]
    assert (cropped.image[6:18, 12:28] == 200).all() and cropped.image[:3].max() == 0


def test_pasted_class_is_its_own_source_s():
    """A 10 px object first, a 60 px object second: what is pasted is the second, with the second's class."""
    sample = blank(640, 1280, (3, 8))
    sample.instance[10:20, 10:20], sample.instance[100:160, 200:260] = 1, 2
    sources = cutouts_of(sample)
    assert [(s.thing, s.mask.shape) for s in sources] == [(8, (60, 60))]
    pasted = paste_objects(blank(640, 1280), sources, 8, np.random.default_rng(0))
    assert set(pasted.thing.tolist()) == {8}


def test_paste_hides_what_was_there_and_changes_no_argument():
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


def test_sources_are_copies():
    """The first paste into an image must not change what is pasted later."""
    sample = blank(64, 64, (0,))
    sample.instance[0:40, 0:40] = 1
    source = cutouts_of(sample)[0]
    sample.instance[:], sample.image[:] = 0, 99
    assert source.mask.all() and source.image.max() == 0


def test_no_source_no_paste_and_cut_at_the_border():
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


def test_light():
    image = np.random.default_rng(0).integers(0, 256, (640, 24, 3), dtype=np.uint8)
    assert blend(image[:1, :1], 100.0, 0.5).tolist() == np.rint(image[:1, :1] * 0.5 + 50).astype(int).tolist()
    red = np.full((1, 1, 3), (255, 0, 0), np.uint8)
    turned = shift_hue(red, 1 / 3)[0, 0]
    assert turned[1] == 255 and turned[0] < 8 and turned[2] < 8
    first, again = (strong(image, generator(3, "light", 5)) for _ in range(2))
    assert (first == again).all() and first.shape == image.shape and first.dtype == np.uint8
    different = {strong(image, generator(3, "light", step)).tobytes() for step in range(20)}
    assert len(different) >= 18  # a small blur alone may change nothing that 8 bits show
    assert len({mild(image, generator(3, "light", step)).tobytes() for step in range(20)}) == 20
    assert np.mean([np.abs(mild(image, generator(3, "light", n)).astype(int) - image).mean() for n in range(20)]) < 30
    grey = [bool(np.ptp(strong(image, generator(3, "light", step)), axis=2).max() == 0) for step in range(300)]
    assert 0.1 < np.mean(grey) < 0.3


def test_the_blur_grows_with_the_image():
    def sharpness(rows):
        noise = np.random.default_rng(0).integers(0, 256, (rows, 32, 3), dtype=np.uint8)
        return np.mean([strong(noise, generator(1, "light", step)).std() / noise.std() for step in range(40)])

    assert sharpness(64) > 0.75 > 0.6 > sharpness(640)


def test_generators_depend_on_every_argument():
    draws = [
        generator(*key).integers(2**62) for key in ((1, "a", 0), (2, "a", 0), (1, "b", 0), (1, "a", 1), (1, "a", 0, 0))
    ]
    assert len(set(draws)) == 5


def test_sample_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one size"):
        Sample(
            np.zeros((2, 3, 3), np.uint8),
            np.zeros((2, 3), np.uint8),
            np.zeros((3, 2), np.uint16),
            np.zeros(0, np.int64),
        )
