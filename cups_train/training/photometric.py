"""Changes of light and colour of one image: mild ones, or those of CUPS, stages 2 and 3: blur, then colour jitter, then
greyscale."""

from __future__ import annotations

import cv2
import numpy as np

BLUR_ROWS = 640  # image height at which the published lengths hold
BLUR_SIGMA = (0.1, 2.0)  # px
BLUR_REACH = 3  # px at each side
STRENGTH, HUE = 0.4, 0.1
JITTER_SHARE, GREY_SHARE = 0.5, 0.2
MILD_STRENGTH, MILD_HUE = 0.2, 0.02


def mild(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A little more or less light, contrast, saturation and hue.  (H, W, 3) uint8 RGB -> the same."""
    brightness, contrast, saturation = rng.uniform(1 - MILD_STRENGTH, 1 + MILD_STRENGTH, 3)
    image = blend(blend(image, 0.0, brightness), float(_grey(image).mean()), contrast)
    image = cv2.addWeighted(image, saturation, cv2.cvtColor(_grey(image), cv2.COLOR_GRAY2RGB), 1 - saturation, 0)
    return shift_hue(image, float(rng.uniform(-MILD_HUE, MILD_HUE)))


def strong(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur always, colour jitter in random order for half, greyscale for a fifth of the images.  (H, W, 3) uint8 RGB ->
    the same.

    The blur grows with the image.
    """
    scale = image.shape[0] / BLUR_ROWS
    kernel = 2 * max(1, round(BLUR_REACH * scale)) + 1
    image = cv2.GaussianBlur(image, (kernel, kernel), scale * float(rng.uniform(*BLUR_SIGMA)))
    brightness, contrast, saturation = rng.uniform(1 - STRENGTH, 1 + STRENGTH, 3)
    hue, order = float(rng.uniform(-HUE, HUE)), rng.permutation(4)
    jitter, grey = rng.random() < JITTER_SHARE, rng.random() < GREY_SHARE
    changes = (
        lambda x: blend(x, 0.0, brightness),
        lambda x: blend(x, float(_grey(x).mean()), contrast),
        lambda x: cv2.addWeighted(x, saturation, cv2.cvtColor(_grey(x), cv2.COLOR_GRAY2RGB), 1 - saturation, 0),
        lambda x: shift_hue(x, hue),
    )
    for number in order if jitter else ():
        image = changes[number](image)
    return cv2.cvtColor(_grey(image), cv2.COLOR_GRAY2RGB) if grey else image


def blend(image: np.ndarray, base: float, factor: float) -> np.ndarray:
    """factor * image + (1 - factor) * base, rounded and clipped to 0..255. (H, W, 3) uint8 -> the same."""
    table = np.clip(np.rint(factor * np.arange(256) + (1 - factor) * base), 0, 255).astype(np.uint8)
    return cv2.LUT(image, table)


def shift_hue(image: np.ndarray, share: float) -> np.ndarray:
    """Turn the hue by a share of the full circle. (H, W, 3) uint8 RGB -> the same."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(round(share * 256) % 256)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _grey(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


LIGHT = {"mild": mild, "strong": strong}
