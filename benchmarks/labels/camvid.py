"""Real photographs of another camera: classes that were learned on stereo recordings without labels, scored on single
labelled images (CamVid).

    python benchmarks/labels/camvid.py RECORDING... --labels CAMVID [--motion FOLDER] [--out DIR]
        [-o semantics.steps=200]

CAMVID holds NAME.jpg and NAME_label.png: 0 sky, 1 building, 2 pole, 3 road, 4 pavement, 5 tree, 6 sign, 7 fence, 8 car,
9 pedestrian, 10 bicyclist, 11 unlabelled. FOLDER holds what stage 1a found in the recordings (NAME/instances/KEY.png).
The encoder and the k-means baseline (colour and position) are learned on the recordings and kept in DIR; each names the
pixels of every photograph from that image alone. The assignment of pseudo classes is fitted on every other image and
scored on the rest, then the other way round; the mean of both is printed and written to DIR/camvid.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cups_ros.colors import palette, tint
from cups_train import semantics
from cups_train.config import load_config
from cups_train.errors import CupsError
from cups_train.evaluation import baseline
from cups_train.evaluation.metrics.assignment import match
from cups_train.evaluation.metrics.semantic import accuracy_and_miou
from cups_train.evaluation.protocols import MATCHINGS, TITLES, Matching
from cups_train.files import read_image, write_image, write_json
from cups_train.parallel import worker_count
from cups_train.progress import progress
from cups_train.recording import open_recordings
from cups_train.semantics.refine import Method
from cups_train.types import Work

UNLABELLED = 11
Counts = dict[tuple[int | None, int], int]
Classify = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    args = arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config = load_config(args.config, args.override)
    recordings = open_recordings(args.recordings, config.recording)
    semantics.learn_classes(
        recordings,
        args.out,
        config.semantics,
        Work(config.seed, worker_count(config.workers), config.device),
        args.motion,
    )
    learned = semantics.load(args.out, config.device)
    clusters = baseline.kmeans_colour_position(recordings, args.out / "kmeans.json", learned.classes, config.seed)
    answers: dict[str, Classify] = {
        f"k-means on colour and position, K = {learned.classes}": lambda image: baseline.classify(clusters, image)
    }
    for method in get_args(Method):
        model = replace(learned, refine=method)
        answers[f"learned classes, K = {learned.classes}, refine {method}"] = model.classify
    answers[f"class head alone, K = {learned.classes}, refine {learned.refine}"] = replace(learned, cells=None).classify
    photographs = [
        (read_image(path), read_image(path.with_name(f"{path.stem}_label.png")))
        for path in sorted(args.labels.glob("*.jpg"))
    ]
    if len(photographs) < 2:
        raise CupsError(
            f"expected at least two NAME.jpg with NAME_label.png in {args.labels}, found {len(photographs)} (--labels)"
        )
    rows = {
        name: score(classify, photographs, args.out / "camvid" / f"{number}")
        for number, (name, classify) in enumerate(answers.items())
    }
    write_json(args.out / "camvid.json", rows)
    print_rows(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument(
        "--motion", type=Path, help="moving objects of the recordings, as written by `cups-train pseudo-label`"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/camvid"))
    parser.add_argument("--config", type=Path)
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value")
    return parser.parse_args()


def score(classify: Classify, photographs: list[tuple[np.ndarray, np.ndarray]], pictures: Path) -> dict[str, Any]:
    """Accuracy and mIoU by every matching, fitted on one half and scored on the other, mean of both ways; seconds an
    image."""
    start = time.perf_counter()
    maps = [classify(image) for image, _ in progress(photographs, "classes")]
    seconds = (time.perf_counter() - start) / len(photographs)
    table = np.array([(0, 0, 0), *palette(max(int(ids.max()) for ids in maps))], np.uint8)
    for number, ((image, _), ids) in enumerate(zip(photographs, maps, strict=True)):
        write_image(pictures / f"{number:02d}.jpg", tint(image, ids, table))
    halves = [
        sum_counts([(ids, label) for ids, (_, label) in list(zip(maps, photographs, strict=True))[part::2]])
        for part in (0, 1)
    ]
    row: dict[str, Any] = {"seconds_an_image": seconds}
    for matching in MATCHINGS:
        both = [accuracy_and_miou(scored, assignment(fitted, matching)) for fitted, scored in (halves, halves[::-1])]
        row[matching] = {
            "acc": float(np.mean([acc for acc, _ in both])),
            "miou": float(np.mean([miou for _, miou in both])),
        }
    return row


def sum_counts(maps: list[tuple[np.ndarray, np.ndarray]]) -> Counts:
    """Pixels by pseudo class and true class; unlabelled pixels are left out."""
    counts: Counts = defaultdict(int)
    for ids, label in maps:
        known = label != UNLABELLED
        values, number = np.unique(ids[known].astype(np.int64) * 256 + label[known], return_counts=True)
        for value, pixels in zip(values.tolist(), number.tolist(), strict=True):
            counts[divmod(value, 256)] += pixels
    return dict(counts)


def assignment(counts: Counts, matching: Matching) -> dict[int, int | None]:
    """Pseudo class -> true class."""
    rows, columns = sorted({row for row, _ in counts if row is not None}), sorted({column for _, column in counts})
    table = np.array([[counts.get((row, column), 0) for column in columns] for row in rows], np.int64)
    return {row: None if c is None else columns[c] for row, c in zip(rows, match(table, matching), strict=True)}


def print_rows(rows: dict[str, Any]) -> None:
    print(f"{'percent: acc, mIoU':<44}" + "".join(f"{TITLES[m]:>20}" for m in MATCHINGS) + f"{'s/image':>9}")
    for name, row in rows.items():
        figures = "".join(f"{100 * row[m]['acc']:>13.1f}{100 * row[m]['miou']:>7.1f}" for m in MATCHINGS)
        print(f"{name:<44}{figures}{row['seconds_an_image']:>9.2f}")


if __name__ == "__main__":
    main()
