"""The memory of the last frames."""

import numpy as np

from cups_train.flow.fields import Memory
from cups_train.types import StereoCamera, StereoFrame

CAMERA = StereoCamera(96, 160, 150, 150, 79.5, 47.5, 0.2)


def test_memory_keeps_three_frames_by_identity():
    image = np.zeros((2, 2, 3), np.uint8)
    a, b, c, d = (StereoFrame("000000", 0, image, image, CAMERA) for _ in range(4))  # equal in all but identity
    memory, calls = Memory(), []
    for pair in ((a, b), (b, c), (b, a), (c, d)):
        memory.hold(*pair)
        memory.once(lambda pair=pair: calls.append(pair), "flow", *pair)
    assert len(calls) == 4
    assert (
        not memory.missing("flow", b, c)
        and memory.missing("flow", a, b)
        and memory.missing("flow", b, a)
        and memory.missing("disparity", b)
    )
