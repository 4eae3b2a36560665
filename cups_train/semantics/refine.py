"""Refinement of class probabilities: a fully connected CRF on the grid of cells, the fast guided filter (He and Sun
2015) up to image size."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from cups_train.semantics.mean_field import refine_cells

Method = Literal["none", "guided", "crf"]
RADIUS = 4 / 64  # of the window, share of the grid's height
EPSILON = 4e-3  # variance of the guide (grey 0..1) that counts as an edge


def refine(probability: np.ndarray, image: np.ndarray, method: Method) -> np.ndarray:
    """(K, h, w) probabilities and the (H, W, 3) uint8 image -> (H, W) uint8 class ids 1..K.

    `none`: enlarged as they are; `guided`: the guided filter smooths and enlarges; `crf`: mean field on the grid, then
    the guided filter.
    """
    if method == "crf":
        cells = cv2.resize(image, probability.shape[:0:-1], interpolation=cv2.INTER_AREA).astype(np.float32)
        probability = refine_cells(probability.astype(np.float32, copy=False), cells)
    return _enlarge(probability, image, method != "none")


def _enlarge(probability: np.ndarray, image: np.ndarray, smooth: bool) -> np.ndarray:
    """Linear models of the guide are fitted on the small grid and applied at image size, one class at a time (memory
    does not grow with K)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    height, width = grey.shape
    small = cv2.resize(grey, probability.shape[:0:-1], interpolation=cv2.INTER_AREA)
    box = (2 * max(1, round(RADIUS * small.shape[0])) + 1,) * 2
    mean = cv2.blur(small, box)
    variance = cv2.blur(small * small, box) - mean * mean + EPSILON
    best = np.full((height, width), -np.inf, np.float32)
    ids = np.zeros((height, width), np.uint8)
    for k, plane in enumerate(probability):
        if smooth:
            plane_mean = cv2.blur(plane, box)
            slope = (cv2.blur(plane * small, box) - mean * plane_mean) / variance
            offset = cv2.blur(plane_mean - slope * mean, box)
            value = cv2.resize(cv2.blur(slope, box), (width, height)) * grey + cv2.resize(offset, (width, height))
        else:
            value = cv2.resize(plane, (width, height))
        better = value > best
        np.copyto(best, value, where=better)
        ids[better] = k + 1
    return ids
