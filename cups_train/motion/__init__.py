"""Stage 1a: objects that move by themselves."""

from cups_train.motion.find_motion import find_motion

__all__ = ["find_motion"]
