"""How far the labels-free way goes on rendered streets with exact truth: k-means, every stage, and the same network
trained with the truth.

    python benchmarks/labels/street.py --data DATA [--out runs/street] [-o key.path=value]

DATA holds train/SCENE (recordings), truth_train/SCENE, val/SCENE/recording and val/SCENE/truth. Training reads train/*
alone; the assignment of pseudo classes is fitted on truth_train; scores are of val. Everything resumes; on two cores it
takes hours. Prints one line a stage and writes OUT/study.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cups_ros.types import Classes
from cups_train import pipeline, pseudo_label
from cups_train.bootstrap import LabelledRecordings, bootstrap
from cups_train.config import Config, load_config
from cups_train.evaluation import baseline
from cups_train.evaluation.predict import Predictor, predict
from cups_train.evaluation.predictors import load_predictor, predictor_of_stage
from cups_train.evaluation.protocols import MATCHINGS, VoidRule
from cups_train.evaluation.score import EvaluationOptions, evaluate
from cups_train.files import read_image, read_json, write_json
from cups_train.folders import stages
from cups_train.folders.labels import LabelInstance, LabelledFrame, write_labels, write_maps
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.results import rgb_to_ids
from cups_train.folders.run import RunFolder
from cups_train.folders.stages import ANSWERING
from cups_train.progress import progress
from cups_train.recording import Recording, open_recordings
from cups_train.run import Run
from cups_train.work import work_of

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Part:
    """Recordings and the truth folders that belong to them."""

    recordings: list[Recording]
    truths: list[Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/street"))
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "train" / "street.yaml")
    parser.add_argument(
        "--skip-supervised", action="store_true", help="leave the network that is trained with the truth out"
    )
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config = load_config(args.config, args.override)
    train, val = parts(args.data, config)
    run_folder = RunFolder.create(args.out, config)
    pipeline.run_all(Run(run_folder, train.recordings, config))
    rows = {
        stage: study(args.out, stage, answers(run_folder, stage, config, train, val), train, val)
        for stage in ("kmeans", *ANSWERING)
    }
    if not args.skip_supervised:
        checkpoint = supervised(args.out, train, config)
        folders = two_folders(load_predictor(checkpoint, None, []), args.out / "study" / "supervised", train, val)
        rows["supervised"] = study(args.out, "supervised", folders, train, val)
    write_json(args.out / "study.json", rows)
    print_rows(rows)


def parts(data: Path, config: Config) -> tuple[Part, Part]:
    """The recordings to train on, and those to score."""
    train = sorted(p for p in (data / "train").iterdir() if p.is_dir())
    val = sorted(p for p in (data / "val").iterdir() if p.is_dir())
    return (
        Part(open_recordings(train, config.recording), [data / "truth_train" / p.name for p in train]),
        Part(open_recordings([p / "recording" for p in val], config.recording), [p / "truth" for p in val]),
    )


def answers(run_folder: RunFolder, stage: str, config: Config, train: Part, val: Part) -> tuple[list[Path], list[Path]]:
    """Result folders of a stage on train and val."""
    root = run_folder.root / "study" / stage
    if stage == "kmeans":
        return kmeans(run_folder, config, train, train, root / "train"), kmeans(
            run_folder, config, train, val, root / "val"
        )
    if stage == "labels":
        exported = pseudo_label.export_results(
            run_folder.stage(stages.LABELS), run_folder.classes(), train.recordings, root / "train"
        )
        return exported, predict(predictor_of_stage(run_folder, stage, config), list(val.recordings), root / "val")
    return two_folders(predictor_of_stage(run_folder, stage, config), root, train, val)


def kmeans(run_folder: RunFolder, config: Config, train: Part, scored: Part, out: Path) -> list[Path]:
    """The baseline, learned on train."""
    learning = baseline.Learning(train.recordings, len(run_folder.classes().learned()), run_folder.stage(stages.MOTION))
    return baseline.write_baseline(learning, scored.recordings, out, config)


def two_folders(predictor: Predictor, root: Path, train: Part, val: Part) -> tuple[list[Path], list[Path]]:
    return predict(predictor, list(train.recordings), root / "train"), predict(
        predictor, list(val.recordings), root / "val"
    )


def study(out: Path, stage: str, folders: tuple[list[Path], list[Path]], train: Part, val: Part) -> dict[str, Any]:
    """Figures of one stage by every matching and both void rules."""
    rows: dict[str, Any] = {}
    for matching in MATCHINGS:
        for void in get_args(VoidRule):
            options = EvaluationOptions(fit_result=folders[0], fit_truth=train.truths, matching=matching, void=void)
            rows[f"{matching}_{void}"] = evaluate(folders[1], val.truths, options).to_json()
    write_json(out / "study" / f"{stage}.json", rows)
    return rows


def supervised(out: Path, train: Part, config: Config) -> Path:
    """The same network and steps with the truth as labels; the checkpoint."""
    labels, folder = out / "supervised_labels", out / "supervised"
    classes = Classes.from_json(read_json(train.truths[0] / PANOPTIC)["categories"])
    for recording, truth in progress(list(zip(train.recordings, train.truths, strict=True)), "truth as labels"):
        write_truth_labels(recording, truth, classes, labels / recording.name)
    labelled = LabelledRecordings(train.recordings, labels, classes)
    return bootstrap(labelled, folder, config.network, config.bootstrap, work_of(config))


def write_truth_labels(recording: Recording, truth: Path, classes: Classes, folder: Path) -> None:
    """The truth of one recording in the form of a label store."""
    frames = []
    for stamp, (kinds, instances) in zip(recording.stamps, truth_maps(truth, classes), strict=True):
        ids, pixels = np.unique(instances[instances > 0], return_counts=True)
        rows = [
            LabelInstance(i, int(kinds[instances == i][0]), 1.0, None, n)
            for i, n in zip(ids.tolist(), pixels.tolist(), strict=True)
        ]
        write_maps(folder, stamp.key, kinds, instances)
        frames.append(LabelledFrame(folder, stamp.key, stamp.stamp_ns, tuple(rows), None if rows else "no things"))
    write_labels(folder, recording.name, frames)


def truth_maps(truth: Path, classes: Classes) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(H, W) uint8 true classes, 0 = void, and (H, W) uint16 things, numbered from 1, of every frame."""
    for annotation in read_json(truth / PANOPTIC)["annotations"]:
        ids = rgb_to_ids(read_image(truth / "panoptic" / annotation["file_name"]))
        kinds, instances, things = np.zeros(ids.shape, np.uint8), np.zeros(ids.shape, np.uint16), 0
        for segment in annotation["segments_info"]:
            mask = ids == segment["id"]
            kinds[mask] = segment["category_id"]
            if classes.is_thing(segment["category_id"]) and not segment.get("iscrowd"):
                things += 1
                instances[mask] = things
        yield kinds, instances


def print_rows(rows: dict[str, Any]) -> None:
    names = ("pq", "sq", "rq", "things", "stuff", "acc", "miou", "miou7")
    print(
        f"{'percent, val, strict':<24}"
        + "".join(f"{n:>8}" for n in names)
        + f"{'pq, published':>15}{'pq, majority':>15}"
    )
    for stage, row in rows.items():
        m = row["strict_official"]
        values = [
            m["pq"],
            m["sq"],
            m["rq"],
            m["things"]["pq"],
            m["stuff"]["pq"],
            m["acc"],
            m["miou"],
            m["miou7"] or 0.0,
        ]
        more = [row["hungarian_official"]["pq"], row["majority_official"]["pq"]]
        print(f"{stage:<24}" + "".join(f"{100 * v:>8.1f}" for v in values) + "".join(f"{100 * v:>15.1f}" for v in more))


if __name__ == "__main__":
    main()
