import numpy as np
import pytest

from cups_train.errors import ModelError
from cups_train.semantics.model import agreed, load


@pytest.mark.parametrize("size", [(64, 128), (97, 131), (300, 200), (40, 40)])
def test_any_image_is_classified_with_and_without_depth(trained, camera, size):
    model = load(trained, "cpu")
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    plain = model.classify(image)
    assert plain.shape == size and plain.dtype == np.uint8 and 1 <= plain.min() and plain.max() <= 5
    disparity = np.full(size, 3.0, np.float32)
    disparity[: size[0] // 2] = np.nan
    disparity[-5:] = 0
    deep = model.classify(image, disparity, camera.scaled(*size))
    assert deep.shape == size and 1 <= deep.min() and deep.max() <= 5


def test_two_witnesses_are_multiplied():
    first = np.log(np.float32([0.8, 0.2])).reshape(2, 1, 1).repeat(2, 2)
    second = np.log(np.float32([[0.5, 0.1], [0.5, 0.9]])).reshape(2, 1, 2)
    np.testing.assert_allclose(np.exp(agreed(first, second)), [[[0.8, 0.08 / 0.26]], [[0.2, 0.18 / 0.26]]], rtol=1e-5)


def test_a_missing_or_foreign_encoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cups-train pseudo-label"):
        load(tmp_path, "cpu")
    (tmp_path / "encoder.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="encoder.safetensors"):
        load(tmp_path, "cpu")
