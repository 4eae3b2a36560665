"""Stage 1a: objects that move by themselves."""
from cups_train.motion.find import find_moving_objects
from cups_train.motion.run import run

__all__ = ["find_moving_objects", "run"]
