from dataclasses import replace

import numpy as np

from cups_train.files import write_image
from cups_train.network.encoder import encode
from cups_train.semantics.descriptors import encode_frames, read_descriptors
from cups_train.semantics.prepared import load as load_frame
from cups_train.semantics.preparing import choose_frames, prepare_all
from cups_train.semantics.training import new_encoder


def test_what_moves_becomes_a_channel(tmp_path, street, small_classes):
    for stamp in street.stamps:
        instances = np.zeros((64, 128), np.uint16)
        instances[16:40, 32:72] = 1
        write_image(tmp_path / "motion" / "street" / "instances" / f"{stamp.key}.png", instances)
    sources = choose_frames([street], 10, tmp_path / "state", tmp_path / "motion")
    frames = list(prepare_all(sources, 64, 0, 1))
    # 6 x 10 cells; the last frame has no next one
    assert [int((load_frame(path).moving == 1).sum()) for path in frames] == [60, 60, 0]
    encoder = new_encoder(small_classes, 0, "cpu").eval()
    projection = encode_frames(encoder, frames)
    assert projection.with_moving and projection.groups[-1].name == "moving"
    channels = np.stack([read_descriptors(path, replace(projection, averaging=0)) for path in frames])
    assert channels.shape[1] == sum(group.channels for group in projection.groups)
    start = channels.shape[1] - 1 - len(projection.axes)
    learned = channels[:, start : start + len(projection.axes)].transpose(1, 0, 2, 3).reshape(len(projection.axes), -1)
    covariance = np.cov(learned, bias=True)
    # half whitened: the variance of a component is the root of what it was, and components do not correlate
    features = np.concatenate(
        [encode(encoder, load_frame(path).images[:1]).features[0].reshape(16, -1) for path in frames], 1
    )
    expected = np.sqrt(np.linalg.eigvalsh(np.cov(features, bias=True)).clip(0)[::-1])
    np.testing.assert_allclose(np.diag(covariance)[:4], expected[:4], rtol=0.02)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.02 * covariance[0, 0]
