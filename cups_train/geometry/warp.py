"""Images fetched from elsewhere, exact in pixel coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from cups_train.geometry.camera import pixel_grid


def warp(image: np.ndarray, flow: np.ndarray, nearest: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Fetch `image` at x + flow(x).

    image: (H, W) or (H, W, C) float32 or uint8; flow: (H, W, 2) float32 px -> the fetched image (border values beyond
    the border) and (H, W) bool, True where x + flow(x) lies inside the image.
    """
    height, width = flow.shape[:2]
    u, v = pixel_grid(height, width)
    x, y = u + flow[..., 0], v + flow[..., 1]
    inside = (x >= 0) & (x <= image.shape[1] - 1) & (y >= 0) & (y <= image.shape[0] - 1)  # False for NaN
    x, y = np.clip(np.nan_to_num(x), 0, image.shape[1] - 1), np.clip(np.nan_to_num(y), 0, image.shape[0] - 1)
    if nearest:
        return image[np.rint(y).astype(np.intp), np.rint(x).astype(np.intp)], inside
    if image.dtype == np.uint8:
        return cv2.remap(
            image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ), inside
    return bilinear(image, x, y), inside


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of `image` (H, W) or (H, W, C) float at positions x, y (...) px inside it, in the precision of the
    positions: (...) or (..., C).

    cv2.remap rounds positions to 1/32 px for integers and for floats alike; where that matters (coordinates), the sum
    is formed here.
    """
    x0, y0 = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    x1, y1 = np.minimum(x0 + 1, image.shape[1] - 1), np.minimum(y0 + 1, image.shape[0] - 1)
    shape = x.shape + (1,) * (image.ndim - 2)
    a, b = (x - x0).astype(x.dtype).reshape(shape), (y - y0).astype(y.dtype).reshape(shape)
    return (1 - b) * ((1 - a) * image[y0, x0] + a * image[y0, x1]) + b * ((1 - a) * image[y1, x0] + a * image[y1, x1])
