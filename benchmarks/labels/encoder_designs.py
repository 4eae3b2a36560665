"""What should teach an encoder that has only recordings? One network, one budget of steps, different teachers, on
streets with exact truth.

    python benchmarks/labels/encoder_designs.py --data DATA [--motion MOTION] [--steps 300] [--classes 54] [--every 3]
        [--out runs/designs]

DATA holds train/SCENE, truth_train/SCENE, val/SCENE/recording and val/SCENE/truth; MOTION is stage 1a's folder of
train/* (runs/street/motion), without it the row with moving objects is left out. Every encoder is trained on every n-th
frame of train/*; its features alone, and together with the hand-made channels, are clustered by k-means. The assignment
is fitted on truth_train, accuracy and mIoU are of the cells of val. A stopped call goes on.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from semantics import scenes
from tables import Scene, figures
from torch import Tensor

from cups_train.config import Config, SemanticsConfig
from cups_train.network.encoder import Encoder, EncoderSpec, encode
from cups_train.progress import progress
from cups_train.semantics.batches import Batch, pair_batch
from cups_train.semantics.channels import CELL, image_channels
from cups_train.semantics.clusters import Scaler, kmeans, nearest
from cups_train.semantics.descriptors import LEARNED, LEARNED_VARIANCE
from cups_train.semantics.groups import IMAGE_GROUPS, SHAPE, SHAPE_GROUPS
from cups_train.semantics.losses import shape_loss
from cups_train.semantics.phases import Loss, Phase, go_through, view_losses
from cups_train.semantics.prepared import load
from cups_train.semantics.preparing import choose_frames, prepare_all
from cups_train.semantics.training import fit_shape
from cups_train.types import ChannelGroup

HAND_MADE = (*IMAGE_GROUPS, *SHAPE_GROUPS)
SAMPLES = 40_000  # cells that are clustered
HIDDEN, BLOCK = 0.4, 8  # masked prediction: share of the cells that are hidden, in blocks of this many cells
IMAGE_CHANNELS = sum(group.channels for group in IMAGE_GROUPS)
Rows = Callable[[Path], np.ndarray]  # frame -> (cells, C)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--motion", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--classes", type=int, default=54)
    parser.add_argument("--every", type=int, default=3, help="every n-th frame of train and val")
    parser.add_argument("--seed", type=int, default=1996)
    parser.add_argument("--out", type=Path, default=Path("runs/designs"))
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    fit, val = scenes(args.data, Config(), args.every, args.every)
    frames, truths = zip(
        *(prepared(part, args.out / name, args) for part, name in ((fit, "train"), (val, "val"))), strict=True
    )
    print(f"{'percent, cells of val: accuracy / mIoU':<72}{'one to one':>16}{'majority':>16}")
    cluster_and_print("hand-made channels, nothing learned", hand_made, frames, truths, args)
    for name, encoder in trained(frames[0], args):
        learned = features(encoder, frames[0])
        cluster_and_print(f"{name}", learned, frames, truths, args)
        cluster_and_print(f"{name}, with hand-made channels", partial(beside, learned), frames, truths, args)


def prepared(part: Sequence[Scene], folder: Path, args: argparse.Namespace) -> tuple[list[Path], list[np.ndarray]]:
    """Files of channels and images, and the true class ids of their cells."""
    keys = {scene.recording.name: {stamp.key for stamp in scene.recording.stamps[:: scene.every]} for scene in part}
    chosen = choose_frames(
        [scene.recording for scene in part], 10**6, folder, args.motion if folder.name == "train" else None
    )
    chosen = [frame for frame in chosen if frame.key in keys[frame.recording.name]]
    files = list(
        progress(prepare_all(chosen, SemanticsConfig().height, args.seed, 1), f"channels of {folder.name}", len(chosen))
    )
    truths = []
    for path, (_, truth) in zip(files, (pair for scene in part for pair in scene.frames()), strict=True):
        height, width = load(path).disparity.shape
        truths.append(cv2.resize(truth.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST))
    return files, truths


class Design(NamedTuple):
    """A teacher of the encoder."""

    name: str
    outputs: int
    loss: Loss


def trained(frames: Sequence[Path], args: argparse.Namespace) -> Iterator[tuple[str, Encoder]]:
    """One encoder for each teacher."""
    designs: list[Design] = [
        Design(
            "masked prediction of colour and texture",
            IMAGE_CHANNELS,
            partial(predict_hidden, fit_images(frames), args.seed),
        ),
        Design("correspondences (contrast)", SHAPE, only("contrast")),
        Design("geometry", SHAPE, only("shape")),
        Design("geometry and correspondences", SHAPE, only("shape", "contrast")),
    ]
    if args.motion is not None:
        designs.append(Design("geometry, correspondences and what moves", SHAPE, view_losses))
    batches = partial(pair_batch, frames, SemanticsConfig().batch, fit_shape(frames), args.seed)
    for name, outputs, loss in designs:
        with torch.random.fork_rng():
            torch.manual_seed(args.seed)
            encoder = Encoder(EncoderSpec(SemanticsConfig().channels, 2, outputs))
        go_through(
            Phase(name.replace(" ", "_"), loss, args.steps, SemanticsConfig().lr), encoder, batches, args.out / "state"
        )
        yield name, encoder


def only(*names: str) -> Loss:
    """The product's losses, all but `names` left out."""

    def losses(encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        found = view_losses(encoder, batch)
        return {name: found.get(name, 0 * found["shape"]) for name in names}  # a batch may have no correspondence

    return losses


def predict_hidden(scaler: Scaler, seed: int, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
    """Colour and texture of hidden blocks from what is around them (masked autoencoding, at the resolution of the
    cells)."""
    rng = np.random.default_rng([seed, int(1e6 * float(batch.images.mean()))])
    count, _, height, width = batch.images.shape
    blocks = (rng.random((count, -(-height // (CELL * BLOCK)), -(-width // (CELL * BLOCK)))) < HIDDEN).astype(np.uint8)
    hidden = blocks.repeat(BLOCK, 1).repeat(BLOCK, 2)[:, : height // CELL, : width // CELL] > 0
    images = (255 * batch.images).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    target = np.stack([image_channels(np.ascontiguousarray(image)) for image in images])
    scaled = (target - scaler.mean[:, None, None]) * scaler.scale[:, None, None]
    scaled[~hidden[:, None].repeat(len(scaler.mean), 1)] = np.nan
    seen = np.where(hidden.repeat(CELL, 1).repeat(CELL, 2)[:, None], np.float32(0.45), batch.images)
    out = encoder(torch.from_numpy(seen), torch.from_numpy(batch.rows))
    return {"hidden": shape_loss(out.shape, torch.from_numpy(scaled.astype(np.float32)))}


def fit_images(frames: Sequence[Path]) -> Scaler:
    rows = np.concatenate(
        [load(path).channels.reshape(IMAGE_CHANNELS, -1).T.astype(np.float32) for path in frames[::5]]
    )
    return Scaler.fit(rows, [ChannelGroup("image", 1, 1.0)] * IMAGE_CHANNELS)


def hand_made(path: Path) -> np.ndarray:
    frame = load(path)
    planes = np.concatenate([frame.channels, frame.shape]).astype(np.float32)
    return planes.reshape(len(planes), -1).T


def features(encoder: Encoder, frames: Sequence[Path]) -> Rows:
    """The encoder's features, half-whitened principal components."""

    def raw(path: Path) -> np.ndarray:
        found = encode(encoder, load(path).images[:1]).features[0].numpy()
        return found.reshape(len(found), -1).T

    rows = np.concatenate([raw(path)[::7] for path in frames[::2]]).astype(np.float64)
    variance, axes = np.linalg.eigh(np.cov(rows.T))
    variance, axes = variance[::-1][:LEARNED], axes[:, ::-1][:, :LEARNED]
    half_white = (axes / np.maximum(variance, 1e-9 * variance[0]) ** 0.25).astype(np.float32)
    mean = rows.mean(0).astype(np.float32)
    return lambda path: (raw(path) - mean) @ half_white


def beside(learned: Rows, path: Path) -> np.ndarray:
    return np.concatenate([hand_made(path), learned(path)], 1)


def cluster_and_print(
    name: str,
    rows_of: Rows,
    frames: Sequence[Sequence[Path]],
    truths: Sequence[Sequence[np.ndarray]],
    args: argparse.Namespace,
) -> None:
    """One line: k-means on the cells of train, the assignment fitted there, scored on val."""
    rng = np.random.default_rng([args.seed, 3])
    samples = np.concatenate(
        [rows[rng.integers(0, len(rows), SAMPLES // len(frames[0]))] for rows in map(rows_of, frames[0])]
    )
    scaler = scaler_of(samples)
    centres = kmeans(scaler(samples), args.classes, rng)[0]
    classes = int(max(truth.max() for part in truths for truth in part))
    fitted, scored = (
        table(rows_of, scaler, centres, files, truth, classes) for files, truth in zip(frames, truths, strict=True)
    )
    text = "".join(
        "{:>16}".format(" / ".join(f"{100 * v:.1f}" for v in figures(fitted, scored, matching)))
        for matching in ("hungarian", "majority")
    )
    print(f"{name:<72}{text}", flush=True)


def scaler_of(samples: np.ndarray) -> Scaler:
    """Groups with the product's variances; learned components keep their proportions."""
    known = sum(group.channels for group in HAND_MADE)
    groups, learned = (HAND_MADE, samples.shape[1] - known) if samples.shape[1] >= known else ((), samples.shape[1])
    if not learned:
        return Scaler.fit(samples, groups)
    scaler = Scaler.fit(samples, (*groups, ChannelGroup("learned", learned, LEARNED_VARIANCE)))
    scale = scaler.scale.copy()
    scale[-learned:] = np.sqrt(LEARNED_VARIANCE / max(float(samples[:, -learned:].var(0).sum()), 1e-12))
    return replace(scaler, scale=scale)


def table(
    rows_of: Rows,
    scaler: Scaler,
    centres: np.ndarray,
    files: Sequence[Path],
    truths: Sequence[np.ndarray],
    classes: int,
) -> np.ndarray:
    """(K + 1, true classes + 1) cells."""
    total = np.zeros((len(centres) + 1, classes + 1), np.int64)
    for path, truth in zip(files, truths, strict=True):
        index = nearest(scaler(rows_of(path)), centres)[0] + 1
        total += np.bincount(index * (classes + 1) + truth.ravel(), minlength=total.size).reshape(total.shape)
    return total


if __name__ == "__main__":
    main()
