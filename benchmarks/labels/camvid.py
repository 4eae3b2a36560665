"""Real photographs of another camera: classes that were learned on stereo recordings without labels, scored on single
labelled images (CamVid).

    cups-train pseudo-label RECORDING... --out RUN
    python benchmarks/labels/camvid.py RECORDING... --run RUN --labels CAMVID [--out DIR]

CAMVID holds NAME.jpg and NAME_label.png: 0 sky, 1 building, 2 pole, 3 road, 4 pavement, 5 tree, 6 sign, 7 fence, 8 car,
9 pedestrian, 10 bicyclist, 11 unlabelled. RUN is a run on the recordings whose stage 1 is finished.
Scored are the classes that a user sees, the clusters that they were joined from, and k-means on colour and position
with as many classes as a user sees; each names the pixels of every photograph from that image alone. The assignment of
pseudo classes is fitted on every other image and scored on the rest, then the other way round; the mean of both is
printed and written to DIR/camvid.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.colors import palette, tint
from cups_train import pseudo_label, semantics
from cups_train.config import load_config
from cups_train.errors import CupsError
from cups_train.evaluation import baseline
from cups_train.evaluation.metrics.assignment import match
from cups_train.evaluation.metrics.semantic import accuracy_and_miou
from cups_train.evaluation.protocols import MATCHINGS, TITLES, Matching
from cups_train.files import read_image, write_image, write_json
from cups_train.folders import stages
from cups_train.folders.run import RunFolder
from cups_train.progress import progress
from cups_train.recording import open_recordings

UNLABELLED = 11
Counts = dict[tuple[int | None, int], int]
Classify = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    args = arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config = load_config(args.config, args.override)
    run = RunFolder.open(args.run)
    rules = pseudo_label.read_rules(run.stage(stages.LABELS), run.classes(), config.labels)
    learned, shown = semantics.load(run.stage(stages.SEMANTICS), config.device), len(run.classes().learned())
    by_colour = baseline.kmeans_colour_position(
        open_recordings(args.recordings, config.recording), args.out / "kmeans.json", shown, config.seed
    )
    answers: dict[str, Classify] = {
        f"k-means on colour and position, K = {shown}": lambda image: baseline.classify(by_colour, image),
        f"classes, K = {shown}": lambda image: rules.joined(learned.classify(image)),
        f"their clusters, K = {rules.clusters}": learned.classify,
    }
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
    parser.add_argument("--run", type=Path, required=True)
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
