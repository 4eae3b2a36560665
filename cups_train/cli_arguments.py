"""The arguments of every verb of `cups-train`; settings are in config/."""

from __future__ import annotations

import argparse
from pathlib import Path

from cups_train.evaluation.protocols import MATCHINGS, MEANINGS
from cups_train.folders.stages import ANSWERING


def _recordings(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "recordings", nargs="+", type=Path, metavar="RECORDING", help="rosbag2 folder, .mcap or .db3 file"
    )


def _force(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--force", action="store_true", help="write into a folder that holds things of others; none of them is replaced"
    )


def _folders(text: str) -> list[Path]:
    return [Path(name) for name in text.split(",") if name]


def run(verb: argparse.ArgumentParser) -> None:
    _recordings(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    verb.add_argument(
        "--val",
        type=_folders,
        default=[],
        metavar="V1,V2",
        help="recordings to evaluate on; no training stage reads them",
    )
    verb.add_argument("--truth", type=_folders, default=[], metavar="T1,T2", help="their truth folders")


def motion(verb: argparse.ArgumentParser) -> None:
    of_recording(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="the motion folder")
    _force(verb)
    verb.add_argument(
        "--given",
        type=Path,
        metavar="TRUTH",
        help="take flow and disparity from this truth folder instead of estimating them",
    )


def pseudo_label(verb: argparse.ArgumentParser) -> None:
    _recordings(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    verb.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write the labels as result folders; on a finished run nothing else is done",
    )
    verb.add_argument(
        "--published",
        type=Path,
        metavar="DIR",
        help="take the labels from files of the published code instead of making them: DIR, "
        "or DIR/NAME for several recordings, holds STEM_semantic.png and STEM_instance.png in the order of the frames",
    )
    _force(verb)


def predict(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "model", type=Path, metavar="MODEL", help="a run, a .safetensors checkpoint or an exported model folder"
    )
    verb.add_argument(
        "recordings",
        nargs="+",
        type=Path,
        metavar="RECORDING",
        help="rosbag2 folder, .mcap, .db3, or a folder of images",
    )
    verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="the result folder")
    _force(verb)
    verb.add_argument("--stage", choices=ANSWERING, help="stage of a run; its last finished one without this")


def evaluate(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("result", type=_folders, metavar="RESULT", help="result folder, or several joined by commas")
    verb.add_argument(
        "--truth", type=_folders, required=True, metavar="TRUTH", help="truth folders, paired by position"
    )
    verb.add_argument(
        "--fit-result",
        type=_folders,
        default=[],
        metavar="R2",
        help="fit the assignment of pseudo classes on these results",
    )
    verb.add_argument("--fit-truth", type=_folders, default=[], metavar="T2", help="and these truth folders")
    verb.add_argument("--assignment", type=Path, metavar="FILE", help="use this saved assignment")
    verb.add_argument("--save-assignment", type=Path, metavar="FILE", help="save the assignment that was fitted")
    verb.add_argument("--no-assignment", action="store_true", help="compare class ids as they are")
    meanings = "; ".join(f"{matching} = {meaning}" for matching, meaning in MEANINGS.items())
    verb.add_argument("--matching", choices=MATCHINGS, default="hungarian", help=meanings)
    verb.add_argument(
        "--void",
        choices=("official", "published"),
        default="official",
        help="panopticapi's rule, or the published code's",
    )
    verb.add_argument(
        "--unknown",
        choices=("void", "class"),
        default="void",
        help="predicted crowd regions, that is unknown objects, are void, or segments of a class like any other",
    )
    verb.add_argument("--json", type=Path, metavar="OUT", help="write the figures")


def of_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", type=Path, metavar="RUN", help="a run's folder")


def name(verb: argparse.ArgumentParser) -> None:
    of_run(verb)
    verb.add_argument(
        "--assignment",
        type=Path,
        metavar="FILE",
        help="name the classes that no person has named as `evaluate --save-assignment` fitted them on labelled images",
    )


def of_recording(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("recording", type=Path, metavar="RECORDING", help="rosbag2 folder, .mcap or .db3 file")


def export(verb: argparse.ArgumentParser) -> None:
    of_run(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="MODEL", help="the exported model folder")
    _force(verb)
    verb.add_argument("--format", metavar="onnx,tensorrt", help="formats, joined by commas")


def render(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", type=Path, required=True, metavar="DIR", help="DIR/recording and DIR/truth are written")
    _force(verb)
    verb.add_argument("--frames", type=int, default=24, metavar="N", help="stereo frames (24)")
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="seed of street, traffic and camera (0)")
