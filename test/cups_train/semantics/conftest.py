import numpy as np
import pytest
import torch

from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(width=128, height=64, fx=100.0, fy=100.0, cx=63.5, cy=31.5, baseline=0.5)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def texture(seed: int, height: int = 64, width: int = 128) -> np.ndarray:
    """A random picture with structure at several sizes, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for size in (2, 4, 16):
        block = rng.uniform(0, 85, (height // size + 1, width // size + 1, 3)).astype(np.float32)
        total += np.repeat(np.repeat(block, size, 0), size, 1)[:height, :width]
    return total.astype(np.uint8)


class Street:
    """A recording of road below and wall above, 6 m away: everything shifts by whole pixels between the views."""

    def __init__(self, name: str = "street", frames: int = 3) -> None:
        self.name, self.fingerprint, self.camera = name, f"{name}:{frames}", CAMERA
        self.stamps = tuple(_Stamp(f"{i:06d}", i * 100_000_000, i + 1 < frames) for i in range(frames))

    def stereo(self, key: str) -> StereoFrame:
        i = int(key)
        wide = texture(7, 64, 256)
        wide[40:] = (90 + texture(8, 24, 256) // 16).astype(np.uint8)
        wide[:16] = (150, 180, 230)
        return StereoFrame(key, i * 100_000_000, wide[:, 2 * i:2 * i + 128].copy(), wide[:, 2 * i + 8:2 * i + 136].copy(), CAMERA)

    def left(self, key: str) -> np.ndarray:
        return self.stereo(key).left

    def frames(self):
        for stamp in self.stamps:
            yield self.stereo(stamp.key)


class _Stamp:
    def __init__(self, key: str, stamp_ns: int, follows: bool) -> None:
        self.key, self.stamp_ns, self.follows = key, stamp_ns, follows


@pytest.fixture
def street() -> Street:
    return Street()


@pytest.fixture(scope="session")
def make_street() -> type[Street]:
    return Street


@pytest.fixture(scope="session")
def camera() -> StereoCamera:
    return CAMERA
