"""Result folders, read back with plain JSON and PNG."""

import json

import numpy as np

from cups_ros.fusion import panoptic_from_maps
from cups_ros.types import Classes, KnownInstance, PseudoClass
from cups_train.files import read_image
from cups_train.folders.results import ResultWriter, ids_to_rgb, rgb_to_ids


def test_a_frame_reads_back(tmp_path):
    classes = Classes((PseudoClass(1, "road", False, (1, 2, 3)), PseudoClass(2, "car", True, (4, 5, 6))))
    panoptic = panoptic_from_maps(
        np.array([[1, 2, 2]], np.uint8), np.array([[0, 7, 7]], np.uint16), {7: KnownInstance(2, 0.5, 12)}, classes
    )
    writer = ResultWriter(tmp_path, classes, {"kind": "prediction"})
    writer.write("000004", 99, panoptic)
    assert not (tmp_path / "panoptic.json").exists()
    writer.close()
    data = json.loads((tmp_path / "panoptic.json").read_text())
    assert data["images"] == [{"id": 0, "file_name": "000004.png", "width": 3, "height": 1, "stamp_ns": 99}]
    rows = data["annotations"][0]["segments_info"]
    found = {(r["category_id"], r["area"], tuple(r["bbox"]), r.get("track_id")) for r in rows}
    assert found == {(1, 1, (0, 0, 1, 1), None), (2, 2, (1, 0, 2, 1), 12)}
    ids = rgb_to_ids(read_image(tmp_path / "panoptic" / "000004.png"))
    by_id = {r["id"]: r["category_id"] for r in rows}
    assert [by_id[i] for i in ids[0].tolist()] == [1, 2, 2]


def test_ids_use_all_three_channels():
    ids = np.array([[0, 255, 256, 65536 + 3 * 256 + 5]])
    assert (rgb_to_ids(ids_to_rgb(ids)) == ids).all()


def test_unknown_objects_are_a_crowd(tmp_path):
    classes = Classes((PseudoClass(1, "road", False, (1, 2, 3)), PseudoClass(2, "car", True, (4, 5, 6)))).with_unknown(
        (7, 8, 9)
    )
    kinds, instances = np.array([[1, 2, 2, 2]], np.uint8), np.array([[0, 0, 7, 0]], np.uint16)
    writer = ResultWriter(tmp_path, classes)
    writer.write("000000", 0, panoptic_from_maps(kinds, instances, {7: KnownInstance(2)}, classes))
    writer.close()
    data = json.loads((tmp_path / "panoptic.json").read_text())
    assert [(r["category_id"], r["iscrowd"], r["area"]) for r in data["annotations"][0]["segments_info"]] == [
        (2, 0, 1),
        (1, 0, 1),
        (3, 1, 2),
    ]
    assert data["categories"][2] == {"id": 3, "name": "unknown object", "isthing": 1, "color": [7, 8, 9], "unknown": 1}
