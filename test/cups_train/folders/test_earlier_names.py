"""Names follow their classes when labels are made anew."""

from __future__ import annotations

from pathlib import Path

from cups_ros.types import Classes, PseudoClass
from cups_train.folders.names import are_of_other_labels, names_yaml, read_names

THEN = (1, 1, 1, 2, 2, 3, 4)  # two classes of stuff, two kinds of movers


def classes(stuff: int, *named: str) -> Classes:
    rows = [PseudoClass(i, f"class_{i:02d}", False, (i, i, i)) for i in range(1, stuff + 1)]
    rows += [PseudoClass(stuff + i, f"mover_{i:02d}", True, (9, i, i)) for i in (1, 2)]
    names = dict(zip(range(1, len(named) + 1), named, strict=True))
    return Classes(tuple(PseudoClass(c.id, names.get(c.id, c.name), c.isthing, c.color) for c in rows))


def read(folder: Path, named: Classes, now: Classes, class_of: tuple[int, ...]) -> list[str]:
    path = folder / "names.yaml"
    path.write_text(names_yaml(named, THEN))
    return [c.name for c in read_names(path, now, class_of)]


def test_a_cut_class_leaves_its_name_to_the_larger_part(tmp_path: Path) -> None:
    named = classes(2, "road", "house", "car")
    found = read(tmp_path, named, classes(3), (2, 2, 3, 1, 1, 4, 5))
    assert found == ["house", "road", "class_03", "car", "mover_02"]


def test_joined_classes_keep_one_name(tmp_path: Path) -> None:
    assert read(tmp_path, classes(2, "road", "house"), classes(1), (1, 1, 1, 1, 1, 2, 3)) == [
        "road",
        "mover_01",
        "mover_02",
    ]


def test_what_no_person_named_is_not_carried(tmp_path: Path) -> None:
    assert read(tmp_path, classes(2, "road?", "class_02"), classes(3), (2, 2, 3, 1, 1, 4, 5))[:3] == [
        "class_01",
        "class_02",
        "class_03",
    ]


def test_merges_follow_too(tmp_path: Path) -> None:
    path = tmp_path / "names.yaml"
    path.write_text("1: {name: road, color: [1, 2, 3]}\n2: {merge_into: 1}\n3: {name: car, color: [0, 0, 9]}\n"
                    "4: {merge_into: 3}\nclusters: [1, 1, 1, 2, 2, 3, 4]\n")  # fmt: skip
    found = read_names(path, classes(3), (2, 2, 3, 1, 1, 4, 5))
    assert found.merge_table().tolist() == [0, 2, 2, 3, 4, 4]
    assert [c.name for c in found] == ["class_01", "road", "class_03", "car", "mover_02"]


def test_other_clusters_take_no_name(tmp_path: Path) -> None:
    assert read(tmp_path, classes(2, "road"), classes(2), (1, 2, 3, 4))[0] == "class_01"
    assert are_of_other_labels(tmp_path / "names.yaml", (1, 2, 3, 4))
    assert not are_of_other_labels(tmp_path / "names.yaml", THEN)
