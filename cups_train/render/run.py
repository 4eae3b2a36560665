"""The procedural street: a stereo recording and its exact truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.types import Classes, PseudoClass
from cups_train.config import RenderConfig
from cups_train.errors import CupsError
from cups_train.files import write_image, write_json
from cups_train.folders.layout import TRUTH
from cups_train.folders.results import ResultWriter
from cups_train.output import check_output, replacing
from cups_train.progress import progress
from cups_train.render.actors import STANDING, Actor
from cups_train.render.quads import Quads, join
from cups_train.render.raster import Viewpoint, rasterise
from cups_train.render.rosbag import stereo_recording
from cups_train.render.scenes import STEP_S, Scene, make_scene
from cups_train.render.sensor import expose, stereo_sensors
from cups_train.render.shade import Shadows, cast_shadow, shade
from cups_train.render.truth import FrameTruth, Seen, frame_truth, segments
from cups_train.types import StereoCamera

FIRST_STAMP_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
_STUFF = (
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)),
    ("fence", (190, 153, 153)),
    ("pole", (153, 153, 153)),
    ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)),
    ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)),
)
_THINGS = (
    ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)),
    ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
)
CITYSCAPES = Classes(
    tuple(PseudoClass(k, name, k > len(_STUFF), color) for k, (name, color) in enumerate(_STUFF + _THINGS, 1))
)


def render(out: Path, frames: int = 24, seed: int = 0, config: RenderConfig | None = None, force: bool = False) -> None:
    """Write `out`/recording (rosbag2, 10 Hz) and `out`/truth (formats.md section 4); the same arguments give the same
    bytes.

    They take the place of what an earlier call has made when they are complete. `force`: as in `check_output`.
    """
    if frames < 1:
        raise CupsError(f"expected --frames of at least 1, found {frames}")
    check_output(out, "render", force=force)
    config = config or RenderConfig()
    rng = np.random.default_rng([seed, 1])
    camera, height_m = _camera(config, rng)
    scene = make_scene(config.scene, frames, seed, height_m)
    sensors = stereo_sensors(rng, config.height, config.width)
    rows = []
    with replacing(out, "render") as new, stereo_recording(new / "recording", camera) as recording:
        truth = ResultWriter(new / "truth", CITYSCAPES, {"kind": "truth"}, scored=False)
        for moment in progress(_moments(scene, camera, frames), "render", total=frames):
            key, stamp = f"{moment.number:06d}", FIRST_STAMP_NS + STEP_NS * moment.number
            noise = np.random.default_rng([seed, 2, moment.number])
            recording.write(stamp, expose(moment.left, sensors[0], noise), expose(moment.right, sensors[1], noise))
            moving = {a.true_id: _moves(a, moment.number) for a in scene.actors}
            truth.write_ids(key, stamp, *segments(moment.truth, moving))
            _write_geometry(new / "truth", key, moment.truth)
            rows.append(_frame_row(scene, moment.number, stamp, moving))
        write_json(new / "truth" / TRUTH, {**_camera_row(config, camera), "frames": rows})
        truth.close()


@dataclass(frozen=True, eq=False)
class _Moment:
    """One rendered stereo frame."""

    number: int
    left: np.ndarray  # (H, W, 3) float32 RGB, before the sensor
    right: np.ndarray  # (H, W, 3) float32 RGB, before the sensor
    truth: FrameTruth


def _camera_row(config: RenderConfig, camera: StereoCamera) -> dict[str, Any]:
    return {
        "scene": config.scene,
        "baseline": camera.baseline,
        "dt": STEP_S,
        "W": camera.width,
        "H": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
    }


def _camera(config: RenderConfig, rng: np.random.Generator) -> tuple[StereoCamera, float]:
    """The pair and its height above the road [m]; what the settings leave open comes from the seed."""
    focal, height_m = rng.uniform(0.95, 1.15), rng.uniform(1.25, 1.6)
    fx = round((config.focal or focal) * config.width, 3)
    camera = StereoCamera(
        config.height, config.width, fx, fx, (config.width - 1) / 2, round(0.46 * config.height, 1), config.baseline
    )
    return camera, config.camera_height or float(height_m)


def _moments(scene: Scene, camera: StereoCamera, frames: int) -> Iterator[_Moment]:
    """Every frame in order; the left view at t+1 is drawn once and used twice."""
    world = _World(scene)
    now, quads = world.seen(camera, 0)
    for number in range(frames):
        right = Viewpoint(camera, _beside(scene.camera_poses[number], camera.baseline))
        right_buffers = rasterise(right, quads, scene.bank)
        after = world.seen(camera, number + 1) if number + 1 < frames else None
        truth = frame_truth(now, quads, right_buffers, after[0] if after else None)
        shadows = world.shadows(number)
        left_image = shade(now.view, now.buffers, quads, scene.light, shadows, scene.bank)
        yield _Moment(number, left_image, shade(right, right_buffers, quads, scene.light, shadows, scene.bank), truth)
        if after:
            now, quads = after


def _beside(world_T_camera: np.ndarray, baseline: float) -> np.ndarray:
    """Pose of the right camera."""
    moved = world_T_camera.copy()
    moved[:3, 3] += baseline * world_T_camera[:3, 0]
    return moved


class _World:
    """Standing and moving quads in one record, placed anew for every moment."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        parts, first = [], 1
        for actor in scene.actors:
            quads = actor.quads
            parts.append(replace(quads, part=quads.part + first))
            first += actor.parts.shape[1]
        self._moving = join(parts) if parts else None
        self._standing_shadows = [cast_shadow(points, scene.light.sun) for points in scene.shadow_casters]

    def poses(self, number: int) -> np.ndarray:
        return np.concatenate([np.eye(4)[None], *(a.parts[number] for a in self._scene.actors)])

    def seen(self, camera: StereoCamera, number: int) -> tuple[Seen, Quads]:
        view, poses = Viewpoint(camera, self._scene.camera_poses[number]), self.poses(number)
        quads = (
            self._scene.standing if self._moving is None else join([self._scene.standing, self._moving.placed(poses)])
        )
        return Seen(view, rasterise(view, quads, self._scene.bank), poses), quads

    def shadows(self, number: int) -> Shadows:
        cast, contact = list(self._standing_shadows), [np.zeros((0, 4, 3))]
        for actor in self._scene.actors:
            corners, level = _outline(actor, number), float(actor.base[number][2, 3])
            cast.append(cast_shadow(corners, self._scene.light.sun, level))
            contact.append(np.column_stack([corners[:4, :2], np.full(4, level)])[None])
        return Shadows(np.stack(cast), np.concatenate(contact))


def _outline(actor: Actor, number: int) -> np.ndarray:
    """Corners (8, 3) of a somewhat smaller box around an actor: floor, then top."""
    length, width, height = actor.size
    base = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (0.47 * length, 0.47 * width)
    top = base * (0.7 if height < 2.5 else 1.0)
    local = np.concatenate([np.column_stack([base, np.zeros(4)]), np.column_stack([top, np.full(4, 0.97 * height)])])
    return local @ actor.base[number][:3, :3].T + actor.base[number][:3, 3]


def _moves(actor: Actor, number: int) -> bool:
    return bool(actor.speed[number] > STANDING)


def _write_geometry(folder: Path, key: str, truth: FrameTruth) -> None:
    write_image(folder / f"{key}_depth.png", _sixteen(np.where(truth.depth < 65.535, truth.depth, 0) * 1000))
    write_image(folder / f"{key}_disp.png", _sixteen(truth.disparity * 256))
    write_image(folder / f"{key}_vis.png", truth.visible)
    if truth.flow is not None and truth.flow_valid is not None and truth.disparity_next is not None:
        write_image(folder / f"{key}_disp_next.png", _sixteen(truth.disparity_next * 256))
        code = _sixteen(truth.flow * 64 + 32768)
        write_image(folder / f"{key}_flow.png", np.dstack([code, truth.flow_valid.astype(np.uint16)]))


def _sixteen(value: np.ndarray) -> np.ndarray:
    return np.clip(np.round(value), 0, 65535).astype(np.uint16)


def _frame_row(scene: Scene, number: int, stamp: int, moving: dict[int, bool]) -> dict[str, Any]:
    objects = [
        {
            "id": a.true_id,
            "cls": a.name,
            "size_lwh": [round(s, 3) for s in a.size],
            "moving": moving[a.true_id],
            "speed": round(float(a.speed[number]), 3),
            "T_world_obj": _matrix(a.base[number]),
            "T_world_obj_next": _matrix(a.base[number + 1]),
        }
        for a in scene.actors
    ]
    return {
        "frame": number,
        "T_world_cam": _matrix(scene.camera_poses[number]),
        "T_world_cam_next": _matrix(scene.camera_poses[number + 1]),
        "objects": objects,
        "stamp_ns": stamp,
    }


def _matrix(pose: np.ndarray) -> list[list[float]]:
    return [[round(float(v), 8) for v in row] for row in pose]
