from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cups_train.config import SemanticsConfig
from cups_train.errors import ModelError
from cups_train.files import read_image, write_image
from cups_train.semantics import classify_frame, learn, load, run, train
from cups_train.semantics.describe import describe, encode_frames
from cups_train.semantics.encoder import encode
from cups_train.semantics.prepared import choose_frames, prepare_all
from cups_train.semantics.prepared import load as load_frame
from cups_train.semantics.training import new_encoder

CONFIG = SemanticsConfig(classes=5, channels=16, steps=3, cluster_steps=4, batch=2, height=64)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, make_street):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("semantics")
    train([make_street()], out, CONFIG, 3, "cpu")
    return out


def test_training_leaves_the_model_and_a_contact_sheet(trained, street):
    assert (trained / "encoder.safetensors").is_file() and read_image(trained / "classes.jpg").ndim == 3
    assert not (trained / "state").exists()
    before = (trained / "encoder.safetensors").stat().st_mtime_ns
    train([street], trained, CONFIG, 3, "cpu")
    assert (trained / "encoder.safetensors").stat().st_mtime_ns == before


def test_a_stopped_training_ends_with_the_same_weights(trained, tmp_path, street, monkeypatch):
    monkeypatch.setattr(learn, "STATE_EVERY", 1)
    good = learn.learn_classes

    def stopping(weights):
        losses, calls = good(weights), []

        def stop(encoder, batch):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return losses(encoder, batch)
        return stop

    monkeypatch.setattr("cups_train.semantics.training.learn_classes", stopping)
    with pytest.raises(KeyboardInterrupt):
        train([street], tmp_path, CONFIG, 3, "cpu")
    monkeypatch.setattr("cups_train.semantics.training.learn_classes", good)
    train([street], tmp_path, CONFIG, 3, "cpu")
    whole, resumed = load_file(trained / "encoder.safetensors"), load_file(tmp_path / "encoder.safetensors")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, msg=name)


def test_what_moves_becomes_a_channel(tmp_path, street):
    for stamp in street.stamps:
        instances = np.zeros((64, 128), np.uint16)
        instances[16:40, 32:72] = 1
        write_image(tmp_path / "motion" / "street" / "instances" / f"{stamp.key}.png", instances)
    sources = choose_frames([street], 10, tmp_path / "state", tmp_path / "motion")
    frames = list(prepare_all(sources, 64, 0, 1))
    assert [int((load_frame(path).moving == 1).sum()) for path in frames] == [60, 60, 0]  # 6 x 10 cells; the last frame has no next one
    encoder = new_encoder(CONFIG, 0, "cpu").eval()
    projection = encode_frames(encoder, frames)
    assert projection.with_moving and projection.groups[-1][0] == "moving"
    channels = np.stack([describe(path, replace(projection, averaging=0)) for path in frames])
    assert channels.shape[1] == sum(count for _, count, _ in projection.groups)
    start = channels.shape[1] - 1 - len(projection.axes)
    learned = channels[:, start:start + len(projection.axes)].transpose(1, 0, 2, 3).reshape(len(projection.axes), -1)
    covariance = np.cov(learned, bias=True)
    # half whitened: the variance of a component is the root of what it was, and components do not correlate
    features = np.concatenate([encode(encoder, load_frame(path).images[:1]).features[0].reshape(16, -1) for path in frames], 1)
    expected = np.sqrt(np.linalg.eigvalsh(np.cov(features, bias=True)).clip(0)[::-1])
    np.testing.assert_allclose(np.diag(covariance)[:4], expected[:4], rtol=0.02)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02 * covariance[0, 0]


def test_other_settings_do_not_go_on_from_a_stopped_training(tmp_path, street):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "key.json").write_text('{"seed": 4}')
    (tmp_path / "state" / "views.pt").write_text("of another training")
    train([street], tmp_path, CONFIG.model_copy(update={"steps": 1, "cluster_steps": 1}), 3, "cpu")
    assert (tmp_path / "encoder.safetensors").is_file()


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


def test_run_writes_every_frame_and_keeps_what_is_there(trained, tmp_path, street):
    (tmp_path / "000001.png").write_bytes(b"kept")
    run(street, trained, tmp_path, CONFIG, 1, "cpu")
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["000000.png", "000001.png", "000002.png"]
    assert (tmp_path / "000001.png").read_bytes() == b"kept"
    np.testing.assert_array_equal(read_image(tmp_path / "000002.png"), classify_frame(load(trained, "cpu"), street.stereo("000002")))
    assert (tmp_path / "overlays" / "000000.jpg").is_file()


def test_a_missing_or_foreign_encoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cups-train pseudo-label"):
        load(tmp_path, "cpu")
    (tmp_path / "encoder.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="encoder.safetensors"):
        load(tmp_path, "cpu")
