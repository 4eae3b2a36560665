"""Messages that a broken camera, driver or network might send, by a seed, and sound ones between them."""

from __future__ import annotations

import array
from typing import Any

import cv2
import numpy as np

ENCODINGS = (
    "rgb8",
    "bgr8",
    "mono8",
    "rgba8",
    "bgra8",
    "mono16",
    "16UC1",
    "yuv422",
    "yuv422_yuy2",
    "bayer_rggb8",
    "bayer_grbg8",
    "8UC3",
    "32FC1",
    "rgb16",
    "",
    "RGB8",
    "nv12",
    "\u00e9",
    "x" * 300,
)


SIDES = (0, 1, 2, 3, 7, 16, 64, 96, 97, 640, 16384, 2**31, 2**32 - 1)


MOST_BYTES = 1 << 20


class Malformed:
    """Messages by a seed."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        picture = self._rng.integers(0, 256, (64, 96, 3), np.uint8)
        self._files = [cv2.imencode(kind, picture)[1].ravel() for kind in (".jpg", ".png")]

    def raw(self) -> Any:
        """A sensor_msgs/Image with at least one field of nonsense, mostly."""
        from sensor_msgs.msg import Image

        rng = self._rng
        width, height = (int(rng.choice(SIDES)) for _ in range(2))
        encoding = str(rng.choice(ENCODINGS))
        step = int(rng.choice([0, 1, width, 3 * width, 3 * width + 5, 2**32 - 1])) % 2**32
        right = step * height
        size = int(min(MOST_BYTES, max(0, rng.choice([0, 1, right, right - 1, right + 1, rng.integers(0, 5000)]))))
        return self._stamped(
            Image(
                encoding=encoding,
                width=width,
                height=height,
                step=step,
                is_bigendian=int(rng.integers(0, 2)),
                data=array.array("B", bytes(size)),
            )
        )

    def compressed(self) -> Any:
        """A sensor_msgs/CompressedImage, cut or with bytes overwritten."""
        from sensor_msgs.msg import CompressedImage

        rng = self._rng
        data = self._files[int(rng.integers(0, 2))].copy()
        if rng.random() < 0.5:
            data = data[: int(rng.integers(0, len(data)))]
        for at in rng.integers(0, max(1, len(data)), int(rng.integers(0, 20))) if len(data) else ():
            data[at] = rng.integers(0, 256)
        kind = str(
            rng.choice(["jpeg", "png", "bgr8; jpeg compressed bgr8", "bayer_rggb8; png compressed ", "", "\u00e9"])
        )
        return self._stamped(CompressedImage(format=kind, data=array.array("B", data.tobytes())))

    def camera_info(self) -> Any:
        from sensor_msgs.msg import CameraInfo

        rng = self._rng
        numbers = [0.0, 1.0, -1.0, 100.0, 1e300, float("nan"), float("inf")]
        return CameraInfo(
            width=int(rng.choice(SIDES)),
            height=int(rng.choice(SIDES)),
            distortion_model=str(rng.choice(["plumb_bob", "x", ""])),
            d=rng.choice(numbers, int(rng.integers(0, 9))).tolist(),
            k=rng.choice(numbers, 9).tolist(),
            r=rng.choice(numbers, 9).tolist(),
            p=rng.choice(numbers, 12).tolist(),
        )

    def disparity(self) -> Any:
        from stereo_msgs.msg import DisparityImage

        numbers = [0.0, -1.0, 100.0, float("nan")]
        image = self.raw()
        return DisparityImage(
            header=image.header, image=image, f=float(self._rng.choice(numbers)), t=float(self._rng.choice(numbers))
        )

    def _stamped(self, message: Any) -> Any:
        message.header.stamp.sec = int(self._rng.choice([0, 5, 4, -(2**31), 2**31 - 1, 77]))
        message.header.stamp.nanosec = int(self._rng.choice([0, 999_999_999, 2**32 - 1]))
        message.header.frame_id = str(self._rng.choice(["left", "", "\u00e9"]))
        return message


def sound(number: int) -> Any:
    """An image that has to be answered; its stamp tells which one it is."""
    from sensor_msgs.msg import Image

    message = Image(encoding="rgb8", width=96, height=64, step=288, data=array.array("B", bytes(64 * 288)))
    message.header.stamp.sec, message.header.stamp.nanosec = 1000 + number // 1000, number % 1000
    return message
