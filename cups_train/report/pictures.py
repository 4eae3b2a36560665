"""Pictures inside a page."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np


def data_uri(picture: Path | np.ndarray) -> str:
    """A JPEG file, or (H, W, 3) uint8 RGB pixels, as the text of an image's `src`; of a link nothing: what it leads to
    may not be for those who get the page."""
    if isinstance(picture, Path) and (picture.is_symlink() or picture.parent.is_symlink()):
        return "data:,"
    data = picture.read_bytes() if isinstance(picture, Path) else cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
