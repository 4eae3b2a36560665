"""Stage 1b: semantic pseudo classes, learned from the recordings alone."""
from cups_train.semantics.model import SemanticModel, load
from cups_train.semantics.run import classify_frame, run
from cups_train.semantics.training import train

__all__ = ["SemanticModel", "classify_frame", "load", "run", "train"]
