"""What every source of dense features offers, and the encoder of the recordings as one of them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cups_train.network.encoder import Encoder, EncoderSpec
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.vit import VitFeatures, VitSpec

CardOfFeatures = dict[str, Any]  # JSON: "kind" and what builds the network again


class ScratchFeatures(nn.Module):
    """The dense features of an encoder that was learned from recordings."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.channels = encoder.spec.channels

    def forward(self, images: Tensor, rows: Tensor) -> Tensor:
        """(B, 3, h, w) RGB 0..1 and rows (B, 1, h, w) -1..1 -> (B, channels, h/4, w/4)."""
        return self.encoder.features(images, rows)

    def to_json(self) -> CardOfFeatures:
        return {"kind": "scratch", "spec": self.encoder.spec.to_json()}


FeatureNetwork = ScratchFeatures | DescribedFeatures | VitFeatures


def build_features(card: CardOfFeatures) -> FeatureNetwork:
    """The network of a card, with weights that are still to be loaded. Raises KeyError, TypeError for a foreign
    card."""
    if card["kind"] == "vit":
        return VitFeatures(VitSpec(**card["spec"]))
    encoder = Encoder(EncoderSpec.from_json(card["spec"]))
    return (
        DescribedFeatures(encoder, int(card["averaging"])) if card["kind"] == "described" else ScratchFeatures(encoder)
    )
