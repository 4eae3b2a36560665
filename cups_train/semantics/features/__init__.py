"""Dense features of an image: an encoder learned from the recordings, or a vision transformer from a file of its own."""
from cups_train.semantics.features.described import DescribedFeatures
from cups_train.semantics.features.network import FeatureNetwork, ScratchFeatures, build_features
from cups_train.semantics.features.source import GivenFeatures, open_features

__all__ = ["DescribedFeatures", "FeatureNetwork", "GivenFeatures", "ScratchFeatures", "build_features", "open_features"]
