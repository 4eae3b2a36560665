"""Learn pseudo classes from recordings alone: channels, encoder, clusters, self-training."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cups_train.config.semantics import SemanticsConfig
from cups_train.device import torch_device
from cups_train.errors import CupsError
from cups_train.files import read_object, sha256, write_image, write_json
from cups_train.folders.layout import MOTION
from cups_train.folders.semantics import (
    class_counts_path,
    encoder_path,
    nearest_path,
    read_array,
    sheet_path,
    state_key_path,
    state_path,
    write_array,
)
from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.progress import progress
from cups_train.recording.recording import Recording
from cups_train.report.contact_sheet import contact_sheet, find_examples
from cups_train.semantics.batches import class_batch, pair_batch
from cups_train.semantics.cells import CellClasses, fit_cells
from cups_train.semantics.clusters import Clusters, Scaler, kmeans
from cups_train.semantics.descriptors import Projection, encode_frames, fit_scaler, read_descriptors, sample_descriptors
from cups_train.semantics.features.given import GivenFeatures, open_features
from cups_train.semantics.features.network import ScratchFeatures
from cups_train.semantics.groups import SHAPE
from cups_train.semantics.head.learning import learn_head
from cups_train.semantics.head.network import HeadNetwork
from cups_train.semantics.head.untrained import check_published, published_head
from cups_train.semantics.losses import class_weights
from cups_train.semantics.model import SemanticModel, save
from cups_train.semantics.phases import Phase, class_losses, go_through, view_losses
from cups_train.semantics.prepared import PreparedFrames, load
from cups_train.semantics.preparing import ChosenFrame, choose_frames, prepare_all
from cups_train.types import ChannelGroup, Work

logger = logging.getLogger(__name__)
FRAMES = 600  # most frames that are kept on disk, about 2 MB each at 256 x 512
SAMPLES = 60_000  # most cells that are clustered
SHEET_FRAMES = 24
WORTH_PROCESSES = 32  # frames


def learn_classes(
    recordings: Sequence[Recording], out: Path, config: SemanticsConfig, work: Work, motion: Path | None = None
) -> None:
    """Write OUT/encoder.safetensors and OUT/classes.jpg. A stopped training goes on from OUT/state, which is removed at
    the end.

    motion: folder with stage 1a's NAME/instances/KEY.png. What moves there teaches the encoder what could move, so that
    parked cars are told from walls; without it, appearance and shape alone make the classes.
    """
    if encoder_path(out).exists() and not state_path(out).exists():
        return
    given = given_features(config)  # before the long work: a wrong file is told at once
    state = _state_of(recordings, out, config, work.seed, motion)
    chosen = choose_frames(recordings, FRAMES, state, motion)
    if not chosen:
        raise CupsError(
            "expected recordings with stereo frames to learn classes from, found none; name at least one RECORDING"
        )
    frames = prepare_frames(chosen, config.height, work)
    network = learn_network(given, frames, state, config, work)
    cells = cells_of(network, frames.paths, state, work.seed) if isinstance(network, Encoder) else None
    model = SemanticModel(network, config.height, config.windows, config.refine, cells)
    facts = {
        "seed": work.seed,
        "recordings": [recording.name for recording in recordings],
        "frames": len(chosen),
        "image": "RGB / 255",
        "motion": motion is not None,
    }
    save(model, out, facts if given is None else facts | given.origin)
    write_image(sheet_path(out), draw_sheet(model, frames.paths, config.clusters))
    shutil.rmtree(state)


def cells_of(encoder: Encoder, paths: Sequence[Path], state: Path, seed: int) -> CellClasses:
    """What geometry says of the clusters that the encoder has learned."""
    count = len(read_array(class_counts_path(state)))
    return fit_cells(encoder, paths, map(read_nearest, paths), count, np.random.default_rng([seed, 9]))


def draw_sheet(model: SemanticModel, paths: Sequence[Path], classes: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB: examples of every class from about SHEET_FRAMES frames."""
    images = (load(path).images[0] for path in paths[:: max(1, len(paths) // SHEET_FRAMES)])
    return contact_sheet(find_examples(((image, model.classify(image)) for image in images), classes))


def prepare_frames(chosen: Sequence[ChosenFrame], height: int, work: Work) -> PreparedFrames:
    """All chosen frames on disk. height: of the working image, px."""
    workers = work.workers if len(chosen) >= WORTH_PROCESSES else 1
    paths = progress(prepare_all(chosen, height, work.seed, workers), "channels", len(chosen))
    return PreparedFrames(tuple(paths), tuple(frame.recording.camera for frame in chosen))


def given_features(config: SemanticsConfig) -> GivenFeatures | None:
    """Features from outside, none for an encoder of the recordings' own. Raises CupsError where they do not fit the
    settings."""
    if config.features == "scratch":
        if config.head == "published":
            raise CupsError(
                "expected weights for semantics.head=published, found semantics.features=scratch; set -o "
                "semantics.features=dino"
            )
        return None
    given = open_features(config.weights, config.weights_licence)
    if config.head == "published":
        check_published(given.head, config.clusters)
    return given


def learn_network(
    given: GivenFeatures | None, frames: PreparedFrames, state: Path, config: SemanticsConfig, work: Work
) -> Encoder | HeadNetwork:
    """The network that names classes (semantics.features, semantics.head)."""
    if given is not None:
        features = given.network.to(torch_device(work.device))
        return (
            published_head(features, given.head)
            if config.head == "published"
            else learn_head(features, frames, state, config, work.seed)
        )
    encoder = new_encoder(config, work.seed, work.device)
    train_encoder(encoder, frames.paths, state, config, work.seed)
    return (
        encoder if config.head == "clusters" else learn_head(ScratchFeatures(encoder), frames, state, config, work.seed)
    )


def new_encoder(config: SemanticsConfig, seed: int, device: str) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Encoder(EncoderSpec(config.channels, config.clusters, SHAPE, config.widths, config.blocks)).to(
            torch_device(device)
        )


def train_encoder(encoder: Encoder, frames: Sequence[Path], state: Path, config: SemanticsConfig, seed: int) -> None:
    """Both phases, in place: views, then the classes that cluster the descriptors, of what the first phase and the
    hand-made channels say."""
    scaler = fit_shape(frames)
    go_through(
        Phase("views", view_losses, config.steps, config.lr),
        encoder,
        partial(pair_batch, frames, config.batch, scaler, seed),
        state,
    )
    if not class_counts_path(state).exists():
        projection = encode_frames(encoder, frames)
        clusters = cluster_frames(frames, projection, config.clusters, seed)
        write_array(class_counts_path(state), assign_frames(frames, projection, clusters))
    weights = class_weights(torch.from_numpy(read_array(class_counts_path(state))).float())
    batches = partial(class_batch, frames, config.batch, scaler, read_nearest, seed)
    go_through(Phase("classes", class_losses(weights), config.cluster_steps, config.lr), encoder, batches, state)


def fit_shape(frames: Sequence[Path]) -> Scaler:
    """Standardises the shape channels; at most 60 frames are read."""
    rows = np.concatenate(
        [load(path).shape.reshape(SHAPE, -1).T.astype(np.float32) for path in frames[:: max(1, len(frames) // 60)]]
    )
    return Scaler.fit(rows, [ChannelGroup("shape", 1, 1.0)] * SHAPE)


def cluster_frames(frames: Sequence[Path], projection: Projection, count: int, seed: int) -> Clusters:
    """k-means over cells of all frames, the largest cluster first. Raises CupsError where there are fewer cells than
    clusters."""
    rng = np.random.default_rng([seed, 3])
    samples = sample_descriptors(frames, projection, SAMPLES, rng)
    if len(samples) < count:
        raise CupsError(
            f"expected at least {count} cells for {count} clusters, found {len(samples)}; record more, or lower `-o "
            "semantics.clusters`"
        )
    scaler = fit_scaler(samples, projection)
    return Clusters(scaler, kmeans(scaler(samples), count, rng)[0])


def assign_frames(frames: Sequence[Path], projection: Projection, clusters: Clusters) -> np.ndarray:
    """Write every frame's map of nearest centres beside it; gives the cells of each cluster, (K,)."""
    counts = np.zeros(clusters.count, np.int64)
    for path in progress(frames, "assign cells", len(frames)):
        index = clusters.nearest(read_descriptors(path, projection))
        write_array(nearest_path(path), index.astype(np.uint8))
        counts += np.bincount(index.ravel(), minlength=len(counts))
    return counts


def read_nearest(frame: Path) -> np.ndarray:
    """(h/4, w/4) int64 index of each cell's nearest centre."""
    return read_array(nearest_path(frame)).astype(np.int64)


def _state_of(
    recordings: Sequence[Recording], out: Path, config: SemanticsConfig, seed: int, motion: Path | None
) -> Path:
    """OUT/state, emptied where it is of another training."""
    state = state_path(out)
    moved = [] if motion is None else [sha256(motion / r.name / MOTION) for r in recordings]
    key = {
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "recordings": [r.fingerprint for r in recordings],
        "motion": moved,
    }
    if read_object(state_key_path(state)) != key:
        shutil.rmtree(state, ignore_errors=True)
        write_json(state_key_path(state), key)
    return state
