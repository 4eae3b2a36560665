"""Results and truth of different hands meet, image by image, or it is said why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cups_train.errors import ResultError
from cups_train.folders.result_index import FrameEntry, ResultIndex
from cups_train.folders.result_pairing import paired

CITY = [f"aachen_{n:06d}_000019" for n in range(2)]


def index(name: str, images: dict[str, int | str]) -> ResultIndex:
    """`images`: file name -> image_id."""
    frames = {(0, file): FrameEntry(Path(name) / file, {}, image_id=number) for file, number in images.items()}
    return ResultIndex(name, {}, frames)


@pytest.mark.parametrize(
    "result",
    [
        {f"{name}_leftImg8bit.png": name for name in CITY},  # ids agree
        {f"{name}_leftImg8bit.png": n for n, name in enumerate(reversed(CITY))},  # ids only count: by the images' names
        {f"{name}.png": n for n, name in enumerate(CITY)},
        {f"{n}.png": name for n, name in enumerate(CITY)},  # names say nothing
        {f"{name}_gtFine_panoptic.png": n + 5 for n, name in enumerate(CITY)},  # names agree
    ],
)
def test_names_of_cityscapes(result: dict[str, int | str]) -> None:
    truth = index("truth", {f"{name}_gtFine_panoptic.png": name for name in CITY})
    found = paired(index("result", {**result, "other_000000_000019.png": 77}), truth)
    for name in CITY:
        frame = found[0, f"{name}_gtFine_panoptic.png"]
        assert frame.image_id == name or name in frame.image.name


def test_numbers_of_coco_pair_where_they_are_no_mere_count() -> None:
    truth = index("truth", {"000000000139.png": 139, "000000000285.png": 285})
    found = paired(index("result", {"x139.png": 139, "x285.png": 285}), truth)
    assert {key[1]: frame.image.name for key, frame in found.items()} == {
        "000000000139.png": "x139.png",
        "000000000285.png": "x285.png",
    }
    by_name = paired(index("result", {"000000000285.png": 0, "000000000139.png": 1}), truth)
    assert all(key[1] == frame.image.name for key, frame in by_name.items())


@pytest.mark.parametrize("first", [0, 1])
def test_what_only_counts_pairs_nothing(first: int) -> None:
    truth = index("truth", {"a.png": first, "b.png": first + 1})
    with pytest.raises(ResultError, match="found none for 2 in result, first a.png of folder 1"):
        paired(index("result", {"x.png": first, "y.png": first + 1}), truth)


def test_name_and_id_that_contradict_each_other_are_told() -> None:
    truth = index("truth", {"139.png": 139, "285.png": 285})
    with pytest.raises(ResultError, match="139.png of the truth has the name of image 285 and the id of 285.png"):
        paired(index("result", {"139.png": 285, "285.png": 139}), truth)


def test_two_results_of_one_image_are_none() -> None:
    truth = index("truth", {f"{CITY[0]}_gtFine_panoptic.png": CITY[0]})
    with pytest.raises(ResultError, match="found none for 1"):
        paired(index("result", {f"{CITY[0]}_leftImg8bit.png": 0, f"{CITY[0]}_leftImg8bit.jpg": 1}), truth)
