"""The class of what the network takes for some thing but outlines no instance of: no pixel is labelled with it."""

from __future__ import annotations

from cups_ros.colors import palette
from cups_ros.types import Classes


def with_unknown(classes: Classes) -> Classes:
    """The classes of a run and, after them, unknown object, in a colour that none of them has."""
    taken = {c.color for c in classes}
    return classes.with_unknown(next(color for color in palette(len(classes) + 1) if color not in taken))
