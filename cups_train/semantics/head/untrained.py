"""Heads that are not trained: with random weights to begin with, linear, or from a published checkpoint as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from cups_train.errors import ModelError
from cups_train.semantics.features.network import FeatureNetwork, ScratchFeatures
from cups_train.semantics.head.classes import HeadSettings, fit_centres, set_sharpness
from cups_train.semantics.head.crops import DenseFrame
from cups_train.semantics.head.network import HeadNetwork, HeadSpec
from cups_train.semantics.principal import Moments, principal_components

ADAPTED = 32  # principal components of an encoder's features


def new_head(features: FeatureNetwork, dense: Sequence[DenseFrame], settings: HeadSettings, seed: int) -> HeadNetwork:
    """A head with random weights on the device of the features, which stay as they are."""
    adapted = min(ADAPTED, features.channels) if isinstance(features, ScratchFeatures) else 0
    spec = HeadSpec(features.to_json(), adapted, settings.code, settings.classes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = HeadNetwork(spec, features)
    if adapted:
        mean, axes = principal_axes(dense, adapted, whiten=True)
        network.adapt.weight.copy_(torch.from_numpy(axes)[..., None, None])
        network.adapt.bias.copy_(torch.from_numpy(-axes @ mean))
    return network.to(next(features.parameters()).device).eval()


def linear_head(network: HeadNetwork, dense: Sequence[DenseFrame], settings: HeadSettings, seed: int) -> HeadNetwork:
    """No training: the code is the features' principal components, and the probe is k-means on them (the row below
    STEGO)."""
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
    network.centres.copy_(torch.from_numpy(fit_centres(network, dense, seed)))
    set_sharpness(network, dense, settings, seed)
    return network


def check_published(head: Mapping[str, Tensor], classes: int) -> None:
    """Raises ModelError where a checkpoint has no head of STEGO's form, or one with another number of classes."""
    if not head:
        raise ModelError(
            "expected a STEGO or DepthG checkpoint for semantics.head=published, found weights without a head "
            "(semantics.weights)"
        )
    count = len(head["centres"])
    if count != classes:
        raise ModelError(
            f"expected {classes} classes in the published head, found {count}; set -o semantics.clusters={count}"
        )


def published_head(features: FeatureNetwork, head: Mapping[str, Tensor]) -> HeadNetwork:
    """The head and the classes of a STEGO/DepthG checkpoint as they are."""
    count, code = head["centres"].shape
    network = HeadNetwork(HeadSpec(features.to_json(), 0, code, count), features)
    network.head.load_state_dict({name: value for name, value in head.items() if name != "centres"})
    with torch.no_grad():
        network.centres.copy_(head["centres"])
    return network.to(next(features.parameters()).device).eval()


def principal_axes(dense: Sequence[DenseFrame], count: int, whiten: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean (C,) and `count` principal axes (count, C) of all cells; whitened by half: components keep the root of their
    deviation."""
    moments = Moments()
    for frame in dense:
        moments.add(np.asarray(frame.features(), np.float32))
    found = principal_components(moments)
    mean, variance, axes = found.mean, np.maximum(found.variance, 1e-9 * max(found.variance[0], 1e-30)), found.axes
    scaled = axes / variance**0.25 if whiten else axes
    padded = np.zeros((count, len(mean)))  # more code channels than features: the rest stays empty
    padded[: min(count, len(mean))] = scaled.T[:count]
    return mean.astype(np.float32), padded.astype(np.float32)
