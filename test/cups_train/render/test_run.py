"""The rendered street against its own truth: poses, photographs, format, repeatability."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from cups_train.config import RenderConfig
from cups_train.errors import CupsError
from cups_train.files import read_image
from cups_train.folders.results import rgb_to_ids
from cups_train.render.rosbag import stereo_recording
from cups_train.render.run import CITYSCAPES, FIRST_STAMP_NS, STEP_NS, render
from cups_train.render.scenes import SCENES
from cups_train.types import StereoCamera

SIZE = {"height": 128, "width": 256}
FRAMES = 3


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for kind in ("drive", "static", "standstill"):
        made[kind] = tmp_path_factory.mktemp(kind)
        render(made[kind], FRAMES, 5, RenderConfig(scene=kind, **SIZE))
    return made


def geometry(folder: Path, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Disparity, its next, flow, flow valid, visibility as a reader decodes them."""
    code = cv2.imread(str(folder / "truth" / f"{key}_flow.png"), cv2.IMREAD_UNCHANGED)[..., ::-1].astype(np.float64)
    disparity, following = (read_image(folder / "truth" / f"{key}_{name}.png") / 256 for name in ("disp", "disp_next"))
    return (
        disparity,
        following,
        (code[..., :2] - 32768) / 64,
        code[..., 2] > 0,
        read_image(folder / "truth" / f"{key}_vis.png"),
    )


def true_ids(folder: Path, number: int) -> np.ndarray:
    """true_id of every pixel, 0 on stuff, -1 on void."""
    ids = rgb_to_ids(read_image(folder / "truth" / "panoptic" / f"{number:06d}.png"))
    rows = json.loads((folder / "truth" / "panoptic.json").read_text())["annotations"][number]["segments_info"]
    table = np.full(ids.max() + 1, -1)
    for row in rows:
        table[row["id"]] = row.get("true_id", 0)
    return table[ids]


def images(folder: Path) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {"left": [], "right": []}
    with AnyReader([folder / "recording"]) as reader:
        for connection, _, raw in reader.messages():
            if connection.topic.endswith("compressed"):
                message = reader.deserialize(raw, connection.msgtype)
                found[connection.topic.split("/")[2]].append(
                    cv2.imdecode(np.asarray(message.data), cv2.IMREAD_GRAYSCALE).astype(np.float32)
                )
    return found


@pytest.mark.parametrize("kind", ["drive", "static", "standstill"])
def test_flow_and_next_disparity_follow_from_disparity_and_the_poses_in_truth_json(
    scenes: dict[str, Path], kind: str
) -> None:
    folder = scenes[kind]
    told = json.loads((folder / "truth" / "truth.json").read_text())
    frame = told["frames"][0]
    disparity, following, flow, valid, _ = geometry(folder, "000000")
    owner = true_ids(folder, 0)
    v, u = np.mgrid[: SIZE["height"], : SIZE["width"]]
    scale = told["fx"] * told["baseline"]
    now, after = np.array(frame["T_world_cam"]), np.linalg.inv(np.array(frame["T_world_cam_next"]))
    checked = 0
    for thing in [{"id": 0}, *(o for o in frame["objects"] if o["cls"] in ("car", "bus", "truck", "bicycle"))]:
        own = (
            np.eye(4)
            if thing["id"] == 0
            else np.array(thing["T_world_obj_next"]) @ np.linalg.inv(np.array(thing["T_world_obj"]))
        )
        mask = (owner == thing["id"]) & (disparity > 2) & valid
        z = scale / disparity[mask]
        points = np.stack(
            [z * (u[mask] - told["cx"]) / told["fx"], z * (v[mask] - told["cy"]) / told["fy"], z, np.ones_like(z)]
        )
        moved = after @ own @ now @ points
        expected = np.stack(
            [
                told["fx"] * moved[0] / moved[2] + told["cx"] - u[mask],
                told["fy"] * moved[1] / moved[2] + told["cy"] - v[mask],
            ],
            -1,
        )
        assert np.abs(flow[mask] - expected).max(initial=0) < 0.15
        assert np.abs(following[mask] - scale / moved[2]).max(initial=0) < 0.05
        checked += mask.sum()
    assert checked > 0.5 * owner.size


@pytest.mark.parametrize("kind", ["drive", "standstill"])
def test_warping_by_the_truth_explains_the_photographs(scenes: dict[str, Path], kind: str) -> None:
    folder = scenes[kind]
    disparity, _, flow, _, visible = geometry(folder, "000000")
    seen = images(folder)
    v, u = np.mgrid[: SIZE["height"], : SIZE["width"]].astype(np.float32)
    left, right, after = seen["left"][0], seen["right"][0], seen["left"][1]

    def error(image: np.ndarray, du: np.ndarray, dv: np.ndarray, mask: np.ndarray) -> float:
        warped = cv2.remap(image, (u + du).astype(np.float32), (v + dv).astype(np.float32), cv2.INTER_LINEAR)
        return float(np.abs(warped * (left[mask].mean() / warped[mask].mean()) - left)[mask].mean())

    stereo, forward = (disparity > 0) & ((visible & 1) > 0), (visible & 2) > 0
    zero = np.zeros_like(disparity)
    assert stereo.mean() > 0.6 and forward.mean() > 0.6
    assert error(right, -disparity, zero, stereo) < min(5.0, 0.4 * error(right, zero, zero, stereo))
    assert error(after, flow[..., 0], flow[..., 1], forward) < min(5.0, 0.75 * error(after, zero, zero, forward) + 0.5)
    if kind == "drive":
        assert error(after, flow[..., 0], flow[..., 1], forward) < 0.5 * error(after, zero, zero, forward)


def test_a_static_scene_holds_nothing_that_moves_and_a_drive_does(scenes: dict[str, Path]) -> None:
    told = {
        kind: json.loads((folder / "truth" / "panoptic.json").read_text())["annotations"]
        for kind, folder in scenes.items()
    }
    moving = {
        kind: [row["moving"] for annotation in rows for row in annotation["segments_info"] if "true_id" in row]
        for kind, rows in told.items()
    }
    assert moving["static"] and not any(moving["static"])
    assert any(moving["drive"]) and not all(moving["drive"])
    assert any(moving["standstill"])


def test_the_camera_of_a_standstill_sees_standing_things_stay_where_they_are(scenes: dict[str, Path]) -> None:
    disparity, following, flow, valid, _ = geometry(scenes["standstill"], "000000")
    still = true_ids(scenes["standstill"], 0) == 0
    assert valid.all() and not flow[still].any() and np.array_equal(disparity[still], following[still])
    assert np.abs(flow[~still]).max() > 0.5


def test_panoptic_rows_agree_with_the_map_and_with_truth_json(scenes: dict[str, Path]) -> None:
    folder = scenes["drive"] / "truth"
    panoptic, told = (json.loads((folder / name).read_text()) for name in ("panoptic.json", "truth.json"))
    assert panoptic["info"] == {"kind": "truth"} and panoptic["categories"] == CITYSCAPES.to_json()
    stamps = [FIRST_STAMP_NS + k * STEP_NS for k in range(FRAMES)]
    assert [i["stamp_ns"] for i in panoptic["images"]] == [f["stamp_ns"] for f in told["frames"]] == stamps
    for number, annotation in enumerate(panoptic["annotations"]):
        ids = rgb_to_ids(read_image(folder / "panoptic" / annotation["file_name"]))
        objects = {o["id"]: o for o in told["frames"][number]["objects"]}
        rows = {row["id"]: row for row in annotation["segments_info"]}
        assert set(np.unique(ids)) - {0} == set(rows)
        stuff = [row["category_id"] for row in rows.values() if "true_id" not in row]
        assert len(set(stuff)) == len(stuff) and {1, 3, 9} <= set(stuff)
        for number_of, row in rows.items():
            ys, xs = np.nonzero(ids == number_of)
            assert row["area"] == len(ys) and row["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            if "true_id" in row:
                assert (
                    row["category_id"] == row["true_id"] // 1000 + 1
                    and row["moving"] == objects[row["true_id"]]["moving"]
                )
                assert CITYSCAPES.items[row["category_id"] - 1].name == objects[row["true_id"]]["cls"]


def test_depth_and_disparity_tell_the_same_and_sky_has_none(scenes: dict[str, Path]) -> None:
    folder = scenes["drive"] / "truth"
    told = json.loads((folder / "truth.json").read_text())
    depth, disparity = read_image(folder / "000000_depth.png") / 1000, read_image(folder / "000000_disp.png") / 256
    near = depth > 0
    assert np.abs(told["fx"] * told["baseline"] / depth[near] - disparity[near]).max() < 0.02
    ids = rgb_to_ids(read_image(folder / "panoptic" / "000000.png"))
    sky = [
        row["id"]
        for row in json.loads((folder / "panoptic.json").read_text())["annotations"][0]["segments_info"]
        if row["category_id"] == 11
    ]
    assert np.array_equal(disparity == 0, np.isin(ids, sky)) and not depth[disparity == 0].any()


def test_the_last_frame_has_no_next(scenes: dict[str, Path]) -> None:
    truth = scenes["drive"] / "truth"
    assert not (truth / "000002_flow.png").exists() and not (truth / "000002_disp_next.png").exists()
    assert read_image(truth / "000002_vis.png").max() == 1


def test_the_recording_has_the_topics_stamps_and_calibration_of_a_rectified_pair(scenes: dict[str, Path]) -> None:
    told = json.loads((scenes["drive"] / "truth" / "truth.json").read_text())
    stamps: dict[str, list[int]] = {}
    with AnyReader([scenes["drive"] / "recording"]) as reader:
        for connection, time, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            side = connection.topic.split("/")[2]
            assert message.header.frame_id == f"stereo_{side}_optical"
            assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == time
            stamps.setdefault(connection.topic, []).append(time)
            if connection.topic.endswith("camera_info"):
                assert (message.width, message.height) == (SIZE["width"], SIZE["height"])
                assert message.p[3] == pytest.approx(-told["fx"] * told["baseline"] if side == "right" else 0.0)
                assert message.p[0] == told["fx"] and message.p[6] == told["cy"]
    assert set(stamps) == {
        f"/stereo/{side}/{name}" for side in ("left", "right") for name in ("image_rect/compressed", "camera_info")
    }
    assert all(times == [FIRST_STAMP_NS + k * STEP_NS for k in range(FRAMES)] for times in stamps.values())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(scenes: dict[str, Path], tmp_path: Path) -> None:
    render(tmp_path / "again", FRAMES, 5, RenderConfig(scene="drive", **SIZE))
    first = {p.relative_to(scenes["drive"]): p.read_bytes() for p in sorted(scenes["drive"].rglob("*")) if p.is_file()}
    second = {
        p.relative_to(tmp_path / "again"): p.read_bytes()
        for p in sorted((tmp_path / "again").rglob("*"))
        if p.is_file()
    }
    assert first == second
    render(tmp_path / "again", 1, 6, RenderConfig(scene="drive", **SIZE))
    assert (tmp_path / "again/truth/panoptic/000000.png").read_bytes() != first[Path("truth/panoptic/000000.png")]
    assert not (tmp_path / "again/truth/000001_disp.png").exists()


def test_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CupsError, match="expected --frames of at least 1, found 0"):
        render(tmp_path, 0)


def test_a_recording_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    camera = StereoCamera(8, 8, 10.0, 10.0, 3.5, 3.5, 0.2)
    with pytest.raises(RuntimeError, match="stop"), stereo_recording(tmp_path / "recording", camera):
        raise RuntimeError("stop")
    assert not list(tmp_path.iterdir())


def test_the_settings_offer_every_kind_of_scene() -> None:
    assert get_args(RenderConfig.model_fields["scene"].annotation) == SCENES
