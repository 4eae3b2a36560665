"""A panoptic.json of others: what it may say, and the sentence for what it may not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cups_train.errors import ResultError
from cups_train.folders.result_index import folder_list, read_index


def tree() -> dict[str, Any]:
    return {
        "images": [{"id": "a", "file_name": "a.jpg"}, {"id": "b", "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": "a", "file_name": "a.png", "segments_info": [{"id": 7, "category_id": 1, "score": 0.5}]},
            {"image_id": "b", "file_name": "sub/b.png", "segments_info": [{"id": 7.0, "category_id": 2, "area": 4}]},
        ],
        "categories": [{"id": 1, "name": "road", "isthing": 0}, {"id": 2, "name": "car", "isthing": 1}],
    }


def written(folder: Path, found: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "panoptic.json").write_text(json.dumps(found))
    return folder


def segment(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["annotations"][0]["segments_info"][0].update(values)


def annotation(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["annotations"][0].update(values)


def category(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda found: found["categories"][0].update(values)


def test_whole_numbers_however_written(tmp_path: Path) -> None:
    index = read_index(written(tmp_path, tree()))
    assert [(key[1], frame.image_id, list(frame.segments)) for key, frame in index.frames.items()] == [
        ("a.png", "a", [7]),
        ("sub/b.png", "b", [7]),
    ]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (segment(id=0), "ids from 1 to 16777215, found 0 (0 is void)"),
        (segment(id=-3), "ids from 1 to 16777215, found -3"),
        (segment(id=2**24), "found 16777216"),
        (segment(id=7.5), "a whole number as the id of a segment, found 7.5"),
        (segment(id="7"), "a whole number as the id of a segment, found '7'"),
        (segment(id=True), "a whole number as the id of a segment, found True"),
        (segment(id=None), "a whole number as the id of a segment, found None"),
        (segment(category_id=1.5), "a whole number as the category_id of a segment, found 1.5"),
        (segment(category_id=9), "every category_id"),
        (segment(score=float("nan")), "scores from 0 to 1, found nan"),
        (segment(score=float("inf")), "scores from 0 to 1, found inf"),
        (segment(score=1.01), "scores from 0 to 1, found 1.01"),
        (segment(score=-0.5), "scores from 0 to 1, found -0.5"),
        (segment(score="high"), "scores from 0 to 1, found 'high'"),
        (segment(area="large"), "a whole number as the area of a segment"),
        (annotation(file_name="../a.png"), "a file_name within its folder, found '../a.png'"),
        (annotation(file_name="x/../../a.png"), "a file_name within its folder"),
        (annotation(file_name="..\\a.png"), "a file_name within its folder"),
        (annotation(file_name="/etc/passwd"), "a file_name within its folder, found '/etc/passwd'"),
        (annotation(file_name="C:\\a.png"), "a file_name within its folder"),
        (annotation(file_name="a\ud800.png"), "the name of a file as file_name, found 'a\\ud800.png'"),
        (annotation(file_name="a\0.png"), "the name of a file as file_name"),
        (annotation(file_name=""), "the name of a file as file_name, found ''"),
        (annotation(file_name=3), "the name of a file as file_name, found 3"),
        (annotation(file_name="sub/b.png"), "every file_name of an annotation once, found 'sub/b.png'"),
        (annotation(image_id="b"), "every image_id of an annotation once, found 'b'"),
        (annotation(image_id=1.5), "a whole number as an image_id"),
        (annotation(segments_info=3), "COCO panoptic form"),
        (category(id=2), "every id of a category once, found 2"),
        (category(id=1.5), "a whole number as the id of a category, found 1.5"),
        (category(name=["road"]), "the name of a category, found ['road']"),
        (category(name=""), "the name of a category, found ''"),
        (category(isthing="no"), "0 or 1 as isthing, found 'no'"),
        (category(isthing=2), "0 or 1 as isthing, found 2"),
        (category(isthing=None), "0 or 1 as isthing, found None"),
        (segment(iscrowd="0"), "0 or 1 as iscrowd, found '0'"),
        (category(name="car"), "every name of a category once, found 'car'"),
        (lambda found: found["images"][0].update(id="b"), "every id of an image once, found 'b'"),
        (lambda found: found["images"].append(3), "COCO panoptic form"),
        (lambda found: found.update(annotations={"a": 1}), "COCO panoptic form"),
        (
            lambda found: found["annotations"][0]["segments_info"].append({"id": 7, "category_id": 1}),
            "every id of a segment of a.png once, found 7",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, spoil: Callable[[dict[str, Any]], None], told: str) -> None:
    found = tree()
    spoil(found)
    with pytest.raises(ResultError, match=re.escape(told)) as refused:
        read_index(written(tmp_path, found))
    assert "panoptic.json" in str(refused.value) or "every category_id" in told
    assert "\n" not in str(refused.value) and str(refused.value).isascii()


def test_a_comma_in_the_name_of_a_folder(tmp_path: Path) -> None:
    odd = written(tmp_path / "day 1, wet", tree())
    plain = written(tmp_path / "plain", tree())
    assert folder_list(str(odd)) == [odd]  # the only one: as it is
    escaped = str(odd).replace(",", "\\,")
    assert folder_list(f"{escaped}, {plain}") == [odd, plain]
    assert folder_list(f"{plain},{plain}") == [plain, plain] and folder_list(str(plain)) == [plain]


def test_the_mark_that_editors_of_windows_put_in_front(tmp_path: Path) -> None:
    written(tmp_path, tree())
    file = tmp_path / "panoptic.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert len(read_index(tmp_path).frames) == 2


@pytest.mark.parametrize("data", [b"", b"{", b"[1" + b"0" * 5000 + b"]", b"\xff\xfe{\x00}\x00"])
def test_what_is_no_json_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "panoptic.json").write_bytes(data)
    with pytest.raises(ResultError, match="expected JSON in .*panoptic.json, found a damaged file"):
        read_index(tmp_path)
