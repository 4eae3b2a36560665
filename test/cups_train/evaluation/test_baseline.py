import json

import cv2
import numpy as np

from cups_train.config import Config, LabelConfig
from cups_train.evaluation import baseline
from cups_train.files import write_image


def test_components_of_thing_clusters_are_instances_and_specks_are_void():
    ids = np.ones((50, 100), np.uint8)
    ids[10:20, 10:20] = ids[30:40, 60:80] = 2
    ids[0, 99] = 2
    panoptic = baseline.panoptic(ids, baseline.make_classes(2, frozenset({2})))
    assert [(s.class_id, s.instance_id, s.area, s.bbox) for s in panoptic.segments] == [
        (1, 0, 5000 - 301, (0, 0, 100, 50)),
        (2, 1, 100, (10, 10, 10, 10)),
        (2, 2, 200, (60, 30, 20, 10)),
    ]
    assert panoptic.class_id[0, 99] == 0 and panoptic.instance_id.max() == 2


def test_result_folders_of_learned_clusters(tmp_path, make_street):
    streets = [make_street("a"), make_street("b")]
    folders = baseline.write_baseline(baseline.Learning(streets, 4), streets, tmp_path, Config(seed=0))
    assert folders == [tmp_path / "a", tmp_path / "b"]
    result = json.loads((tmp_path / "b" / "panoptic.json").read_text())
    assert len(result["images"]) == 3 and not any(c["isthing"] for c in result["categories"])
    assert len(list((tmp_path / "b" / "overlays").glob("*.jpg"))) == 3
    model = baseline.load(tmp_path / "kmeans.json")
    ids = baseline.classify(model, streets[0].left("000000"))
    assert ids.shape == (64, 128) and len({int(ids[4, 60]), int(ids[60, 60])}) == 2  # sky and road


def test_clusters_inside_moving_objects_are_things(tmp_path, street):
    model = baseline.kmeans_colour_position([street], tmp_path / "k.json", 6, 0)
    ids = baseline.classify(model, street.left("000000"))
    chosen = int(ids[60, 60])
    for stamp in street.stamps:
        moving = (baseline.classify(model, street.left(stamp.key)) == chosen).astype(np.uint16)
        write_image(tmp_path / "street" / "instances" / f"{stamp.key}.png", moving)
    assert baseline.moving_clusters([street], model, tmp_path, LabelConfig(things=(1, 2, 3))) == {chosen}
    assert cv2.imread(str(tmp_path / "street" / "instances" / "000000.png"), -1).dtype == np.uint16
