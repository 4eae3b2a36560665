"""Image messages of a recording to (H, W, 3) uint8 RGB, by the decoder of the vehicle."""

from __future__ import annotations

import numpy as np

from cups_ros.decoding import rgb_from_compressed, rgb_from_raw
from cups_train.errors import RecordingError
from cups_train.files import oversize
from cups_train.recording.bag import COMPRESSED, deserialize, header_stamp


def decode_image(data: bytes, message_type: str, topic: str) -> np.ndarray:
    """CDR bytes of an Image or CompressedImage to (H, W, 3) uint8 RGB. Raises RecordingError that names topic and
    stamp."""
    try:
        message = deserialize(data, message_type)
        if message_type == COMPRESSED and (refusal := oversize(np.frombuffer(message.data, np.uint8))):
            raise ValueError(f"expected {refusal}")
        image = rgb_from_compressed(message) if message_type == COMPRESSED else rgb_from_raw(message)
    except ValueError as error:
        raise RecordingError(
            f"expected an image on {topic} at stamp {header_stamp(data)} ns, found one that cannot be decoded: {error}"
        ) from error
    return np.require(image, requirements=["C", "O"])  # not a view of the message
