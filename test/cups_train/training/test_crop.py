"""Windows, sizes and crops, on maps worked out by hand."""

from __future__ import annotations

import numpy as np

from cups_train.training.crop import Window, crop_sample, jitter_sizes, random_window, resize_labels
from cups_train.training.sample import boxes_of


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


def test_crop_sample_moves_image_and_labels_together(blank):
    sample = blank(20, 40, (0,))
    sample.image[4:12, 10:20], sample.instance[4:12, 10:20] = 200, 1
    cropped = crop_sample(sample, Window(2, 5, 16, 32), (32, 64))
    assert boxes_of(cropped.instance, 1).tolist() == [[10, 4, 30, 20]]
    assert (cropped.image[6:18, 12:28] == 200).all() and cropped.image[:3].max() == 0
