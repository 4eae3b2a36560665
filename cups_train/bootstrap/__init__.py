"""Stage 2: a panoptic network is trained on pseudo labels, and finds more objects than they hold."""

from cups_train.bootstrap.frames import LabelledRecordings
from cups_train.bootstrap.training import bootstrap

__all__ = ["LabelledRecordings", "bootstrap"]
