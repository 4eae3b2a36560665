"""Stage 1b: semantic pseudo classes, learned from the recordings alone."""

from cups_train.semantics.class_maps import classify
from cups_train.semantics.model import load
from cups_train.semantics.training import learn_classes

__all__ = ["classify", "learn_classes", "load"]
