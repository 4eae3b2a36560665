"""Samples and their targets, on maps worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cups_train.training.sample import Sample, boxes_of, label_sample, without_slivers


def test_targets_of_a_hand_made_label(make_classes):
    class_map = np.array([[1, 1, 3, 3, 0], [2, 2, 4, 4, 2], [0, 2, 4, 1, 3]], np.uint8)
    instances = np.array([[0, 0, 0, 0, 0], [7, 7, 9, 9, 0], [7, 7, 9, 9, 300]], np.int32)
    image = np.zeros((3, 5, 3), np.uint8)
    sample = label_sample(image, class_map, instances, {7: 2, 9: 4, 300: 3}, make_classes(), ignore_unknown=True)
    # instance 7 is of class 2 -> thing 0; 9 of class 4 -> thing 1; 300 is stuff -> ignored; the lone thing pixel is
    # ignored
    assert sample.thing.tolist() == [0, 1]
    assert sample.instance.tolist() == [[0, 0, 0, 0, 0], [1, 1, 2, 2, 0], [1, 1, 2, 2, 0]]
    assert sample.semantic.tolist() == [[1, 1, 2, 2, 255], [0, 0, 0, 0, 255], [0, 0, 0, 0, 255]]
    published = label_sample(image, class_map, instances, {7: 2, 9: 4, 300: 3}, make_classes(), ignore_unknown=False)
    assert published.semantic[1, 4] == 0 and published.semantic[2, 4] == 255


def test_an_instance_without_any_class_is_ignored(make_classes):
    sample = label_sample(
        np.zeros((2, 2, 3), np.uint8),
        np.zeros((2, 2), np.uint8),
        np.ones((2, 2), np.uint16),
        {1: 0},
        make_classes(),
        True,
    )
    assert len(sample.thing) == 0 and (sample.semantic == 255).all()


def test_the_class_of_an_instance_is_the_one_that_its_label_states(make_classes):
    """However many of its pixels a crop has left, and whatever they say."""
    class_map = np.array([[4, 4, 2, 1]], np.uint8)
    sample = label_sample(
        np.zeros((1, 4, 3), np.uint8), class_map, np.array([[1, 1, 1, 0]], np.uint16), {1: 2}, make_classes(), True
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


def test_sample_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one size"):
        Sample(
            np.zeros((2, 3, 3), np.uint8),
            np.zeros((2, 3), np.uint8),
            np.zeros((3, 2), np.uint16),
            np.zeros(0, np.int64),
        )
