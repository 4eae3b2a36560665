"""The procedural street: stereo recordings with exact truth, made by a program."""

from cups_train.render.run import CITYSCAPES, render

__all__ = ["CITYSCAPES", "render"]
