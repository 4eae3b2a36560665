"""Flow and disparity from files instead of estimates (KITTI's 16-bit codings)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cups_train.errors import ResultError
from cups_train.files import read_image
from cups_train.types import SceneFlow

FLOW_SIGMA = 0.03  # px: coding step 1/64
DISPARITY_SIGMA = 0.01  # px: coding step 1/256


def has_given(folder: Path, key: str) -> bool:
    """True where the folder holds the flow of this frame; a frame without one has no t+1."""
    return (folder / f"{key}_flow.png").is_file()


def given_flow(folder: Path, key: str, shape: tuple[int, int]) -> SceneFlow:
    """Read KEY_disp.png, KEY_disp_next.png, KEY_flow.png and, if there, KEY_vis.png; `shape` is (H, W) of the images.
    Raises ResultError.

    Disparity 0 is "no finite depth". Flow counts where its file calls it valid and, with KEY_vis.png, where the point
    lies before the camera.
    """
    coded = _read(folder / f"{key}_flow.png", shape, 3)
    disparity = _read(folder / f"{key}_disp.png", shape, 1).astype(np.float32) / 256
    disparity_next = _read(folder / f"{key}_disp_next.png", shape, 1).astype(np.float32) / 256
    ok = coded[..., 2] > 0
    if (folder / f"{key}_vis.png").is_file():
        ok = ok & (_read(folder / f"{key}_vis.png", shape, 1) & 4 > 0)
    full = np.ones(shape, np.float32)
    return SceneFlow(
        flow=(coded[..., :2].astype(np.float32) - 32768) / 64,
        disparity=disparity,
        disparity_next=disparity_next,
        flow_ok=ok,
        disparity_ok=np.ones(shape, bool),
        disparity_next_ok=ok & ((disparity_next > 0) | (disparity == 0)),
        flow_sigma=FLOW_SIGMA * full,
        disparity_sigma=DISPARITY_SIGMA * full,
    )


def _read(path: Path, shape: tuple[int, int], channels: int) -> np.ndarray:
    """(H, W) for one channel, else (H, W, channels). Raises ResultError where the file holds another shape."""
    image = read_image(path)
    want = shape if channels == 1 else (*shape, channels)
    if image.shape != want:
        raise ResultError(
            f"expected an image of {want} in {path}, found {image.shape}: --given must name the truth of this recording"
        )
    return image
