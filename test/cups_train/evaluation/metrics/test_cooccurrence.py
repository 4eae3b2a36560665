"""Maps and their lists: both say the same, or it is told."""

from __future__ import annotations

import logging
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cups_train.errors import ResultError
from cups_train.evaluation.metrics.cooccurrence import image_tables
from cups_train.folders.result_index import read_index

IDS = np.repeat(np.array([[0, 5, 70000]]), 6, axis=0)
ROWS = [{"id": 5, "category_id": 1, "area": 6}, {"id": 70000, "category_id": 1, "area": 6}]
CATEGORIES = [(1, "road", 0)]


def tables(write_folder: Callable[..., Path], folder: Path, ids: np.ndarray, rows: list[dict[str, Any]]) -> int:
    result = write_folder(folder / "result", {"a": (ids, rows)}, CATEGORIES)
    truth = write_folder(folder / "truth", {"a": (IDS, ROWS)}, CATEGORIES)
    return len(list(image_tables(read_index(result), read_index(truth))))


def test_list_and_map_that_fit(write_folder: Callable[..., Path], tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        assert tables(write_folder, tmp_path, IDS, ROWS) == 1
    assert not caplog.records


def test_a_wrong_area_is_a_warning(write_folder: Callable[..., Path], tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.WARNING):
        assert tables(write_folder, tmp_path, IDS, [{**ROWS[0], "area": 7}, ROWS[1]]) == 1
    assert "1 areas of segments" in caplog.text and "7 px of segment 5" in caplog.text and "found 6" in caplog.text


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS[:1], r"every id of .* in its segments_info, found \[70000\] without an entry"),
        ([*ROWS, {"id": 9, "category_id": 1}], r"pixels of every segment in .*, found none of \[9\]"),
    ],
)
def test_ids_of_one_side_alone_are_refused(
    write_folder: Callable[..., Path], tmp_path: Path, rows: list[dict[str, Any]], told: str
) -> None:
    with pytest.raises(ResultError, match=told):
        tables(write_folder, tmp_path, IDS, rows)


def test_a_huge_map_is_refused_by_its_header(write_folder: Callable[..., Path], tmp_path: Path) -> None:
    write_folder(tmp_path / "truth", {"a": (IDS, ROWS)}, CATEGORIES)
    head = b"IHDR" + struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (tmp_path / "truth" / "panoptic" / "a.png").write_bytes(png)
    index, began = read_index(tmp_path / "truth"), time.monotonic()
    with pytest.raises(ResultError, match="at most 200 megapixels, found 30000x30000"):
        list(image_tables(index, index))
    assert time.monotonic() - began < 5
