"""Learn pseudo classes from recordings alone: channels, encoder, clusters, self-training."""
from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cups_train.config import SemanticsConfig
from cups_train.device import torch_device
from cups_train.errors import CupsError
from cups_train.files import read_json, sha256, write_atomically, write_image, write_json
from cups_train.folders.layout import MOTION
from cups_train.parallel import worker_count
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.report.contact_sheet import contact_sheet, find_examples
from cups_train.semantics.batches import class_batch, pair_batch
from cups_train.semantics.cells import fit_cells
from cups_train.semantics.clusters import Clusters, Scaler, kmeans, nearest
from cups_train.semantics.describe import Projection, describe, encode_frames, fit_scaler, sample_cells, save_array
from cups_train.semantics.encoder import Encoder, EncoderSpec
from cups_train.semantics.features import GivenFeatures, ScratchFeatures, open_features
from cups_train.semantics.head import HeadNetwork, check_published, learn_head, published_head
from cups_train.semantics.learn import learn, learn_classes, learn_views
from cups_train.semantics.losses import class_weights
from cups_train.semantics.merging import clusters_for, merge
from cups_train.semantics.model import FILE, SemanticModel, save
from cups_train.semantics.prepared import choose_frames, load, prepare_all
from cups_train.semantics.shape import SHAPE
from cups_train.types import StereoCamera

logger = logging.getLogger(__name__)
FRAMES = 600  # most frames that are kept on disk, about 2 MB each at 256 x 512
SAMPLES = 60_000  # most cells that are clustered
SHEET_FRAMES = 24
CLASSES = "classes_of_centres.npy"  # in the state: (M,) class of each cluster
WORTH_PROCESSES = 32  # frames


def train(recordings: Sequence[Recording], out: Path, config: SemanticsConfig, seed: int, device: str, motion: Path | None = None) -> None:
    """Write OUT/encoder.safetensors and OUT/classes.jpg. A stopped training goes on from OUT/state, which is removed at the end.

    motion: folder with stage 1a's NAME/instances/KEY.png. What moves there teaches the encoder what could move, so that parked cars are
    told from walls; without it, appearance and shape alone make the classes.
    """
    if (out / FILE).exists() and not (out / "state").exists():
        return
    given = given_features(config)  # before the long work: a wrong file is told at once
    state = _state_folder(recordings, out, config, seed, motion)
    sources = choose_frames(recordings, FRAMES, state, motion)
    if not sources:
        raise CupsError("expected recordings with stereo frames to learn classes from, found none; name at least one RECORDING")
    workers = worker_count(0) if len(sources) >= WORTH_PROCESSES else 1
    frames = list(progress(prepare_all(sources, config.height, seed, workers), "channels", len(sources)))
    cameras = [source.recording.camera for source in sources]
    network = learn_network(given, frames, cameras, state, config, seed, device)
    origin = {} if given is None else given.origin
    cells = None
    if isinstance(network, Encoder):
        cells = fit_cells(network, frames, map(read_nearest, frames), np.load(state / CLASSES, allow_pickle=False), np.random.default_rng([seed, 9]))
    model = SemanticModel(network, config.height, config.windows, config.refine, cells)
    names = [recording.name for recording in recordings]
    save(model, out, {"seed": seed, "recordings": names, "frames": len(frames), "image": "RGB / 255", "motion": motion is not None, **origin})
    images = (load(path).images[0] for path in frames[::max(1, len(frames) // SHEET_FRAMES)])
    write_image(out / "classes.jpg", contact_sheet(find_examples(((image, model.classify(image)) for image in images), config.classes)))
    shutil.rmtree(state)


def given_features(config: SemanticsConfig) -> GivenFeatures | None:
    """Features from outside, none for an encoder of the recordings' own. Raises CupsError where they do not fit the settings."""
    if config.features == "scratch":
        if config.head == "published":
            raise CupsError("expected weights for semantics.head=published, found semantics.features=scratch; set -o semantics.features=dino")
        return None
    given = open_features(config.weights, config.weights_licence)
    if config.head == "published":
        check_published(given.head, config.classes)
    return given


def learn_network(given: GivenFeatures | None, frames: Sequence[Path], cameras: Sequence[StereoCamera], state: Path, config: SemanticsConfig,
                  seed: int, device: str) -> Encoder | HeadNetwork:
    """The network that names classes (semantics.features, semantics.head). cameras: of the frames' recordings."""
    if given is not None:
        features = given.network.to(torch_device(device))
        return published_head(features, given.head) if config.head == "published" else learn_head(features, frames, cameras, state, config, seed)
    encoder = new_encoder(config, seed, device)
    train_encoder(encoder, frames, state, config, seed)
    return encoder if config.head == "clusters" else learn_head(ScratchFeatures(encoder), frames, cameras, state, config, seed)


def new_encoder(config: SemanticsConfig, seed: int, device: str) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Encoder(EncoderSpec(config.channels, config.classes, SHAPE)).to(torch_device(device))


def train_encoder(encoder: Encoder, frames: Sequence[Path], state: Path, config: SemanticsConfig, seed: int) -> None:
    """Both phases, in place: views, then the classes that cluster what the first phase and the hand-made channels say."""
    shape_scaler = fit_shape(frames)
    learn(encoder, partial(pair_batch, frames, config.batch, shape_scaler, seed), learn_views, config.steps, config.lr, "views", state)
    counts_path = state / "counts.npy"
    if not (counts_path.exists() and (state / CLASSES).exists()):
        projection = encode_frames(encoder, frames)
        clusters = cluster_frames(frames, projection, config.classes, seed)
        write_atomically(state / CLASSES, partial(save_array, array=clusters.classes))
        write_atomically(counts_path, partial(save_array, array=assign_frames(frames, projection, clusters)))
    weights = class_weights(torch.from_numpy(np.load(counts_path, allow_pickle=False)).float())
    names = np.load(state / CLASSES, allow_pickle=False)
    classes = partial(class_batch, frames, config.batch, shape_scaler, lambda path: names[read_nearest(path)], seed)
    learn(encoder, classes, learn_classes(weights), config.cluster_steps, config.lr, "classes", state)


def fit_shape(frames: Sequence[Path]) -> Scaler:
    """Standardises the shape channels; at most 60 frames are read."""
    rows = np.concatenate([load(path).shape.reshape(SHAPE, -1).T.astype(np.float32) for path in frames[::max(1, len(frames) // 60)]])
    return Scaler.fit(rows, tuple(("shape", 1, 1.0) for _ in range(SHAPE)))


def cluster_frames(frames: Sequence[Path], projection: Projection, count: int, seed: int) -> Clusters:
    """k-means over cells of all frames; few classes are joined from more clusters. Raises CupsError where there are fewer cells than classes."""
    rng = np.random.default_rng([seed, 3])
    samples = sample_cells(frames, projection, SAMPLES, rng)
    if len(samples) < count:
        raise CupsError(f"expected at least {count} cells for {count} classes, found {len(samples)}; record more, or lower `-o semantics.classes`")
    scaler = fit_scaler(samples, projection)
    rows = scaler(samples)
    centres = kmeans(rows, min(clusters_for(count), len(rows)), rng)[0]
    return Clusters.of(scaler, centres, merge(centres, np.bincount(nearest(rows, centres)[0], minlength=len(centres)), count))


def assign_frames(frames: Sequence[Path], projection: Projection, clusters: Clusters) -> np.ndarray:
    """Write every frame's map of nearest centres beside it; gives the cells of each class, (K,)."""
    counts = np.zeros(len(clusters.centres), np.int64)
    for path in progress(frames, "assign cells", len(frames)):
        index = clusters.nearest_centre(describe(path, projection))
        write_atomically(nearest_path(path), partial(save_array, array=index.astype(np.uint8)))
        counts += np.bincount(index.ravel(), minlength=len(counts))
    return np.bincount(clusters.classes, weights=counts, minlength=clusters.count)


def nearest_path(frame: Path) -> Path:
    return frame.with_suffix(".nearest.npy")


def read_nearest(frame: Path) -> np.ndarray:
    """(h/4, w/4) int64 index of each cell's nearest centre."""
    return np.load(nearest_path(frame), allow_pickle=False).astype(np.int64)


def _state_folder(recordings: Sequence[Recording], out: Path, config: SemanticsConfig, seed: int, motion: Path | None) -> Path:
    """OUT/state, emptied where it is of another training."""
    state = out / "state"
    moved = [] if motion is None else [sha256(motion / r.name / MOTION) for r in recordings]
    key = {"config": config.model_dump(mode="json"), "seed": seed, "recordings": [r.fingerprint for r in recordings], "motion": moved}
    if not (state / "key.json").exists() or read_json(state / "key.json") != key:
        shutil.rmtree(state, ignore_errors=True)
        write_json(state / "key.json", key)
    return state
