"""Which of many clusters are one class: what a point of the world is called as the camera moves, how high it lies, what
it looks like."""

from cups_train.pseudo_label.sameness.evidence import Evidence, SeenFrame, collect_evidence, gather, steadiness
from cups_train.pseudo_label.sameness.join import Joining, JoinOptions, join_by_looks, join_classes
from cups_train.pseudo_label.sameness.parked import kinds_of_clusters

__all__ = [
    "Evidence",
    "JoinOptions",
    "Joining",
    "SeenFrame",
    "collect_evidence",
    "gather",
    "join_by_looks",
    "join_classes",
    "kinds_of_clusters",
    "steadiness",
]
