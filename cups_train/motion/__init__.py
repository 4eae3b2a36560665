"""Stage 1a: objects that move by themselves."""
from cups_train.motion.find import find_moving_objects
from cups_train.motion.folder import MotionFolder, read_motion
from cups_train.motion.run import run

__all__ = ["MotionFolder", "find_moving_objects", "read_motion", "run"]
