"""The stage on small recordings: files, resume, statistics, gate, result folders."""
from __future__ import annotations

import json
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from cups_ros.types import Classes, PseudoClass
from cups_train.config import LabelConfig
from cups_train.errors import GateError, ResultError
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.files import read_image, read_json
from cups_train.folders.labels import read_labels
from cups_train.pseudo_label import check, export_results, gate, label_picture, label_recording, read_rules, run
from cups_train.pseudo_label.kinds import Lens
from cups_train.pseudo_label.label import Rules, label_frame
from cups_train.types import MovingObject

K = 6
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i >= 5, (i, i, i)) for i in range(1, 7)))


def _run(folder: Path, recordings: list, out: str = "labels", config: LabelConfig | None = None, workers: int = 1) -> Classes:
    return run(recordings, folder / "motion", folder / "semantics", folder / out, config or LabelConfig(), workers)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".jpg"}


def test_labels_of_moving_and_parked_cars(tmp_path: Path, write_inputs: Callable) -> None:
    classes = _run(tmp_path, [write_inputs()])
    assert classes.things == (5, 6)
    frames = read_labels(tmp_path / "labels" / "drive")
    assert [f.key for f in frames] == [f"{n:06d}" for n in range(12)]
    first = frames[0].instances
    assert [(i.id, i.class_id, i.score, i.track_id, i.pixels) for i in first] == [(300, 5, 0.75, 340, 14 * 22)]
    assert frames[11].instances == () and frames[11].reason == "nothing moves"
    class_map, instances = frames[0].maps()
    assert instances.dtype == np.uint16 and read_image(tmp_path / "labels" / "drive" / "000000_instance.png").max() == 300
    assert np.unique(class_map[instances == 300]).tolist() == [5]  # the window takes the body's class
    assert (class_map[30:38, 60:70] == 5).all() and not instances[30:38, 60:70].any()  # parked: a thing pixel without an instance


def test_statistics(tmp_path: Path, write_inputs: Callable) -> None:
    _run(tmp_path, [write_inputs()])
    found = read_json(tmp_path / "labels" / "statistics.json")
    assert (found["frames"], found["frames_with_objects"], found["instances"], found["objects"]) == (12, 9, 9, 9)
    assert found["void_share"] == 0 and found["instances_per_frame"] == 0.75
    assert found["n_all"][4] == 9 * (20 * 12 - 70 + 80) and found["n_in"][4] == 9 * 170 and found["n_in"][5] == found["n_all"][5] == 9 * 70
    assert found["n_mask"] == [0, 0, 0, 0, 9, 0] and found["split"]["things"] == [5, 6] and found["split"]["rule"] == "lift"
    assert found["gate"] == {"passed": True, "message": None, "warnings": []}
    assert sum(c["area_share"] for c in found["classes"]) == pytest.approx(1)
    assert "instances 9 (0.8 a frame)" in check(tmp_path / "labels", LabelConfig())


def test_same_bytes_after_a_stop_and_with_workers(tmp_path: Path, write_inputs: Callable) -> None:
    recordings = [write_inputs("a", frames=30), write_inputs("b", frames=6)]
    _run(tmp_path, recordings)
    expected = _files(tmp_path / "labels")
    stopped = tmp_path / "labels" / "b"
    (stopped / "labels.json").unlink()
    (stopped / "000003_instance.png").unlink()
    (tmp_path / "labels" / "statistics.json").unlink()
    kept = (stopped / "000002_class.png").stat().st_mtime_ns
    _run(tmp_path, recordings)
    assert _files(tmp_path / "labels") == expected
    assert (stopped / "000002_class.png").stat().st_mtime_ns == kept
    _run(tmp_path, recordings, "again", workers=2)
    assert _files(tmp_path / "again") == expected


def test_other_input_makes_labels_again(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    _run(tmp_path, [recording])
    before = read_image(tmp_path / "labels" / "drive" / "000000_class.png")
    path = tmp_path / "semantics" / "drive" / "000000.png"
    changed = read_image(path)
    changed[:12] = 4
    cv2.imwrite(str(path), changed)
    _run(tmp_path, [recording])
    after = read_image(tmp_path / "labels" / "drive" / "000000_class.png")
    assert (before[:12] == 3).all() and (after[:12] == 4).all()


def test_gate_asks_for_motion_over_all_recordings(tmp_path: Path, write_inputs: Callable) -> None:
    still = write_inputs("still", frames=12, moving=0)
    with pytest.raises(GateError, match=r"at least 2% of the frames, found them in 0 of 12; record .* labels.min_moving_frames\)") as caught:
        _run(tmp_path, [still])
    assert "\n" not in str(caught.value)
    verdict = read_json(tmp_path / "labels" / "statistics.json")["gate"]
    assert verdict["passed"] is False and verdict["message"] == str(caught.value)
    assert _run(tmp_path, [still, write_inputs("street")]).things == (5, 6)


def test_gate_stops_collapse_dead_classes_and_no_things() -> None:
    good = {"frames": 10, "frames_with_objects": 5, "objects": 9, "instances": 9, "split": {"things": [1]},
            "classes": [{"name": f"class_{i}", "area_share": 0.1} for i in range(10)]}
    gate(good, LabelConfig())
    cases = [({"classes": [{"name": "class_1", "area_share": 0.7}, {"name": "class_2", "area_share": 0.3}]}, "found class_1 with 70%; raise"),
             ({"classes": [{"name": f"c{i}", "area_share": 0.33 if i < 3 else 0.0} for i in range(9)]}, "at least 5 classes .* found 3 of 9"),
             ({"split": {"things": []}}, "found none in 9 objects of 10 frames"), ({"instances": 0}, "lower labels.thing_vote")]
    for change, message in cases:
        with pytest.raises(GateError, match=message):
            gate({**good, **change}, LabelConfig())


def test_result_folders(tmp_path: Path, write_inputs: Callable) -> None:
    recordings = [write_inputs("a"), write_inputs("b", frames=6)]
    classes = _run(tmp_path, recordings)
    assert export_results(tmp_path / "labels", classes, recordings, tmp_path / "both") == [tmp_path / "both" / "a", tmp_path / "both" / "b"]
    assert export_results(tmp_path / "labels", classes, recordings[:1], tmp_path / "one") == [tmp_path / "one"]
    tree = json.loads((tmp_path / "one" / "panoptic.json").read_text())
    assert len(tree["images"]) == len(tree["annotations"]) == 12 and tree["images"][11] == {
        "id": 11, "file_name": "000011.png", "width": 80, "height": 48, "stamp_ns": 1011}
    things = [s for s in tree["annotations"][0]["segments_info"] if s["category_id"] == 5]
    assert [(s["score"], s["track_id"], s["area"]) for s in things] == [(0.75, 340, 308)]
    again = evaluate(tmp_path / "one", tmp_path / "one", EvaluationOptions(no_assignment=True))
    assert again.all.pq == 1 and again.ap == 1 and again.void_share == 0


def test_recordings_not_seen_before_get_the_same_labels(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    classes = _run(tmp_path, [recording])
    rules = read_rules(tmp_path / "labels", classes, LabelConfig())
    answers = list(label_recording(recording, tmp_path / "motion" / "drive", tmp_path / "semantics" / "drive", rules))
    stored = [f.maps() for f in read_labels(tmp_path / "labels" / "drive")]
    assert [(key, stamp) for key, stamp, _ in answers] == [(f"{n:06d}", 1000 + n) for n in range(12)]
    for (_, _, panoptic), (class_map, instances) in zip(answers, stored, strict=True):
        assert (panoptic.instance_id == instances).all()
        known = panoptic.class_id > 0
        assert (panoptic.class_id[known] == class_map[known]).all() and set(np.unique(class_map[~known])) <= {5, 6}


def test_label_of_one_frame() -> None:
    """Object 2 is three parts wall and one part car: car. Object 3 is all wall: stuff, no instance."""
    class_map = np.full((8, 40), 2, np.uint8)
    class_map[:, 10:12] = 5
    instances = np.zeros((8, 40), np.uint16)
    instances[:, 10:18], instances[:, 22:30] = 2, 3
    objects = [MovingObject(2, 7, 0.5, 64, np.eye(4), (0, 0, 9), "residual")]
    lens = Lens(100.0, 0.1)
    panoptic = label_frame(class_map, instances, objects, Rules(CLASSES, LabelConfig()), lens)
    assert [(s.class_id, s.instance_id, s.score, s.track_id, s.area) for s in panoptic.segments] == [(5, 2, 0.5, 7, 64), (2, 0, 1.0, 0, 256)]
    published = label_frame(class_map, instances, objects, Rules(CLASSES, LabelConfig(compat="reference")), lens)
    assert [s.class_id for s in published.segments] == [2]
    assert [s.class_id for s in label_picture(class_map, CLASSES).segments] == [2]


def test_input_that_does_not_fit(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    cv2.imwrite(str(tmp_path / "semantics" / "drive" / "000001.png"), np.full((48, 80), 9, np.uint8))
    with pytest.raises(ResultError, match="expected classes 1 to 6 .* found 9 to 9"):
        _run(tmp_path, [recording])
    cv2.imwrite(str(tmp_path / "semantics" / "drive" / "000001.png"), np.ones((4, 4), np.uint8))
    with pytest.raises(ResultError, match="of the size of the objects"):
        _run(tmp_path, [recording])
    tree = read_json(tmp_path / "motion" / "drive" / "motion.json")
    (tmp_path / "motion" / "drive" / "motion.json").write_text(json.dumps({"frames": tree["frames"][:3]}))
    with pytest.raises(ResultError, match="expected frame 000003 of drive"):
        _run(tmp_path, [recording])
    (tmp_path / "motion" / "drive" / "motion.json").write_text(json.dumps({"frames": [{"key": "000000"}]}))
    with pytest.raises(ResultError, match="`cups-train motion` makes it again"):
        _run(tmp_path, [recording])


def test_a_changed_label_is_noticed_and_a_damaged_one_made_again(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    _run(tmp_path, [recording])
    expected = _files(tmp_path / "labels")
    path = tmp_path / "labels" / "drive" / "000003_class.png"
    changed = read_image(path)
    changed[0, 0] = 1
    cv2.imwrite(str(path), changed)
    with pytest.raises(ResultError, match="maps of frame 000003 in .*drive as they were written, found others; delete"):
        read_labels(tmp_path / "labels" / "drive")[3].maps()
    with pytest.raises(ResultError, match="frame 000003"):
        check(tmp_path / "labels", LabelConfig())
    (tmp_path / "labels" / "drive" / "000004_instance.png").write_bytes(b"half a fi")
    _run(tmp_path, [recording])
    assert _files(tmp_path / "labels") == expected
    check(tmp_path / "labels", LabelConfig())


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from cups_train.config import LabelConfig
from cups_train import files
from cups_train.pseudo_label import run
folder, after = Path(sys.argv[1]), int(sys.argv[2])
write, written = files.os.replace, []
def replace(a, b):
    written.append(b)
    if len(written) > after:
        os.kill(os.getpid(), signal.SIGKILL)
    write(a, b)
files.os.replace = replace
run(pickle.loads((folder / "recordings").read_bytes()), folder / "motion", folder / "semantics", folder / "labels", LabelConfig())
"""


def test_same_bytes_after_being_killed_twice(tmp_path: Path, write_inputs: Callable) -> None:
    """SIGKILL between a file's writing and its renaming: in the first call while frames are labelled, in the second a little later."""
    recordings = [write_inputs("a"), write_inputs("b", frames=6)]
    _run(tmp_path, recordings)
    expected = _files(tmp_path / "labels")
    shutil.rmtree(tmp_path / "labels")
    plain = [SimpleNamespace(**{**vars(r), "stamps": [SimpleNamespace(**vars(s)) for s in r.stamps], "camera": r.camera, "step_ns": r.step_ns})
             for r in recordings]
    (tmp_path / "recordings").write_bytes(pickle.dumps(plain))
    for after in (9, 12):
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(after)], capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert 8 < len(_files(tmp_path / "labels")) < len(expected)
    _run(tmp_path, recordings)
    found = {name: data for name, data in _files(tmp_path / "labels").items() if not Path(name).name.startswith(".")}
    assert found == expected


def test_kinds_are_no_classes_of_pixels(tmp_path: Path, write_inputs: Callable) -> None:
    recordings = [write_inputs(name) for name in ("a", "b")]
    classes = _run(tmp_path, recordings)
    assert len(classes) == K + 2 and classes.things[-2:] == (K + 1, K + 2)  # 18 moving objects make two kinds
    cv2.imwrite(str(tmp_path / "semantics" / "a" / "000001.png"), np.full((48, 80), K + 1, np.uint8))
    rules = read_rules(tmp_path / "labels", classes, LabelConfig())
    with pytest.raises(ResultError, match=f"expected classes 1 to {K} .* found {K + 1} to {K + 1}"):
        list(label_recording(recordings[0], tmp_path / "motion" / "a", tmp_path / "semantics" / "a", rules))
