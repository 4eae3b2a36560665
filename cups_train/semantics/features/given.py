"""Where features with weights of their own come from: a file, or timm's collection where the user asks for it by
name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from cups_train.errors import ModelError
from cups_train.semantics.features.foreign import ForeignWeights, read_weights
from cups_train.semantics.features.vit import VitFeatures, load_vit

TIMM = "timm:"
UNSTATED = "not stated"


@dataclass(frozen=True, eq=False)
class GivenFeatures:
    """Frozen features from outside."""

    network: VitFeatures
    head: dict[str, Tensor]  # of a STEGO/DepthG checkpoint, else empty
    origin: dict[str, str]  # source and licence, kept in everything that is made of them


def open_features(weights: str, licence: str) -> GivenFeatures:
    """`weights`: a path, or timm:NAME, which alone may download. Raises ModelError."""
    if not weights:
        raise ModelError(
            "expected a file of weights or timm:NAME for semantics.features=dino, found none; set -o "
            "semantics.weights=..."
        )
    if weights.startswith(TIMM):
        given, stated = _from_timm(weights.removeprefix(TIMM))
    else:
        given, stated = read_weights(Path(weights)), UNSTATED
    return GivenFeatures(load_vit(given), given.head, {"weights": given.source, "licence": licence or stated})


def _from_timm(name: str) -> tuple[ForeignWeights, str]:
    """Weights and their licence; timm keeps them in its cache."""
    import timm

    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or not config.has_weights:
        raise ModelError(
            f"expected a name of timm's pretrained models behind {TIMM}, found {name!r} (semantics.weights)"
        )
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"expected to fetch {name} for timm, found {reason}; name a local file (semantics.weights)"
        ) from error
    return ForeignWeights(network.state_dict(), {}, f"timm {name}"), config.license or UNSTATED
