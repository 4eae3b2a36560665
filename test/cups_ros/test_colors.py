from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from cups_ros.colors import outlines, overlay, palette
from cups_ros.types import Classes, Panoptic, PseudoClass

CLASSES = Classes((PseudoClass(1, "road", False, (100, 0, 0)), PseudoClass(2, "car", True, (0, 200, 0))))


def test_palette_is_well_separated_and_stable() -> None:
    colors = palette(27)
    lab = cv2.cvtColor(np.array([colors], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2)) > 25
    assert colors[:5] == palette(5) and len(set(palette(254))) == 254 and palette(0) == []


def test_unknown_objects_have_their_colour_and_no_outline() -> None:
    kinds = np.array([[1, 1, 3, 3]], np.uint8)
    picture = overlay(
        np.zeros((1, 4, 3), np.uint8),
        Panoptic(kinds, np.zeros((1, 4), np.uint16)),
        CLASSES.with_unknown((40, 80, 120)),
        alpha=0.5,
    )
    assert picture[0].tolist() == [[50, 0, 0]] * 2 + [[20, 40, 60]] * 2


def test_outlines() -> None:
    ids = np.zeros((5, 6), np.uint16)
    ids[1:4, 1:5] = 7
    expected = np.zeros((5, 6), bool)
    expected[1:4, 1:5] = True
    expected[2, 2:4] = False
    assert (outlines(ids) == expected).all()


def test_overlay_blends_classes_keeps_void_and_draws_outlines() -> None:
    image = np.full((4, 6, 3), 50, np.uint8)
    class_id = np.array([[0, 0, 1, 1, 1, 1], [0, 2, 2, 2, 2, 1], [0, 2, 2, 2, 2, 1], [0, 2, 2, 2, 2, 1]], np.uint8)
    instance_id = np.where(class_id == 2, 1, 0).astype(np.uint16)
    picture = overlay(image, Panoptic(class_id, instance_id), CLASSES, alpha=0.5)
    assert picture[0, 0].tolist() == [50, 50, 50]
    assert picture[0, 3].tolist() == [75, 25, 25]
    assert picture[3, 2].tolist() == [25, 125, 25]  # inside the car
    assert picture[1, 2].tolist() == [255, 255, 255]  # its border
    assert (image == 50).all()
    assert (overlay(image, Panoptic(class_id, np.zeros((4, 6), np.uint16)), CLASSES, alpha=0.0) == image).all()


def test_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an image of shape"):
        overlay(
            np.zeros((3, 3, 3), np.uint8), Panoptic(np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint16)), CLASSES
        )
