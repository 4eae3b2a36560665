"""Counting on maps written by hand."""

from __future__ import annotations

import numpy as np

from cups_train.config import LabelConfig
from cups_train.pseudo_label.motion_counts import count_frame

PUBLISHED = LabelConfig(split="published", likeness=0, min_instances=0)


def test_a_tenth_of_an_object_is_enough_to_be_found_in_it() -> None:
    class_map = np.array([[1] * 16 + [2] * 2 + [3]], np.uint8)  # 2 of 19 pixels, and 1 of 19
    assert count_frame(class_map, np.ones((1, 19), np.uint16), 3, LabelConfig(border=0)).n_found.tolist() == [
        0,
        1,
        1,
        0,
    ]


def test_only_pixels_that_could_be_inside_an_object_count() -> None:
    class_map = np.array([[1, 1, 2, 2, 1, 1, 1, 1, 1, 1]], np.uint8)
    instances = np.array([[0, 0, 5, 5, 5, 0, 0, 0, 0, 0]], np.uint16)
    counts = count_frame(class_map, instances, 2, LabelConfig(border=0.1))  # one column at each side
    assert counts.n_all.tolist() == [0, 6, 2] and counts.n_in.tolist() == [0, 1, 2]
    assert counts.n_mask.tolist() == [0, 0, 1] and counts.n_found.tolist() == [0, 1, 1] and counts.instances == 1
    nothing = count_frame(class_map, np.zeros_like(instances), 2, LabelConfig(border=0.1))
    assert nothing.n_all.sum() == 0 and (nothing.frames, nothing.moving_frames) == (1, 0)


def test_published_count_is_after_alignment_over_all_pixels() -> None:
    class_map = np.array([[1, 1, 2, 2, 1, 1]], np.uint8)
    instances = np.array([[0, 0, 5, 5, 5, 0]], np.uint16)
    counts = count_frame(class_map, instances, 2, PUBLISHED) + count_frame(class_map, 0 * instances, 2, PUBLISHED)
    assert counts.n_all.tolist() == [0, 3 + 4, 3 + 2] and counts.n_in.tolist() == [0, 0, 3]
