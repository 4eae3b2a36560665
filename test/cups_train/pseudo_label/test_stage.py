"""The stage on small recordings: files, resume, gate."""

from __future__ import annotations

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

from cups_ros.types import Classes
from cups_train.config import LabelConfig
from cups_train.errors import GateError, ResultError
from cups_train.files import read_image, read_json
from cups_train.folders.labels import read_labels
from cups_train.pseudo_label import Basis, check, label_recording, make_labels, read_rules
from cups_train.types import Work

K = 6


def _run(
    folder: Path, recordings: list, out: str = "labels", config: LabelConfig | None = None, workers: int = 1
) -> Classes:
    return make_labels(
        Basis(recordings, folder / "motion", folder / "semantics"),
        folder / out,
        config or LabelConfig(),
        Work(0, workers, "cpu"),
    )


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.suffix != ".jpg"
    }


def test_labels_of_moving_and_parked_cars(tmp_path: Path, write_inputs: Callable) -> None:
    classes = _run(tmp_path, [write_inputs()])
    assert (
        classes.things == (5, 6)
        and classes.unknown == len(classes) == K + 1
        and len({c.color for c in classes}) == K + 1
    )
    frames = read_labels(tmp_path / "labels" / "drive")
    assert [f.key for f in frames] == [f"{n:06d}" for n in range(12)]
    first = frames[0].instances
    assert [(i.id, i.class_id, i.score, i.track_id, i.pixels) for i in first] == [(300, 5, 0.75, 340, 14 * 22)]
    assert frames[11].instances == () and frames[11].reason == "nothing moves"
    class_map, instances = frames[0].maps()
    assert (
        instances.dtype == np.uint16 and read_image(tmp_path / "labels" / "drive" / "000000_instance.png").max() == 300
    )
    assert np.unique(class_map[instances == 300]).tolist() == [5]  # the window takes the body's class
    # parked: a thing pixel without an instance
    assert (class_map[30:38, 60:70] == 5).all() and not instances[30:38, 60:70].any()


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
    with pytest.raises(
        GateError, match=r"at least 2% of the frames, found them in 0 of 12; record .* labels.min_moving_frames\)"
    ) as caught:
        _run(tmp_path, [still])
    assert "\n" not in str(caught.value)
    verdict = read_json(tmp_path / "labels" / "statistics.json")["gate"]
    assert verdict["passed"] is False and verdict["message"] == str(caught.value)
    assert _run(tmp_path, [still, write_inputs("street")]).things == (5, 6)


def test_recordings_not_seen_before_get_the_same_labels(tmp_path: Path, write_inputs: Callable) -> None:
    recording = write_inputs()
    classes = _run(tmp_path, [recording])
    rules = read_rules(tmp_path / "labels", classes, LabelConfig())
    answers = list(label_recording(recording, tmp_path / "motion" / "drive", tmp_path / "semantics" / "drive", rules))
    stored = [f.maps() for f in read_labels(tmp_path / "labels" / "drive")]
    assert [(frame.key, frame.stamp_ns) for frame, _ in answers] == [(f"{n:06d}", 1000 + n) for n in range(12)]
    for (_, panoptic), (class_map, instances) in zip(answers, stored, strict=True):
        assert (panoptic.instance_id == instances).all()
        known = panoptic.class_id != K + 1  # unknown object: thing pixels without an instance
        assert (panoptic.class_id[known] == class_map[known]).all() and set(np.unique(class_map[~known])) <= {5, 6}


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
from cups_train.pseudo_label import Basis, make_labels
from cups_train.types import Work
folder, after = Path(sys.argv[1]), int(sys.argv[2])
write, written = files.os.replace, []
def replace(a, b):
    written.append(b)
    if len(written) > after:
        os.kill(os.getpid(), signal.SIGKILL)
    write(a, b)
files.os.replace = replace
basis = Basis(pickle.loads((folder / "recordings").read_bytes()), folder / "motion", folder / "semantics")
make_labels(basis, folder / "labels", LabelConfig(), Work(0, 1, "cpu"))
"""


def test_same_bytes_after_being_killed_twice(tmp_path: Path, write_inputs: Callable) -> None:
    """SIGKILL between a file's writing and its renaming: in the first call while frames are labelled, in the second a
    little later."""
    recordings = [write_inputs("a"), write_inputs("b", frames=6)]
    _run(tmp_path, recordings)
    expected = _files(tmp_path / "labels")
    shutil.rmtree(tmp_path / "labels")
    plain = [
        SimpleNamespace(
            **{
                **vars(r),
                "stamps": [SimpleNamespace(**vars(s)) for s in r.stamps],
                "camera": r.camera,
                "step_ns": r.step_ns,
                "stereo": r.stereo,
            }
        )
        for r in recordings
    ]
    (tmp_path / "recordings").write_bytes(pickle.dumps(plain))
    for after in (9, 12):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), str(after)], capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert 8 < len(_files(tmp_path / "labels")) < len(expected)
    _run(tmp_path, recordings)
    found = {name: data for name, data in _files(tmp_path / "labels").items() if not Path(name).name.startswith(".")}
    assert found == expected


def test_kinds_are_no_classes_of_pixels(tmp_path: Path, write_inputs: Callable) -> None:
    recordings = [write_inputs(name) for name in ("a", "b")]
    classes = _run(tmp_path, recordings)
    # 18 like objects
    assert [c.name for c in classes] == ["class_01", "class_02", "class_03", "class_04", "car?", "unknown object"]
    cv2.imwrite(str(tmp_path / "semantics" / "a" / "000001.png"), np.full((48, 80), K + 1, np.uint8))
    rules = read_rules(tmp_path / "labels", classes, LabelConfig())
    with pytest.raises(ResultError, match=f"expected classes 1 to {K} .* found {K + 1} to {K + 1}"):
        list(label_recording(recordings[0], tmp_path / "motion" / "a", tmp_path / "semantics" / "a", rules))
