"""What each input of the pseudo labels costs: labels as they are, and with the truth in place of one input.

    python benchmarks/labels/label_inputs.py --data DATA --run RUN [--out runs/label_inputs] [-o key.path=value]

DATA is that of benchmarks/labels/street.py, RUN a run on DATA/train whose motion and semantics are finished. Its frames
are labelled anew with the code as it is, those of val with it. Replaced in turn: the decision which classes are things
(a class is of what most of its pixels are), the masks (all true things, moving or not, named by the votes of their
pixels), the classes (masks are those from motion). Prints a line each, and how many of the classes stand on the right
side; writes OUT/label_inputs.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from street import ROOT, Part, parts, print_rows, study, truth_maps

from cups_ros.types import Classes, Panoptic
from cups_train import motion, pseudo_label, semantics
from cups_train.config import Config, load_config
from cups_train.files import read_json, write_json
from cups_train.flow.learned.weights import with_weights
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.results import ResultWriter
from cups_train.output import replacing
from cups_train.progress import progress
from cups_train.pseudo_label.inputs import FrameInput, frame_inputs
from cups_train.pseudo_label.label import Rules, label_maps
from cups_train.pseudo_label.sight import sight_of
from cups_train.types import Work

STUFF = ("road", "building", "vegetation", "sky")  # of which no class may be a thing
Label = Callable[[FrameInput, np.ndarray, np.ndarray], Panoptic]


@dataclass(frozen=True)
class Material:
    """A part of the data and where its motion and class maps are."""

    part: Part
    motion: Path
    semantics: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/label_inputs"))
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "train" / "street.yaml")
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config = load_config(args.config, args.override)
    config = config.model_copy(update={"motion": with_weights(config.motion, args.run / "motion")})
    train, val = parts(args.data, config)
    here = Material(train, args.run / "motion", args.run / "semantics")
    there = Material(val, args.out / "val" / "motion", args.out / "val" / "semantics")
    prepare(there, here.semantics, config)
    basis = pseudo_label.Basis(train.recordings, here.motion, here.semantics)
    classes = pseudo_label.make_labels(basis, args.out / "store", config.labels, Work(config.seed, 1, config.device))
    rules = pseudo_label.read_rules(args.out / "store", classes, config.labels)
    truth = Classes.from_json(read_json(train.truths[0] / PANOPTIC)["categories"])
    table = shares(here, rules, truth)
    print(sides(table, rules, truth))
    rows = {}
    for name, (named, label) in swaps(rules, table, truth).items():
        folders = tuple(
            answers(material, truth, named, label, args.out / name / where)
            for material, where in ((here, "train"), (there, "val"))
        )
        rows[name] = study(args.out, name, folders, train, val)  # type: ignore[arg-type]
    write_json(args.out / "label_inputs.json", rows)
    print_rows(rows)


def prepare(material: Material, encoder: Path, config: Config) -> None:
    """Motion and class maps of recordings that the run has not seen."""
    for recording in material.part.recordings:
        motion.find_motion(
            recording, material.motion / recording.name, config.motion, Work(config.seed, 1, config.device)
        )
        semantics.classify(
            recording,
            encoder,
            material.semantics / recording.name,
            config.semantics,
            Work(config.seed, 1, config.device),
        )


def inputs(material: Material) -> list[tuple[list[FrameInput], Path]]:
    return [
        (list(frame_inputs(r, material.motion / r.name, material.semantics / r.name)), truth)
        for r, truth in zip(material.part.recordings, material.part.truths, strict=True)
    ]


def shares(material: Material, rules: Rules, truth: Classes) -> np.ndarray:
    """(classes + 1, true classes + 1) pixels of every class by what they are."""
    size = len(rules.classes) + 1, len(truth) + 1
    table = np.zeros(size, np.int64)
    for items, folder in progress(inputs(material), "classes against truth"):
        for item, (kinds, _) in zip(items, truth_maps(folder, truth), strict=True):
            class_map, _ = item.read(rules.clusters)
            table += np.bincount(
                rules.joined(class_map).ravel().astype(np.int64) * size[1] + kinds.ravel(), minlength=table.size
            ).reshape(size)
    table[:, 0] = 0
    return table


def sides(table: np.ndarray, rules: Rules, truth: Classes) -> str:
    """How many classes stand on the right side, in words."""
    used = [k for k in range(1, len(table)) if table[k].any()]
    most, of_things = table.argmax(axis=1), [k for k in used if truth.is_thing(int(table[k].argmax()))]
    wrong = [
        f"{k} ({truth.items[most[k] - 1].name} {table[k].max() / table[k].sum():.0%})"
        for k in used
        if rules.classes.is_thing(k) and truth.items[most[k] - 1].name in STUFF and 2 * table[k].max() > table[k].sum()
    ]
    found = sum(rules.classes.is_thing(k) for k in of_things)
    things, there = table[:, list(truth.things)].sum(axis=1), [k for k in used if rules.classes.is_thing(k)]
    return (
        f"classes that are mostly things on the thing side: {found} of {len(of_things)}; mostly "
        f"{', '.join(STUFF)} there: "
        f"{', '.join(wrong) or 'none'}; pixels of things there {things[there].sum() / things.sum():.1%}, "
        f"things among the pixels there {things[there].sum() / table[there].sum():.1%}"
    )


def swaps(rules: Rules, table: np.ndarray, truth: Classes) -> dict[str, tuple[Classes, Label]]:
    """Name -> the classes of the answer, and how a frame is labelled from its input, true classes and true things."""
    split = {k for k in range(1, len(table)) if truth.is_thing(max(1, int(table[k].argmax()))) and table[k].any()}
    sided = Classes(tuple(replace(c, isthing=c.id in split) if table[c.id].any() else c for c in rules.classes))

    without_kinds = replace(rules, kinds=None, config=rules.config.model_copy(update={"border": 0.0}))

    def labelled(by: Rules, item: FrameInput, _kinds: np.ndarray, _things: np.ndarray) -> Panoptic:
        class_map, instances = item.read(rules.clusters)
        sight = sight_of(item.recording, item.frame.key)
        return label_maps(class_map, instances, item.frame.objects, by, item.scale, sight).panoptic(by.classes)

    def true_masks(item: FrameInput, _kinds: np.ndarray, things: np.ndarray) -> Panoptic:
        class_map, _ = item.read(rules.clusters)
        return label_maps(class_map, things, (), without_kinds, item.scale).panoptic(without_kinds.classes)

    def true_classes(item: FrameInput, kinds: np.ndarray, _things: np.ndarray) -> Panoptic:
        _, instances = item.read(rules.clusters)
        sight = sight_of(item.recording, item.frame.key)
        by = Rules(truth, rules.config)
        return label_maps(kinds, instances, item.frame.objects, by, item.scale, sight).panoptic(truth)

    return {
        "labels": (rules.classes, partial(labelled, rules)),
        "true_split": (sided, partial(labelled, replace(rules, classes=sided))),
        "true_masks": (rules.classes, true_masks),
        "true_classes": (truth, true_classes),
    }


def answers(material: Material, truth: Classes, classes: Classes, label: Label, out: Path) -> list[Path]:
    """Result folders, one a recording."""
    folders = []
    for items, folder in progress(inputs(material), str(out)):
        folders.append(out / items[0].motion.name)
        with replacing(folders[-1], "label inputs") as new:
            writer = ResultWriter(new, classes, {"kind": "labels"})
            for item, (kinds, things) in zip(items, truth_maps(folder, truth), strict=True):
                writer.write(item.frame.key, item.frame.stamp_ns, label(item, kinds, things))
            writer.close()
    return folders


if __name__ == "__main__":
    main()
