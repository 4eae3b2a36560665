"""Prints by kind of damage how many damaged model folders are refused with one sentence or still answer; nothing else
may happen.

    python benchmarks/models/fuzz.py [--count 1000] [--seed 0]

A small model is damaged in many ways: cut and bit-flipped files, values of the card replaced or taken away, missing
files and folders in their place, wrong sums, graphs with other outputs, shapes, types and classes. A damage that cannot
be told from a sound model (a letter of a name) may pass; then the model must answer an image. Prints one line a kind of
damage; exits with 1 on a fault.
"""

from __future__ import annotations

import argparse
import collections
import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.models.damages import DAMAGES, HEIGHT, WIDTH, make_model
from cups_ros.model import ModelError, load_model


def fuzz(count: int, seed: int) -> tuple[dict[str, collections.Counter[str]], list[str]]:
    """Damage `count` folders: how each kind ended (refused, answers, fault), and the faults as text."""
    rng = np.random.default_rng(seed)
    ends: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    faults = []
    with tempfile.TemporaryDirectory() as place:
        make_model(Path(place) / "sound")
        for number in range(count):
            damage, folder = DAMAGES[number % len(DAMAGES)], Path(place) / "damaged"
            shutil.copytree(Path(place) / "sound", folder)
            damage(folder, rng)
            end = attempt(folder)
            ends[damage.__name__][end.split(":")[0]] += 1
            if end.startswith("fault"):
                faults.append(f"{number} {damage.__name__}: {end}")
            shutil.rmtree(folder)
    return ends, faults


def attempt(folder: Path) -> str:
    """ "refused", "answers" or "fault: ..."."""
    try:
        model = load_model(folder, engines=("onnxruntime-cpu",), threads=1)
    except ModelError as error:
        sentence = str(error)
        return "refused" if sentence and "\n" not in sentence else f"fault: not one sentence: {sentence!r}"
    except Exception as error:  # what must never happen is what this program looks for
        return f"fault: {type(error).__name__}: {error}"
    try:
        panoptic = model.infer(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        model.classes.color_table()[panoptic.class_id]
    except Exception as error:  # as above
        return f"fault: loaded, then {type(error).__name__}: {error}"
    return "answers"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="damaged folders")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    ends, faults = fuzz(args.count, args.seed)
    for name, counts in ends.items():
        print(f"{name:26s} refused {counts['refused']:4d}  answers {counts['answers']:4d}  faults {counts['fault']:4d}")
    for fault in faults[:20]:
        print(fault)
    print(
        f"folders={args.count} refused={sum(c['refused'] for c in ends.values())} "
        f"answers={sum(c['answers'] for c in ends.values())} "
        f"faults={len(faults)}"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
