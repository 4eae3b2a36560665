"""Learn pseudo classes from recordings alone: channels, encoder, clusters, self-training."""
from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from cups_train.config import SemanticsConfig
from cups_train.device import torch_device
from cups_train.errors import CupsError
from cups_train.files import read_json, write_atomically, write_image, write_json
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.semantics.batches import class_batch, pair_batch
from cups_train.semantics.channels import IMAGE_GROUPS
from cups_train.semantics.clusters import Clusters, Scaler, kmeans
from cups_train.semantics.contact_sheet import contact_sheet
from cups_train.semantics.encoder import Encoder, EncoderSpec
from cups_train.semantics.learn import learn, learn_classes, learn_views
from cups_train.semantics.losses import class_weights
from cups_train.semantics.model import FILE, SemanticModel, save
from cups_train.semantics.prepared import choose_frames, load, prepare_all
from cups_train.semantics.shape import SHAPE, SHAPE_GROUPS

logger = logging.getLogger(__name__)
FRAMES = 600  # most frames that are kept on disk, about 2 MB each at 256 x 512
SAMPLES = 60_000  # most cells that are clustered
SHEET_FRAMES = 24
WORTH_PROCESSES = 32  # frames


def train(recordings: Sequence[Recording], out: Path, config: SemanticsConfig, seed: int, device: str) -> None:
    """Write OUT/encoder.safetensors and OUT/classes.jpg. A stopped training goes on from OUT/state, which is removed at the end."""
    if (out / FILE).exists() and not (out / "state").exists():
        return
    state = _state_folder(recordings, out, config, seed)
    sources = choose_frames(recordings, FRAMES, state)
    if not sources:
        raise CupsError("expected recordings with stereo frames to learn classes from, found none; name at least one RECORDING")
    workers = (os.cpu_count() or 1) if len(sources) >= WORTH_PROCESSES else 1
    frames = list(progress(prepare_all(sources, config.height, seed, workers), "channels", len(sources)))
    clusters, shape_scaler = cluster_frames(frames, config.classes, seed)
    counts = assign_frames(frames, clusters)
    encoder = _new_encoder(config, seed, device)
    _train_encoder(encoder, frames, state, config, seed, shape_scaler, counts)
    model = SemanticModel(encoder, clusters, shape_scaler, config.height, config.windows, config.smooth)
    groups = [list(group) for group in IMAGE_GROUPS + SHAPE_GROUPS]
    save(model, out, {"seed": seed, "recordings": [r.name for r in recordings], "frames": len(frames), "groups": groups})
    images = (load(path).images[0] for path in frames[::max(1, len(frames) // SHEET_FRAMES)])
    write_image(out / "classes.jpg", contact_sheet(((image, model.classify(image)) for image in images), config.classes))
    shutil.rmtree(state)


def cluster_frames(frames: Sequence[Path], count: int, seed: int) -> tuple[Clusters, Scaler]:
    """k-means on image and shape channels of cells sampled evenly from all frames; and the scaler of the shape channels."""
    rng = np.random.default_rng([seed, 3])
    rows = []
    for path in progress(frames, "sample cells", len(frames)):
        frame = load(path)
        channels = np.concatenate([frame.channels, frame.shape]).reshape(-1, frame.disparity.size)
        chosen = rng.permutation(channels.shape[1])[:max(1, SAMPLES // len(frames))]
        rows.append(channels[:, chosen].T.astype(np.float32))
    samples = np.concatenate(rows)
    if len(samples) < count:
        raise CupsError(f"expected at least {count} cells for {count} classes, found {len(samples)}; record more, or lower `-o semantics.classes`")
    scaler = Scaler.fit(samples, IMAGE_GROUPS + SHAPE_GROUPS)
    centres, spread = kmeans(scaler(samples), count, rng)
    shape = samples[:, -SHAPE:]
    return Clusters(scaler, centres, spread), Scaler(shape.mean(0), (1 / np.maximum(shape.std(0), 1e-6)).astype(np.float32))


def assign_frames(frames: Sequence[Path], clusters: Clusters) -> np.ndarray:
    """Write every frame's map of cluster indices beside it; gives the cells of each cluster, (K,)."""
    counts = np.zeros(len(clusters.centres), np.int64)
    for path in progress(frames, "assign cells", len(frames)):
        frame = load(path)
        index = clusters.log_probability(np.concatenate([frame.channels, frame.shape]).astype(np.float32)).argmax(0).astype(np.uint8)
        write_atomically(classes_path(path), partial(_save_array, array=index))
        counts += np.bincount(index.ravel(), minlength=len(counts))
    return counts


def classes_path(frame: Path) -> Path:
    return frame.with_suffix(".classes.npy")


def read_classes(frame: Path) -> np.ndarray:
    """(h/4, w/4) int64 cluster indices, 0..K-1."""
    return np.load(classes_path(frame), allow_pickle=False).astype(np.int64)


def _new_encoder(config: SemanticsConfig, seed: int, device: str) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Encoder(EncoderSpec(config.channels, config.classes, SHAPE)).to(torch_device(device))


def _train_encoder(encoder: Encoder, frames: Sequence[Path], state: Path, config: SemanticsConfig, seed: int,
                   shape_scaler: Scaler, counts: np.ndarray) -> None:
    pairs = partial(pair_batch, frames, config.batch, shape_scaler, seed)
    learn(encoder, pairs, learn_views, config.steps, config.lr, "views", state)
    classes = partial(class_batch, frames, config.batch, shape_scaler, read_classes, seed)
    learn(encoder, classes, learn_classes(class_weights(torch.from_numpy(counts).float())), config.cluster_steps, config.lr, "classes", state)


def _state_folder(recordings: Sequence[Recording], out: Path, config: SemanticsConfig, seed: int) -> Path:
    """OUT/state, emptied where it is of another training."""
    state = out / "state"
    key = {"config": config.model_dump(mode="json"), "seed": seed, "recordings": [r.fingerprint for r in recordings]}
    if not (state / "key.json").exists() or read_json(state / "key.json") != key:
        shutil.rmtree(state, ignore_errors=True)
        write_json(state / "key.json", key)
    return state


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array)
