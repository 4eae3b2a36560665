"""What the pictures of a pair say of its calibration: rows, sides and size of the baseline, judged together."""

from __future__ import annotations

from dataclasses import dataclass

from cups_train.types import StereoCamera

ROWS_WARN_PX, ROWS_STOP_PX = 1.0, 2.5  # median |dy| of a pair, at 1280 px image width
SWAPPED_PX = -1.0  # median disparity, below it the left image is the right one
BASELINES_M = (0.01, 5.0)  # of pairs on vehicles


@dataclass(frozen=True)
class Sampled:
    """What a few evenly spaced pairs show; None: nothing to track."""

    off_px: float | None  # median |dy| of corners between left and right
    disparity_px: float | None  # their median
    standing: float | None  # share of the steps in which the car stands
    motion_px: float | None  # median way of the corners from t to t+1


@dataclass(frozen=True)
class Verdict:
    """Warnings, and what makes a recording useless."""

    warnings: tuple[str, ...]
    problem: str | None = None


@dataclass(frozen=True)
class Pair:
    """What is judged beside the pictures."""

    left: str  # image topics
    right: str
    camera: StereoCamera
    baseline_given: bool  # by the settings, else by P
    rectified: bool  # as recorded: the left images are read as they are


def rows_are_off(seen: Sampled, camera: StereoCamera) -> bool:
    """Further than a calibration can be."""
    return seen.off_px is not None and seen.off_px > ROWS_STOP_PX * camera.width / 1280


def judge_pictures(pair: Pair, seen: Sampled, other: Sampled | None) -> Verdict:
    """other: the same pairs read the other way, rectified or as recorded, where rows are off; None: not measured."""
    warnings = _judge_baseline(pair)
    if seen.off_px is None or seen.disparity_px is None:
        return Verdict((*warnings, "too little structure to compare left with right"))
    if rows_are_off(seen, pair.camera):
        return Verdict((), _judge_rows(pair, seen, other))
    if seen.disparity_px < SWAPPED_PX:
        return Verdict((), _judge_sides(pair, seen.disparity_px))
    if seen.off_px > ROWS_WARN_PX * pair.camera.width / 1280:
        warnings += (
            f"left and right are {seen.off_px:.1f} px off each other's rows: calibrate the pair anew for better depth",
        )
    return Verdict(warnings)


def _judge_rows(pair: Pair, seen: Sampled, other: Sampled | None) -> str:
    found = f"expected left and right on the same rows, found them {seen.off_px:.1f} px apart"
    if other is None or other.off_px is None or rows_are_off(other, pair.camera):
        return f"{found}: calibrate the pair anew, or record with the camera_info of these lenses"
    if pair.rectified:
        return (
            f"{found} as recorded and {other.off_px:.1f} px when rectified by camera_info: the images are not "
            "rectified yet, `-o recording.rectified=false` rectifies them"
        )
    return (
        f"{found} after rectifying and {other.off_px:.1f} px as recorded: the images are rectified already, "
        "`-o recording.rectified=true` takes them so"
    )


def _judge_sides(pair: Pair, disparity: float) -> str:
    found = f"expected objects further left in the right image, found a median disparity of {disparity:.1f} px"
    if pair.baseline_given:
        return f"{found}: swap `--left` and `--right`"
    return (
        f"{found}: the pictures say that {pair.left} is the right camera, so P[3] in its camera_info has the wrong "
        f"sign, then give `--left {pair.right} --right {pair.left} -o recording.baseline={pair.camera.baseline:.4g}`; "
        "where topics were named by hand, swap `--left` and `--right`"
    )


def _judge_baseline(pair: Pair) -> tuple[str, ...]:
    metres, (least, most) = pair.camera.baseline, BASELINES_M
    if least <= metres <= most:
        return ()
    if metres < least:
        return (f"a baseline of {metres:.3g} m is short: `-o recording.baseline` gives the distance in metres",)
    unit, share = ("centimetres", 0.01) if metres < 100 else ("millimetres", 0.001)
    return (
        f"a baseline of {metres:.4g} m looks like {unit}: P[3] is -fx times metres, "
        f"`-o recording.baseline={metres * share:.4g}` mends it",
    )
