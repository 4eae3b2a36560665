"""Error and coverage of flow and disparity: ours against plain DIS and SGBM as OpenCV gives them.

    python benchmarks/motion/flow.py --data DATA --kitti KITTI [--every 3] [--set NAME:key=value,key=value ...]

DATA holds val/SCENE/recording and val/SCENE/truth (a rendered street), KITTI the folders of stereo/flow scenes with
left_t0.png ... flow_noc.png. Either may be left out. Each `--set` adds a row, e.g.
`self:flow=self,flow_weights=M/flow.safetensors`. Errors are of the matcher's dense answer (EPE in px; Fl and D1: share
beyond 3 px and 5 %), for all pixels with truth and for those seen in both images; `kept` is the share of the seen
pixels that passed the matcher's own checks, with the errors there.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from cups_train.config import MotionConfig, RecordingConfig
from cups_train.files import read_image, read_json
from cups_train.flow.fill import fill_disparity
from cups_train.flow.open import scene_flow
from cups_train.recording import open_recording
from cups_train.types import StereoCamera, StereoFrame


@dataclass(frozen=True, eq=False)
class Dense:
    """Dense fields and the pixels that passed the checks."""

    flow: np.ndarray  # (H, W, 2) px
    flow_ok: np.ndarray  # (H, W) bool
    disparity: np.ndarray  # (H, W) px
    disparity_ok: np.ndarray  # (H, W) bool


@dataclass(frozen=True, eq=False)
class Case:
    """One pair with its truth: fields and where they are known at all, and seen in both images."""

    now: StereoFrame
    after: StereoFrame
    flow: np.ndarray
    flow_known: np.ndarray
    flow_seen: np.ndarray
    disparity: np.ndarray
    disparity_known: np.ndarray
    disparity_seen: np.ndarray


Matcher = Callable[[StereoFrame, StereoFrame], Dense]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--kitti", type=Path)
    parser.add_argument("--every", type=int, default=3, help="take every n-th frame of the street")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME:key=value,...",
        help="one more row with these settings of `motion`",
    )
    args = parser.parse_args()
    matchers: dict[str, Matcher] = {"plain": plain, "classical": ours(MotionConfig())}
    for text in args.set:
        name, _, pairs = text.partition(":")
        matchers[name] = ours(
            MotionConfig.model_validate(
                {k: yaml.safe_load(v) for k, v in (pair.split("=", 1) for pair in pairs.split(","))}
            )
        )
    groups = {scene.name: street(scene, args.every) for scene in sorted(args.data.glob("val/*"))} if args.data else {}
    for scene in sorted(p for p in args.kitti.iterdir() if p.is_dir()) if args.kitti else ():
        groups[f"kitti {scene.name}"] = kitti(scene)
    for name, cases in groups.items():
        score(name, list(cases), matchers)


def score(group: str, cases: list[Case], matchers: dict[str, Matcher]) -> None:
    """Print one line for each matcher and field."""
    for name, matcher in matchers.items():
        start = time.process_time()
        answers = [matcher(case.now, case.after) for case in cases]
        seconds = (time.process_time() - start) / len(cases)
        flow = [
            (a.flow - c.flow, np.linalg.norm(c.flow, axis=-1), c.flow_known, c.flow_seen, a.flow_ok)
            for a, c in zip(answers, cases, strict=True)
        ]
        stereo = [
            ((a.disparity - c.disparity)[..., None], c.disparity, c.disparity_known, c.disparity_seen, a.disparity_ok)
            for a, c in zip(answers, cases, strict=True)
        ]
        for field, rows in (("flow", flow), ("disparity", stereo)):
            error, size, known, seen, ok = (
                np.concatenate([np.asarray(part).reshape(-1, *np.shape(part)[2:]) for part in parts])
                for parts in zip(*rows, strict=True)
            )
            error = np.linalg.norm(error, axis=-1)
            bad = (error > 3) & (error > 0.05 * size)
            text = "  ".join(
                f"{title} {error[at].mean():6.3f} px {100 * bad[at].mean():5.2f} %"
                for title, at in (("all", known), ("seen", seen), (f"kept {100 * ok[seen].mean():5.1f} %:", seen & ok))
            )
            print(f"{group:20} {name:10} {field:9} {text}  {seconds:5.2f} s", flush=True)


def plain(now: StereoFrame, after: StereoFrame) -> Dense:
    """DIS (medium) one way; SGBM (3-way, block 5), holes filled from the left; nothing of ours."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (now.left, now.right, after.left)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(grey[0], grey[2], None)  # type: ignore[call-overload]
    steps = max(16, -(-int(0.15 * grey[0].shape[1]) // 16) * 16)
    matcher = cv2.StereoSGBM.create(0, steps, 5, 200, 800, 1, 31, 5, 60, 2, cv2.STEREO_SGBM_MODE_SGBM_3WAY)
    found = matcher.compute(*grey[:2]).astype(np.float32) / 16
    columns = np.maximum.accumulate(np.where(found > 0, np.arange(found.shape[1]), (found > 0).argmax(1)[:, None]), 1)
    filled = np.take_along_axis(np.maximum(found, 0), columns, 1)
    return Dense(flow, np.ones(found.shape, bool), filled, found > 0)


def ours(config: MotionConfig) -> Matcher:
    """The source of scene flow that `config` names."""

    def match(now: StereoFrame, after: StereoFrame) -> Dense:
        found = scene_flow(now, after, config)
        return Dense(found.flow, found.flow_ok, fill_disparity(found.disparity, found.disparity_ok), found.disparity_ok)

    return match


def street(scene: Path, every: int) -> Iterator[Case]:
    recording, truth = open_recording(scene / "recording", RecordingConfig()), scene / "truth"
    for stamp, following in list(zip(recording.stamps, recording.stamps[1:], strict=False))[::every]:
        flow, known = decode_flow(truth / f"{stamp.key}_flow.png")
        seen = read_image(truth / f"{stamp.key}_vis.png")
        disparity = read_image(truth / f"{stamp.key}_disp.png") / 256
        yield Case(
            recording.stereo(stamp.key),
            recording.stereo(following.key),
            flow,
            known,
            known & (seen & 2 > 0),
            disparity,
            disparity > 0,
            (disparity > 0) & (seen & 1 > 0),
        )


def kitti(scene: Path) -> Iterator[Case]:
    flow, known = decode_flow(scene / "flow_occ.png")
    disparity, seen = (read_image(scene / f"disp_{kind}.png") / 256 for kind in ("occ", "noc"))
    sides = [[np.ascontiguousarray(_rgb(scene / f"{side}_t{t}.png")) for side in ("left", "right")] for t in (0, 1)]
    camera = _camera(read_json(scene / "calib.json"), sides[0][0].shape)
    now, after = (StereoFrame(f"{t:06d}", t, left, right, camera) for t, (left, right) in enumerate(sides))
    yield Case(now, after, flow, known, decode_flow(scene / "flow_noc.png")[1], disparity, disparity > 0, seen > 0)


def decode_flow(path: Path) -> tuple[np.ndarray, np.ndarray]:
    coded = read_image(path)
    return (coded[..., :2].astype(np.float32) - 32768) / 64, coded[..., 2] > 0


def _rgb(path: Path) -> np.ndarray:
    image = read_image(path)
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, -1)


def _camera(calib: dict[str, Any], shape: tuple[int, ...]) -> StereoCamera:
    return StereoCamera(shape[0], shape[1], *(float(calib[name]) for name in ("fx", "fy", "cx", "cy", "baseline_m")))


if __name__ == "__main__":
    main()
