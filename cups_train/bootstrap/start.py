"""What stage 2 begins with: the encoder of stage 1b, and what the labels made of each of its clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cups_train.bootstrap.frames import LabelledRecordings, TrainingFrame
from cups_train.errors import ResultError
from cups_train.files import read_image
from cups_train.folders.semantics import class_map_path, encoder_path, read_encoder, reading_encoder
from cups_train.network.encoder import EncoderSpec
from cups_train.network.model import PanopticNetwork
from cups_train.network.semantic_head import DirectHead
from cups_train.picks import evenly_spaced
from cups_train.training.sample import IGNORE, semantic_table

MOST_FRAMES = 600  # in which pixels are counted
UNSEEN = 1.0  # pixel that every class has at least


@dataclass(frozen=True, eq=False)
class KnownEncoder:
    """The encoder that named the clusters."""

    spec: EncoderSpec
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Origin:
    """What is known before the first step."""

    encoder: KnownEncoder | None  # None: stage 1b learned none that fits
    clusters: tuple[tuple[int, ...], ...]  # of each semantic channel: clusters 0..K-1 of the encoder; may be none
    pixels: np.ndarray  # (S + 1,) float64 pixels of each semantic channel in the labels


def find_origin(labelled: LabelledRecordings, frames: Sequence[TrainingFrame]) -> Origin:
    """The encoder of the semantics folder, where it names the clusters itself, and the counts of all labels."""
    encoder = read_known_encoder(labelled.semantics)
    counts = count_pixels(labelled, frames, encoder.spec.classes if encoder else 0)
    return Origin(encoder, clusters_of_channels(counts[1:]) if encoder else (), counts.sum(axis=0))


def read_known_encoder(semantics: Path | None) -> KnownEncoder | None:
    """None where another network names the classes, or label files were taken from elsewhere."""
    if semantics is None or not encoder_path(semantics).is_file():
        return None
    content = read_encoder(semantics)
    with reading_encoder(semantics):
        return (
            None
            if "channels" not in content.card["spec"]
            else KnownEncoder(EncoderSpec.from_json(content.card["spec"]), content.network)
        )


def count_pixels(labelled: LabelledRecordings, frames: Sequence[TrainingFrame], clusters: int) -> np.ndarray:
    """(clusters + 1, S + 1) int64: pixels by cluster, first those of none, and by the semantic channel that the labels
    show there."""
    channels, table = len(labelled.classes.stuff) + 1, semantic_table(labelled.classes)
    total = np.zeros((clusters + 1, channels), np.int64)
    for row in evenly_spaced(len(frames), MOST_FRAMES):
        frame = frames[row]
        target = table[frame.label.maps()[0]]
        seen = _cluster_map(labelled, frame, target.shape) if clusters else np.zeros(target.shape, np.uint8)
        known = target != IGNORE
        pairs = np.minimum(seen[known], clusters).astype(np.int64) * channels + target[known]
        total += np.bincount(pairs, minlength=total.size).reshape(total.shape)
    return total


def _cluster_map(labelled: LabelledRecordings, frame: TrainingFrame, size: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8 ids 1..K of the encoder's clusters, 0 where they are not known."""
    assert labelled.semantics is not None
    path = class_map_path(labelled.semantics / labelled.recordings[frame.recording].name, frame.label.key)
    try:
        found = read_image(path)
    except ResultError:
        return np.zeros(size, np.uint8)
    return found if found.shape == size else np.zeros(size, np.uint8)


def clusters_of_channels(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """(K, S + 1) pixels -> for each channel the clusters of which the labels show most pixels as it; clusters without a
    pixel are nobody's."""
    best = np.where(counts.any(axis=1), counts.argmax(axis=1), -1)
    return tuple(tuple(np.flatnonzero(best == channel).tolist()) for channel in range(counts.shape[1]))


def class_weights(pixels: np.ndarray, balance: float) -> tuple[float, ...]:
    """(S + 1,) pixels -> weights of the semantic loss, one over the pixels to the power of `balance`, mean 1 over all
    pixels."""
    pixels = np.maximum(pixels, UNSEEN)
    weights = pixels**-balance
    return tuple(float(f"{weight:.6g}") for weight in weights * pixels.sum() / (weights * pixels).sum())


def fits(network: PanopticNetwork, encoder: KnownEncoder) -> bool:
    """Whether the network's pyramid is the encoder's."""
    found = {name: tuple(tensor.shape) for name, tensor in encoder.tensors.items()}
    return all(found.get(name) == tuple(tensor.shape) for name, tensor in network.backbone.state_dict().items())


@torch.no_grad()
def start_from(network: PanopticNetwork, origin: Origin) -> None:
    """Give the network the encoder's weights, and its semantic head the encoder's names of clusters, in place."""
    assert origin.encoder is not None
    tensors, head = origin.encoder.tensors, network.semantic_head
    network.backbone.load_state_dict({name: tensors[name] for name in network.backbone.state_dict()})
    if not isinstance(head, DirectHead) or head.clusters != widths_of(origin.clusters):
        return
    head.features.load_state_dict({name: tensors[f"to_classes.0.{name}"] for name in head.features.state_dict()})
    weight, bias = tensors["to_classes.1.weight"], tensors["to_classes.1.bias"]
    row = 0
    for clusters in origin.clusters:
        if clusters:
            rows = slice(row, row + len(clusters))
            head.predictor.weight[rows], head.predictor.bias[rows] = weight[list(clusters)], bias[list(clusters)]
        row += max(1, len(clusters))


def widths_of(clusters: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Clusters of each channel: one of its own for a channel that no cluster shows."""
    return tuple(max(1, len(of_channel)) for of_channel in clusters)
