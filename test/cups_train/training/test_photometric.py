"""Light, colour and blur."""

from __future__ import annotations

import numpy as np

from cups_train.training.photometric import blend, mild, shift_hue, strong
from cups_train.training.randomness import generator


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
