"""Names of classes on files written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.errors import CupsError
from cups_train.folders.names import names_yaml, read_names

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i > 3, (i, i, i)) for i in range(1, 6)))


def _read(folder: Path, text: str) -> Classes:
    (folder / "names.yaml").write_text(text)
    return read_names(folder / "names.yaml", CLASSES)


def test_the_file_as_it_begins_changes_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, names_yaml(CLASSES)) == CLASSES


@pytest.mark.parametrize("name", ["road?", "two-wheeler? 2", "no", "7", "a: b, {c}", 'the "old" wall', "Straße"])
def test_any_name_survives_the_file(tmp_path: Path, name: str) -> None:
    named = Classes((PseudoClass(1, name, False, (1, 2, 3)),))
    (tmp_path / "names.yaml").write_text(names_yaml(named))
    assert read_names(tmp_path / "names.yaml", named) == named


def test_names_colours_and_merges(tmp_path: Path) -> None:
    rows = [
        "1: {name: road, color: [9, 8, 7]}",
        "2: {merge_into: 1}",
        "3: {name: wet road, color: [1, 2, 3], merge_into: 1}",
        "4: {name: car, color: [0, 0, 142]}",
        "5: {name: van, merge_into: 4}",
    ]
    found = _read(tmp_path, "\n".join(rows))
    assert [(c.name, c.color, c.merge_into, c.isthing) for c in found] == [
        ("road", (9, 8, 7), 0, False),
        ("road", (9, 8, 7), 1, False),
        ("wet road", (1, 2, 3), 1, False),
        ("car", (0, 0, 142), 0, True),
        ("van", (0, 0, 142), 4, True),
    ]
    assert found.merge_table().tolist() == [0, 1, 1, 1, 4, 4]
    assert _read(tmp_path, names_yaml(found)) == found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2: {merge_into: 4}", "class 2 to name an unmerged class of its kind, found 4"),
        ("2: {merge_into: 9}", "KeyError"),
        ("2: {name: x, color: [1, 2]}", "color"),
        ("2: {name: x, color: [1, 2, 999]}", "color"),
        ("2: {colour: [1, 2, 3]}", "colour of class 2"),
        ("9: {name: x, color: [1, 2, 3]}", "id 9"),
        ("2: [", "ParserError"),
        ("2: red", "found"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path: Path, line: str, message: str) -> None:
    rows = [f"{i}: {{name: c, color: [1, 1, 1]}}" for i in range(1, 6) if line[0] != str(i)]
    with pytest.raises(CupsError, match=r"for ids 1 to 5 in .*names.yaml, found ") as caught:
        _read(tmp_path, "\n".join([*rows, line]))
    assert message in str(caught.value)


def test_unknown_object_has_a_name_to_give_and_needs_none(tmp_path: Path) -> None:
    classes = CLASSES.with_unknown((9, 9, 9))
    path = tmp_path / "names.yaml"
    path.write_text(names_yaml(CLASSES))  # of a version that had no such class
    assert read_names(path, classes) == classes
    path.write_text(names_yaml(CLASSES) + "6: {name: obstacle, color: [255, 0, 0]}")
    assert [(c.name, c.color, c.unknown) for c in read_names(path, classes)][-1] == ("obstacle", (255, 0, 0), True)
    path.write_text(names_yaml(CLASSES) + "6: {merge_into: 4}")
    with pytest.raises(CupsError, match="merge_into of class 6"):
        read_names(path, classes)


def test_lines_and_parts_of_lines_may_be_left_out(tmp_path: Path) -> None:
    found = _read(tmp_path, "2: {name: road}\n5: {color: [7, 7, 7]}")
    assert [(c.name, c.color) for c in found] == [
        ("c1", (1, 1, 1)),
        ("road", (2, 2, 2)),
        ("c3", (3, 3, 3)),
        ("c4", (4, 4, 4)),
        ("c5", (7, 7, 7)),
    ]


def test_classes_of_one_name_and_kind_are_one_class(tmp_path: Path) -> None:
    lines = ["1: {name: road}", "2: {name: wall}", "3: {name: road}", "4: {name: road}", "5: {merge_into: 4}"]
    assert _read(tmp_path, "\n".join(lines)).merge_table().tolist() == [0, 1, 2, 1, 4, 4]


def test_guesses_of_one_name_stay_apart(tmp_path: Path) -> None:
    assert _read(tmp_path, "1: {name: 'road?'}\n2: {name: 'road?'}").merge_table().tolist() == [0, 1, 2, 3, 4, 5]
