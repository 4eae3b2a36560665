"""The head's training: resumable, the same for the same seed, and its best checkpoint chosen without labels."""
from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cups_train.files import write_atomically
from cups_train.progress import progress
from cups_train.semantics.features import FeatureNetwork, ScratchFeatures
from cups_train.semantics.head.choice import Views, score
from cups_train.semantics.head.correspondence import Shifts
from cups_train.semantics.head.crops import DenseFrame, five_crops, neighbours
from cups_train.semantics.head.distillation import CropPool, Distillation, compare, find_shifts, losses, shifts_to_json
from cups_train.semantics.head.network import HeadNetwork, HeadSpec
from cups_train.semantics.head.probe import calibrated_sharpness, fit_probe, unit
from cups_train.semantics.merging import merge
from cups_train.training.small import note

logger = logging.getLogger(__name__)
STATE_EVERY = 100  # steps
CHECKPOINTS = 5  # that are compared
ADAPTED = 32  # principal components of an encoder's features
SAMPLES = 30_000  # cells whose codes the probe is fitted on


@dataclass(frozen=True)
class HeadSettings:
    """Sizes and steps of a head."""

    classes: int
    extra: int  # centres beside one for each class; joined into the classes at the end
    code: int
    steps: int
    lr: float


def new_head(features: FeatureNetwork, dense: Sequence[DenseFrame], settings: HeadSettings, seed: int) -> HeadNetwork:
    """A head with random weights on the device of the features, which stay as they are."""
    adapted = min(ADAPTED, features.channels) if isinstance(features, ScratchFeatures) else 0
    spec = HeadSpec(features.to_json(), adapted, settings.code, settings.classes + settings.extra, settings.classes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = HeadNetwork(spec, features)
    if adapted:
        mean, axes = principal_axes(dense, adapted, whiten=True)
        network.adapt.weight.copy_(torch.from_numpy(axes)[..., None, None])
        network.adapt.bias.copy_(torch.from_numpy(-axes @ mean))
    return network.to(next(features.parameters()).device).eval()


def train_head(network: HeadNetwork, dense: Sequence[DenseFrame], folder: Path, how: Distillation, settings: HeadSettings, seed: int) -> HeadNetwork:
    """Train in place. `folder`/head.pt holds the state every 100 steps; a finished or stopped training goes on from there."""
    pool = crop_pool(dense)
    optimizer = torch.optim.Adam(network.head.parameters(), lr=settings.lr)
    state = _resume(folder / "head.pt", network, optimizer)
    shifts = Shifts(**state["shifts"]) if "shifts" in state else find_shifts(network, pool, how, seed)
    views = Views.of(network.features, dense)
    best: dict[str, Any] = state.get("best", {"score": -np.inf})
    start, every = int(state.get("step", 0)), max(1, settings.steps // CHECKPOINTS)
    for step in progress(range(start, settings.steps), "head", settings.steps, start):
        terms = losses(network, compare(network, pool.batch(how.batch, seed, step), how, seed, step), how, shifts, step)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        last = step + 1 == settings.steps
        if (step + 1) % every == 0 or last:
            best = _better(network, dense, views, best, seed, step + 1)
            note(folder, {"phase": "head", "step": step + 1, "best": best["score"], **{n: t.item() for n, t in terms.items()}})
        if (step + 1) % STATE_EVERY == 0 or last:
            state = {"head": network.head.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1, "best": best,
                     "shifts": shifts_to_json(shifts)}
            write_atomically(folder / "head.pt", partial(torch.save, state))
    network.head.load_state_dict(best["head"])
    network.centres.copy_(best["centres"])
    set_classes(network, dense, seed, None if how.reference else views)
    return network


def crop_pool(dense: Sequence[DenseFrame]) -> CropPool:
    crops, means = [], []
    for i, frame in enumerate(dense):
        maps = frame.features()
        for crop in five_crops(i, *maps.shape[1:]):
            crops.append(crop)
            means.append(crop.of(maps).mean((1, 2)))
    centred = np.stack(means)
    return CropPool(dense, crops, neighbours(centred - centred.mean(0), np.array([crop.frame for crop in crops])))


def linear_head(network: HeadNetwork, dense: Sequence[DenseFrame], seed: int) -> HeadNetwork:
    """No training: the code is the features' principal components, and the probe is k-means on them (the row below STEGO)."""
    mean, axes = principal_axes(dense, network.spec.code, whiten=False)
    with torch.no_grad():
        if network.spec.adapted:
            weight, bias = network.adapt.weight[..., 0, 0].cpu().numpy(), network.adapt.bias.cpu().numpy()
            back = np.linalg.pinv(weight)
            mean, axes = weight @ mean + bias, axes @ back
        network.head.linear.weight.copy_(torch.from_numpy(axes)[..., None, None])
        network.head.linear.bias.copy_(torch.from_numpy(-axes @ mean))
        network.head.nonlinear.weight.zero_()
        network.head.nonlinear.bias.zero_()
    network.centres.copy_(torch.from_numpy(_centres(network, dense, seed)))
    set_classes(network, dense, seed, Views.of(network.features, dense))
    return network


def with_classes(trained: HeadNetwork, dense: Sequence[DenseFrame], settings: HeadSettings, seed: int, reference: bool) -> HeadNetwork:
    """The same code with a probe of another number of classes: the code's training does not depend on it."""
    network = HeadNetwork(replace(trained.spec, centres=settings.classes + settings.extra, classes=settings.classes), trained.features)
    network.adapt.load_state_dict(trained.adapt.state_dict())
    network.head.load_state_dict(trained.head.state_dict())
    network = network.to(trained.centres.device).eval()
    network.centres.copy_(torch.from_numpy(_centres(network, dense, seed)))
    set_classes(network, dense, seed, None if reference else Views.of(network.features, dense))
    return network


def set_classes(network: HeadNetwork, dense: Sequence[DenseFrame], seed: int, views: Views | None) -> None:
    """Join the centres into the classes, and make probabilities as sharp as the most likely class is found again in the mirror image.

    views: none: they stay as published.
    """
    centres = network.centres.cpu().numpy()
    cosine = unit(sample_codes(network, dense, SAMPLES, np.random.default_rng([seed, 7]))) @ centres.T
    merged = merge(centres, np.bincount(cosine.argmax(1), minlength=len(centres)), network.spec.classes)
    network.class_of_centre.copy_(torch.from_numpy(merged))
    if views is not None:
        agreement = score(views, lambda maps: merged[_nearest(network, maps, centres)], network.spec.classes)[1]
        network.spec = replace(network.spec, sharpness=calibrated_sharpness(cosine, merged, agreement))


def principal_axes(dense: Sequence[DenseFrame], count: int, whiten: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean (C,) and `count` principal axes (count, C) of all cells; whitened by half: components keep the root of their deviation."""
    cells, total, square = 0, 0.0, 0.0
    for frame in dense:
        maps = np.asarray(frame.features(), np.float32)
        rows = maps.reshape(len(maps), -1).T.astype(np.float64)
        cells, total, square = cells + len(rows), total + rows.sum(0), square + rows.T @ rows
    mean = np.asarray(total) / cells
    variance, axes = np.linalg.eigh(np.asarray(square) / cells - np.outer(mean, mean))
    variance, axes = np.maximum(variance[::-1], 1e-9 * max(variance[-1], 1e-30)), axes[:, ::-1]
    scaled = axes / variance ** 0.25 if whiten else axes
    padded = np.zeros((count, len(mean)))  # more code channels than features: the rest stays empty
    padded[:min(count, len(mean))] = scaled.T[:count]
    return mean.astype(np.float32), padded.astype(np.float32)


def sample_codes(network: HeadNetwork, dense: Sequence[DenseFrame], most: int, rng: np.random.Generator) -> np.ndarray:
    """(N, code) codes of cells drawn evenly from all frames."""
    rows = []
    for frame in dense:
        maps = frame.features()
        cells = maps.reshape(len(maps), -1)
        chosen = np.sort(rng.choice(cells.shape[1], min(cells.shape[1], max(1, most // len(dense))), replace=False))
        rows.append(np.asarray(cells[:, chosen], np.float32))
    return codes_of(network, np.concatenate(rows, 1)).T


def codes_of(network: HeadNetwork, features: np.ndarray) -> np.ndarray:
    """(C, ...) float32 features of cells -> (code, ...)."""
    with torch.inference_mode():
        cells = torch.from_numpy(features.reshape(len(features), -1)).to(network.centres.device)[None, :, :, None]
        code = network.head(network.adapt(cells))[0, :, :, 0].cpu().numpy()
    return code.reshape(-1, *features.shape[1:])


def _nearest(network: HeadNetwork, features: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(C, h, w) features -> (h, w) index of the centre."""
    return np.tensordot(centres, codes_of(network, features), 1).argmax(0)


def _centres(network: HeadNetwork, dense: Sequence[DenseFrame], seed: int) -> np.ndarray:
    return fit_probe(sample_codes(network, dense, SAMPLES, np.random.default_rng([seed, 6])), network.spec.centres, np.random.default_rng([seed, 8]))


def _better(network: HeadNetwork, dense: Sequence[DenseFrame], views: Views, best: dict[str, Any], seed: int, step: int) -> dict[str, Any]:
    """The better of the best checkpoint so far and the network as it is, with a probe fitted anew."""
    centres = _centres(network, dense, seed)
    found, _ = score(views, lambda maps: _nearest(network, maps, centres), len(centres))
    logger.info("head, step %d: score without labels %.4f", step, found)
    if found < best["score"]:
        return best
    head: dict[str, Tensor] = {name: value.detach().cpu().clone() for name, value in network.head.state_dict().items()}
    return {"score": found, "step": step, "head": head, "centres": torch.from_numpy(centres)}


def _resume(path: Path, network: HeadNetwork, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    if not path.exists():
        return {}
    state: dict[str, Any] = torch.load(path, map_location=network.centres.device, weights_only=True)
    network.head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    return state
