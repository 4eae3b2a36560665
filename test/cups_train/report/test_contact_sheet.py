import numpy as np
import pytest

from cups_train.report.contact_sheet import CROP, EXAMPLES, OUTLINE, contact_sheet, find_examples


def frame(columns, value):
    """An image of one grey value, class 2 in the first `columns` columns, class 1 elsewhere."""
    ids = np.ones((64, 128), np.uint8)
    ids[:, :columns] = 2
    return np.full((64, 128, 3), value, np.uint8), ids


def test_examples_are_of_the_frames_where_a_class_is_largest():
    examples = find_examples(
        (frame(columns, value) for columns, value in ((10, 60), (30, 90), (20, 120), (0, 250), (5, 30))), 3, most=2
    )
    assert [len(e.crops) for e in examples] == [2, 2, 0]
    assert examples[1].share == pytest.approx(65 / (5 * 128)) and examples[2].share == 0
    # class 2: the crop's right side is dimmed, its left side is as bright as the frames with 30 and 20 columns
    assert [int(crop[48, 2].max()) for crop in examples[1].crops] == [90, 120]
    assert [int(crop[48, -3].max()) for crop in examples[1].crops] == [50, 60]
    # one column of outline, none along the picture's border
    assert (examples[1].crops[0] == OUTLINE).all(-1).any(0).sum() == 1


def test_the_sheet_shows_the_classes_that_occur():
    sheet = contact_sheet(find_examples([frame(30, 200)], 8))  # two of eight: one line
    assert sheet.shape[1] >= 6 * EXAMPLES * CROP and CROP < sheet.shape[0] < 2 * CROP and sheet.max() == 255
    many = contact_sheet(
        find_examples(
            [(np.full((64, 128, 3), 9, np.uint8), np.repeat(np.arange(1, 9, dtype=np.uint8), 16)[None].repeat(64, 0))],
            8,
        )
    )
    assert many.shape[0] == 2 * sheet.shape[0]
    assert contact_sheet(find_examples([], 3)).shape == sheet.shape
