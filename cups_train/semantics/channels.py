"""Hand-made channels of one image on a grid of cells of 4 x 4 px: colour, texture, row."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from cups_train.geometry.resize import resize

CELL = 4  # px of the working image
MULTIPLE = 32  # working sizes are multiples of the encoder's largest stride
BLUR = 6 / 320  # sigma of the blurred colours, share of the height
TENSOR_SCALES = (1.5, 4.0, 9.0)  # px of the working image
GABOR_WAVES = (4.0, 8.0, 16.0)  # px of the working image
GABOR_ANGLES = 4


def working_size(height: int, width: int, working_height: int) -> tuple[int, int]:
    """(height, width) of the working image: `working_height`, the same aspect ratio, rounded to multiples of 32."""
    rounded = max(1, round(working_height / MULTIPLE)) * MULTIPLE
    return rounded, max(1, round(width * rounded / height / MULTIPLE)) * MULTIPLE


def image_channels(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 RGB working image -> (29, h/4, w/4) float32: Lab, blurred Lab, texture energies, row."""
    height, width = image.shape[:2]
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rows = np.repeat(np.linspace(-1, 1, height, dtype=np.float32)[:, None], width, axis=1)
    planes = [
        *np.moveaxis(lab, -1, 0),
        *np.moveaxis(cv2.GaussianBlur(lab, (0, 0), BLUR * height), -1, 0),
        *_texture(lab[..., 0] / 100),
        rows,
    ]
    return np.stack([resize(np.ascontiguousarray(plane), height // CELL, width // CELL) for plane in planes])


def _texture(grey: np.ndarray) -> Iterator[np.ndarray]:
    """Structure tensor at three scales (log energy, two orientation terms), 12 Gabor log energies, log local
    variance."""
    smooth = cv2.GaussianBlur(grey, (0, 0), 0.8)
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    for sigma in TENSOR_SCALES:
        xx, yy, xy = (cv2.GaussianBlur(product, (0, 0), sigma) for product in (gx * gx, gy * gy, gx * gy))
        energy = xx + yy + 1e-5
        yield np.log(energy)
        yield (xx - yy) / energy
        yield 2 * xy / energy
    for wave in GABOR_WAVES:
        for step in range(GABOR_ANGLES):
            yield _gabor_energy(grey, wave, step * np.pi / GABOR_ANGLES)
    mean, square = cv2.GaussianBlur(grey, (0, 0), 2.5), cv2.GaussianBlur(grey * grey, (0, 0), 2.5)
    yield np.log(np.maximum(square - mean * mean, 0) + 1e-5)


def _gabor_energy(grey: np.ndarray, wave: float, angle: float) -> np.ndarray:
    """Log energy of a quadrature pair; long waves are filtered at half size."""
    height, width = grey.shape
    half = wave > 8
    plane, wave = (
        (cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA), wave / 2) if half else (grey, wave)
    )
    size = int(wave * 1.5) * 2 + 1
    even, odd = (
        cv2.getGaborKernel((size, size), wave / 2, angle, wave, 1.0, phase, cv2.CV_32F) for phase in (0.0, np.pi / 2)
    )
    even -= even.mean()
    energy = cv2.filter2D(plane, cv2.CV_32F, even) ** 2 + cv2.filter2D(plane, cv2.CV_32F, odd) ** 2
    log = np.log(cv2.GaussianBlur(energy, (0, 0), wave / 2) + 1e-4)
    return cv2.resize(log, (width, height)) if half else log
