import cv2
import numpy as np
import pytest

from cups_train.semantics.channels import image_channels, working_size
from cups_train.semantics.groups import COLOUR, ROW, TEXTURE


@pytest.mark.parametrize(
    ("size", "height", "expected"),
    [
        ((320, 640), 256, (256, 512)),
        ((375, 1242), 256, (256, 832)),
        ((1200, 1920), 256, (256, 416)),
        ((64, 64), 64, (64, 64)),
        ((1000, 20), 64, (64, 32)),
    ],
)
def test_working_sizes_are_multiples_of_32_in_the_same_aspect(size, height, expected):
    assert working_size(*size, height) == expected


def test_channels_of_a_plain_image():
    image = np.full((64, 96, 3), (200, 40, 90), np.uint8)
    channels = image_channels(image)
    assert channels.shape == (COLOUR + TEXTURE + ROW, 16, 24)
    lab = cv2.cvtColor(np.float32([[(200, 40, 90)]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    np.testing.assert_allclose(channels[:3, 8, 12], lab, atol=1e-3)
    np.testing.assert_allclose(channels[3:6, 8, 12], lab, atol=1e-2)
    # rows -1 .. 1 over 64 pixels; the first cell is the mean of the first four
    np.testing.assert_allclose(channels[-1, 0], -1 + 1.5 * 2 / 63, atol=1e-6)
    assert channels[-1].max() < 1


def test_texture_tells_stripes_by_direction():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    upright, lying = image_channels(stripes), image_channels(stripes.transpose(1, 0, 2).copy())
    orientation = COLOUR + 1  # (xx - yy) / (xx + yy) of the first structure tensor
    assert upright[orientation, 8, 8] > 0.95 and lying[orientation, 8, 8] < -0.95
    waves_8 = slice(COLOUR + 9 + 4, COLOUR + 9 + 8)  # Gabor energies of 8 px, angles 0, 45, 90, 135 degrees
    assert upright[waves_8, 8, 8].argmax() == 0 and lying[waves_8, 8, 8].argmax() == 2
