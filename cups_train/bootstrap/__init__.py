"""Stage 2: a panoptic network is trained on pseudo labels, and finds more objects than they hold."""
from cups_train.bootstrap.run import run

__all__ = ["run"]
