"""Heads on frozen features: clusters, STEGO, DepthG, learned from the recordings or published."""
from cups_train.semantics.head.network import HeadNetwork, HeadSpec
from cups_train.semantics.head.run import check_published, learn_head, published_head, with_other_classes

__all__ = ["HeadNetwork", "HeadSpec", "check_published", "learn_head", "published_head", "with_other_classes"]
