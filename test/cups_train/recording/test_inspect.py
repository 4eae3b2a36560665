from dataclasses import replace

import cv2
import numpy as np
import pytest

from cups_train.config import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording.inspect import inspect, open_to_train
from cups_train.recording.inspection_text import render_text
from cups_train.recording.tracking import corner_motion, row_offset

HEIGHT, WIDTH = 120, 200


def _wall(width=260):
    noise = np.random.default_rng(1).integers(0, 255, ((HEIGHT + 20) // 5, width // 5, 3)).astype(np.uint8)
    return cv2.resize(noise, (width, HEIGHT + 20), interpolation=cv2.INTER_CUBIC)


def _drive(bags, disparity=10, rows_off=0, ways=(0, 3, 6, 9), stamps=None, right_info=None):
    """A wall that moves to the left by the given ways [px], seen by a pair."""
    wall = _wall()
    stamps = stamps or bags.steady(len(ways))
    rows = bags.stereo(stamps)
    images = {}
    for stamp, way in zip(stamps, ways, strict=True):
        images["left", stamp] = wall[10 : 10 + HEIGHT, way : way + WIDTH]
        images["right", stamp] = wall[10 - rows_off : 10 - rows_off + HEIGHT, way + disparity : way + disparity + WIDTH]
    done = []
    for row in rows:
        side = "right" if "right" in row.topic else "left"
        changed = right_info if right_info and side == "right" else {}
        info = bags.info(side == "right", height=HEIGHT, width=WIDTH, **changed)
        message = info if row.topic.endswith("info") else bags.raw(images[side, row.log_ns], row.log_ns)
        done.append(replace(row, message=message))
    return bags.write(done)


def test_row_offset_and_motion():
    wall = _wall()
    left, right = wall[10:130, :200], wall[7:127, 10:210]
    offset = row_offset(left, right)
    off, disparity = offset.distance, offset.disparity
    assert off == pytest.approx(3, abs=0.1) and disparity == pytest.approx(10, abs=0.1)
    assert corner_motion(left, wall[14:134, 3:203]) == pytest.approx(5, abs=0.1)  # 3 and 4 px
    assert row_offset(np.zeros_like(left), np.zeros_like(left)) is None
    assert corner_motion(np.zeros_like(left), left) is None


def test_good_recording(bags):
    found = inspect(_drive(bags), RecordingConfig())
    assert found.problem is None and found.warnings == ()
    assert (found.pairs, found.images, found.following, found.step_ms) == (4, (4, 4), 3, 100.0)
    assert found.row_offset_px == pytest.approx(0, abs=0.1)
    assert found.standing == 0.0 and found.motion_px == pytest.approx(3, abs=0.1)
    assert found.cameras[0].encoding == "rgb8" and found.cameras[0].rectified
    assert found.duration_s == pytest.approx(0.3)
    lefts = next(topic for topic in found.topics if topic.name == "/stereo/left/image_raw")
    assert (lefts.count, lefts.rate_hz, lefts.gaps, lefts.duplicates, lefts.backwards) == (
        4,
        pytest.approx(10),
        0,
        0,
        0,
    )
    text = render_text(found)
    for part in (
        "/stereo/right/camera_info",
        "200x120, rgb8, rectified",
        "baseline 0.2000 m",
        "4 of 4 left",
        "driving 100%",
    ):
        assert part in text
    assert text.splitlines()[-1] == "verdict: can be trained on"


def test_standing(bags):
    assert inspect(_drive(bags, ways=(0, 0, 0)), RecordingConfig()).standing == 1.0


def test_jitter_and_gaps(bags):
    stamps = [bags.start + t * 10**6 for t in (0, 90, 200, 300, 700)]
    found = inspect(_drive(bags, ways=(0, 1, 2, 3, 4), stamps=stamps), RecordingConfig())
    lefts = next(topic for topic in found.topics if topic.name == "/stereo/left/image_raw")
    assert lefts.jitter_ms == pytest.approx(np.std([90, 110, 100]))
    assert (lefts.gaps, lefts.longest_gap_s) == (1, pytest.approx(0.4))
    assert any("gap(s)" in warning for warning in found.warnings)
    assert found.problem is None and found.following == 3


def test_rows_that_do_not_agree(bags):
    found = inspect(_drive(bags, rows_off=4), RecordingConfig())
    assert found.problem is not None
    assert "4.0 px apart: calibrate the pair anew" in render_text(found).splitlines()[-1]


def test_images_swapped_behind_a_good_camera_info(bags):
    found = inspect(_drive(bags, disparity=-8, ways=(10, 13)), RecordingConfig())
    assert "swap `--left` and `--right`" in found.problem


def test_verdict_says_why_not(bags):
    path = bags.write([row for row in bags.stereo(bags.steady(3)) if "left" in row.topic])
    found = inspect(path, RecordingConfig())
    assert found.problem is not None and found.cameras == () and found.camera is None
    text = render_text(found)
    assert "/stereo/left/image_raw" in text
    assert text.splitlines()[-1].startswith("verdict: cannot be trained on: expected a left and a right image topic")


def test_cannot_be_opened(tmp_path):
    with pytest.raises(RecordingError, match="found no"):
        inspect(tmp_path / "nowhere", RecordingConfig())


def test_what_trains_refuses_what_inspect_refuses(bags):
    path = _drive(bags, rows_off=4)
    with pytest.raises(RecordingError, match="cannot be trained on: expected left and right on the same rows"):
        open_to_train([path], RecordingConfig())


def test_what_inspect_takes_trains(bags):
    assert len(open_to_train([_drive(bags)], RecordingConfig())[0]) == 4


def test_a_wrong_sign_can_be_overruled(bags):
    """Whatever P says, the pictures and the settings decide."""
    path = _drive(bags, right_info={"p": np.array([50, 0, 31.5, 10, 0, 50, 23.5, 0, 0, 0, 1, 0.0])})
    given = RecordingConfig(left="/stereo/left/image_raw", right="/stereo/right/image_raw", baseline=0.2)
    assert inspect(path, given).problem is None and inspect(path, given).camera.baseline == 0.2
    named = inspect(path, RecordingConfig(left="/stereo/left/image_raw", right="/stereo/right/image_raw"))
    assert "wrong sign" in named.problem


def test_rectified_images_with_the_lens_of_the_raw_ones(bags):
    """KITTI's converters: the pictures are rectified, their camera_info is not."""
    path = _drive(bags, right_info={"r": cv2.Rodrigues(np.array([0.15, 0.0, 0.0]))[0].ravel()})
    assert "recording.rectified=true" in inspect(path, RecordingConfig()).problem
    assert inspect(path, RecordingConfig(rectified=True)).problem is None


def test_a_recording_is_trained_on_once(bags, tmp_path):
    path = _drive(bags)
    link = tmp_path / "link"
    link.symlink_to(path, target_is_directory=True)
    inside = next(file for file in path.iterdir() if file.suffix in (".mcap", ".db3"))
    for again in (link, inside):
        with pytest.raises(RecordingError, match="expected every recording once"):
            open_to_train([path, again], RecordingConfig())
