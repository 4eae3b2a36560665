"""Classes without labels on streets with exact truth, step by step: k-means, clusters of features, STEGO, DepthG,
windows, refinement.

    python benchmarks/labels/semantics.py --data DATA [--classes 27 54 108] [--out runs/semantics] [--encoder FOLDER]
        [-o key.path=value]

DATA holds train/SCENE (recordings), truth_train/SCENE, val/SCENE/recording and val/SCENE/truth. Features are learned on
train/* once (or are those of --encoder FOLDER, or of -o semantics.features=dino -o semantics.weights=FILE); each head
is trained once, at the first number of classes, and its probe is fitted for the others. The assignment of classes is
fitted on truth_train, scores are of val. A stopped call goes on. Prints one line a step and writes OUT/table.json.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tables import Classify, Scene, scores

from cups_train.config import Config, SemanticsConfig, load_config
from cups_train.device import torch_device
from cups_train.errors import CupsError
from cups_train.evaluation import baseline
from cups_train.files import read_json, write_json
from cups_train.folders.layout import PANOPTIC
from cups_train.folders.semantics import encoder_path, state_path
from cups_train.geometry.resize import resize
from cups_train.network.encoder import Encoder, encode
from cups_train.recording import Recording, open_recordings
from cups_train.semantics import learn_classes, load
from cups_train.semantics.cells import CellClasses, fit_cells
from cups_train.semantics.channels import CELL, working_size
from cups_train.semantics.descriptors import encode_frames, read_descriptors
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.given import open_features
from cups_train.semantics.features.network import FeatureNetwork, ScratchFeatures
from cups_train.semantics.head.learning import learn_head, with_other_classes
from cups_train.semantics.head.network import HeadNetwork
from cups_train.semantics.model import SemanticModel, save
from cups_train.semantics.prepared import PreparedFrames
from cups_train.semantics.preparing import choose_frames
from cups_train.semantics.refine import Method, refine
from cups_train.semantics.shape import cell_disparity, scene_shape
from cups_train.semantics.training import cluster_frames, prepare_frames
from cups_train.types import StereoFrame, Work

HEADS = {"clusters": "k-means on features", "stego": "STEGO", "depthg": "DepthG"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--classes", type=int, nargs="+", default=[27, 54, 108])
    parser.add_argument("--out", type=Path, default=Path("runs/semantics"))
    parser.add_argument("--encoder", type=Path, help="folder of an encoder that is trained already")
    parser.add_argument("--frames", type=int, default=144, help="training frames of the heads")
    parser.add_argument("--head-steps", type=int, default=300, help="training steps of STEGO and DepthG")
    parser.add_argument(
        "--fit-every", type=int, default=4, help="the assignment is fitted on every n-th training frame"
    )
    parser.add_argument("--val-every", type=int, default=1, help="every n-th frame of val is scored")
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    config = load_config(None, [f"semantics.head_steps={args.head_steps}", *args.override])
    fit, val = scenes(args.data, config, args.fit_every, args.val_every)
    keep_settings(
        args.out,
        {
            "semantics": config.semantics.model_dump(mode="json"),
            "seed": config.seed,
            "frames": args.frames,
            "encoder": None if args.encoder is None else str(args.encoder),
        },
    )
    features = given_features([scene.recording for scene in fit], args.out, args.encoder, config)
    names = {c["id"]: c["name"] for c in read_json(val[0].truth / PANOPTIC)["categories"]}
    rows: dict[str, dict[str, list[float]]] = {}
    print(f"{'percent, val: accuracy / mIoU / mIoU-7':<48}{'Hungarian':>22}{'majority':>22}{'s a frame':>12}")
    for count in args.classes:
        for name, row in scores(dict(steps(features, fit, args, config, count)), fit, val, count, names).items():
            rows[f"K = {count}, {name}"] = row
            text = "".join(
                "{:>22}".format(" / ".join(f"{100 * v:.1f}" for v in row[m])) for m in ("hungarian", "majority")
            )
            print(f"{f'K = {count}, {name}':<48}{text}{row['seconds'][0]:>12.2f}", flush=True)
            write_json(args.out / "table.json", rows)


def keep_settings(out: Path, settings: dict[str, object]) -> None:
    """Raises CupsError where OUT holds heads of other settings."""
    path = out / "settings.json"
    if path.exists() and read_json(path) != settings:
        raise CupsError(f"expected the settings of {path}, found others; name another --out")
    write_json(path, settings)


def scenes(data: Path, config: Config, fit_every: int, val_every: int) -> tuple[list[Scene], list[Scene]]:
    train_paths = sorted(p for p in (data / "train").iterdir() if p.is_dir())
    val_paths = sorted(p for p in (data / "val").iterdir() if p.is_dir())
    fit = open_recordings(train_paths, config.recording)
    val = open_recordings([p / "recording" for p in val_paths], config.recording)
    return (
        [Scene(r, data / "truth_train" / p.name, fit_every) for r, p in zip(fit, train_paths, strict=True)],
        [Scene(r, p / "truth", val_every) for r, p in zip(val, val_paths, strict=True)],
    )


def given_features(recordings: list[Recording], out: Path, encoder: Path | None, config: Config) -> FeatureNetwork:
    """A vision transformer, the encoder of a folder, or one that is trained now in OUT/encoder."""
    if config.semantics.features == "dino":
        return open_features(config.semantics.weights, config.semantics.weights_licence).network.to(
            torch_device(config.device)
        )
    if encoder is None:
        encoder = out / "encoder"
        learn_classes(recordings, encoder, config.semantics.model_copy(update={"head": "clusters"}), work_of(config))
    network = load(encoder, config.device).encoder
    found = network.features if isinstance(network, HeadNetwork) else network
    return (
        ScratchFeatures(found)
        if isinstance(found, Encoder)
        else ScratchFeatures(found.encoder)
        if isinstance(found, DescribedFeatures)
        else found
    )


def steps(
    features: FeatureNetwork, fit: list[Scene], args: argparse.Namespace, config: Config, count: int
) -> Iterator[tuple[str, Classify]]:
    """Name and classifier of every step at K = `count`."""
    semantics = config.semantics.model_copy(update={"clusters": count})
    recordings = [scene.recording for scene in fit]
    folder = args.out / f"{count}"
    clusters = baseline.kmeans_colour_position(recordings, folder / "kmeans.json", count, config.seed)
    yield "k-means on colour and position", lambda frame, _: baseline.classify(clusters, frame.left)
    if isinstance(features, ScratchFeatures) and features.encoder.spec.classes == count:
        yield (
            "clusters that the encoder learned to name",
            applied(SemanticModel(features.encoder, semantics.height, False, "none")),
        )
    if isinstance(features, ScratchFeatures):
        cells = cells_of(features.encoder, prepared(recordings, args, config).paths, count, config.seed)
        for method, more in (("none", ""), ("crf", " + crf")):
            yield f"k-means on features and geometry{more}", by_cells(features.encoder, cells, semantics.height, method)
    for head, name in HEADS.items():
        trained = model_of(
            features, recordings, folder / head, semantics.model_copy(update={"head": head}), config, args
        )
        plain = replace(trained, windows=False, refine="none")
        yield name, applied(plain)
    yield f"{name} + windows", applied(replace(trained, windows=True, refine="none"))
    for method in ("guided", "crf"):
        yield f"{name} + windows + {method}", applied(replace(trained, windows=True, refine=method))


def model_of(
    features: FeatureNetwork,
    recordings: list[Recording],
    folder: Path,
    semantics: SemanticsConfig,
    config: Config,
    args: argparse.Namespace,
) -> SemanticModel:
    """The head of `folder`, trained now where there is none; other numbers of classes than the first take its code."""
    if not encoder_path(folder).exists():
        frames = prepared(recordings, args, config)
        if semantics.clusters == args.classes[0]:
            network = learn_head(features, frames, state_path(folder), semantics, config.seed)
        else:
            trained = load(args.out / f"{args.classes[0]}" / folder.name, config.device).encoder
            assert isinstance(trained, HeadNetwork)
            network = with_other_classes(trained, frames, semantics, config.seed)
        save(SemanticModel(network, semantics.height), folder, {"seed": config.seed})
    return load(folder, config.device)


def prepared(recordings: list[Recording], args: argparse.Namespace, config: Config) -> PreparedFrames:
    """Training frames on disk."""
    return prepare_frames(
        choose_frames(recordings, args.frames, state_path(args.out), None), config.semantics.height, work_of(config)
    )


def work_of(config: Config) -> Work:
    return Work(config.seed, 1, config.device)


def cells_of(encoder: Encoder, frames: Sequence[Path], count: int, seed: int) -> CellClasses:
    """What the product makes of a trained encoder's features and the geometry, at any number of classes."""
    projection = encode_frames(encoder, frames)
    clusters = cluster_frames(frames, projection, count, seed)
    centres = [clusters.nearest(read_descriptors(path, projection)) for path in frames]
    return fit_cells(encoder, frames, centres, clusters.count, np.random.default_rng([seed, 9]))


def by_cells(encoder: Encoder, cells: CellClasses, height: int, method: Method) -> Classify:
    """Nearest centre alone, without class head and windows."""

    def classify(frame: StereoFrame, found: np.ndarray) -> np.ndarray:
        h, w = working_size(*frame.left.shape[:2], height)
        image = resize(frame.left, h, w)
        known = found if found.shape == (h, w) else cell_disparity(found, h, w)
        shape, _ = scene_shape(known, frame.camera.scaled(h, w), (h // CELL, w // CELL), np.random.default_rng(0))
        return refine(np.exp(cells.log_probability(image, shape, encode(encoder, image[None]))), frame.left, method)

    return classify


def applied(model: SemanticModel) -> Classify:
    def classify(frame: StereoFrame, found: np.ndarray) -> np.ndarray:
        return model.classify(frame.left, found, frame.camera.scaled(*found.shape))

    return classify


if __name__ == "__main__":
    main()
