"""Class maps of every frame of a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from cups_ros.colors import palette, tint
from cups_train.config.semantics import SemanticsConfig
from cups_train.device import torch_device
from cups_train.files import write_image
from cups_train.flow.sgm import disparity
from cups_train.folders.layout import overlay_path
from cups_train.folders.semantics import class_map_path
from cups_train.geometry.resize import resize
from cups_train.parallel import map_frames
from cups_train.picks import shown
from cups_train.progress import progress
from cups_train.recording.recording import Recording
from cups_train.semantics.channels import working_size
from cups_train.semantics.model import SemanticModel, load
from cups_train.semantics.refine import Method
from cups_train.types import StereoFrame, Work


def classify(recording: Recording, semantics: Path, out: Path, config: SemanticsConfig, work: Work) -> None:
    """Write OUT/KEY.png, (H, W) uint8 class ids, of every frame that has none yet, and OUT/overlays/KEY.jpg of a
    few."""
    keys = [stamp.key for stamp in recording.stamps if not class_map_path(out, stamp.key).exists()]
    pictures = {recording.stamps[i].key for i in shown(len(recording.stamps))}
    device = torch_device(work.device)  # found here once: every worker, wherever it is, computes on the same kind
    workers = 1 if device.type == "cuda" else min(work.workers, len(keys))
    load_here = partial(_model, semantics, str(device), config.windows, config.refine, workers > 1)
    write = partial(_write_frame, load_here, recording, out, pictures)
    done = len(recording.stamps) - len(keys)
    for _ in progress(map_frames(write, keys, workers), f"classes {recording.name}", len(recording.stamps), done):
        pass


def classify_frame(model: SemanticModel, frame: StereoFrame) -> np.ndarray:
    """(H, W) uint8 class ids of the left image, with the disparity found at working size."""
    h, w = working_size(frame.left.shape[0], frame.left.shape[1], model.height)
    found, ok = disparity(resize(frame.left, h, w), resize(frame.right, h, w))
    return model.classify(frame.left, np.where(ok, found, np.nan).astype(np.float32), frame.camera.scaled(h, w))


def _write_frame(
    load_here: Callable[[], SemanticModel], recording: Recording, out: Path, pictures: set[str], key: str
) -> None:
    frame, model = recording.stereo(key), load_here()
    ids = classify_frame(model, frame)
    if key in pictures:
        write_image(
            overlay_path(out, key), tint(frame.left, ids, np.array([(0, 0, 0), *palette(model.classes)], np.uint8))
        )
    write_image(class_map_path(out, key), ids)


@lru_cache(maxsize=1)
def _model(folder: Path, device: str, windows: bool, refine: Method, among_others: bool) -> SemanticModel:
    """Loaded once a process; `among_others`: other workers keep the other cores busy, so that one thread is enough."""
    if among_others:
        torch.set_num_threads(1)
    return replace(load(folder, device), windows=windows, refine=refine)
