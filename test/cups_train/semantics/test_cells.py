from dataclasses import replace

import numpy as np
import pytest

from cups_train.config import SemanticsConfig
from cups_train.errors import ModelError
from cups_train.network.encoder import encode
from cups_train.semantics.cells import CellClasses, fit_cells
from cups_train.semantics.descriptors import read_descriptors
from cups_train.semantics.groups import SHAPE
from cups_train.semantics.guess import FIRST, guessed_shape
from cups_train.semantics.model import SemanticModel, load, save
from cups_train.semantics.prepared import load as load_frame
from cups_train.semantics.preparing import choose_frames, prepare_all
from cups_train.semantics.training import new_encoder

CONFIG = SemanticsConfig(clusters=5, channels=16, height=64)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, make_street):
    frames = list(prepare_all(choose_frames([make_street()], 10, tmp_path_factory.mktemp("state"), None), 64, 0, 1))
    encoder = new_encoder(CONFIG, 0, "cpu").eval()
    # cluster 0 above, 1 below; 2 to 4 nowhere
    ids = np.repeat(np.arange(16)[:, None] // 8, 32, axis=1)
    return (
        encoder,
        frames,
        ids,
        fit_cells(encoder, frames, [ids] * len(frames), 5, np.random.default_rng(0)),
    )


def test_centres_are_where_lloyds_steps_end_and_keep_their_ids(fitted):
    _, frames, ids, cells = fitted
    channels = np.concatenate([read_descriptors(path, cells.projection).reshape(-1, ids.size) for path in frames], 1)
    # 3 frames of 512 cells: all of them are sampled
    rows, centres = cells.clusters.scaler(channels.T), cells.clusters.centres
    found = ((rows[:, None] - centres) ** 2).sum(-1).argmin(1)
    for k in range(5):
        np.testing.assert_allclose(rows[found == k].mean(0), centres[k], atol=0.05)
    above, below = (np.bincount(found[np.tile(ids.ravel() == k, 3)], minlength=5) for k in (0, 1))
    assert above[0] > 5 * below[0] and below[1] > 5 * above[1]


def test_a_cell_is_of_the_nearest_centre(fitted):
    encoder, frames, ids, cells = fitted
    frame = load_frame(frames[0])
    found = cells.log_probability(frame.images[0], frame.shape.astype(np.float32), encode(encoder, frame.images[:1]))
    np.testing.assert_allclose(np.exp(found).sum(0), 1, rtol=1e-4)
    channels = read_descriptors(frames[0], cells.projection)
    rows, clusters = cells.clusters.scaler(channels.reshape(len(channels), -1).T), cells.clusters
    distance = ((rows[:, None] - clusters.centres) ** 2).sum(-1).reshape(16, 32, 5)
    np.testing.assert_allclose(
        found[0] - found[1], cells.sharpness * (distance[..., 1] - distance[..., 0]), rtol=1e-3, atol=0.2
    )


def test_without_disparity_the_shape_is_what_the_encoder_was_taught(fitted):
    encoder, frames, _, cells = fitted
    frame = load_frame(frames[0])
    out = encode(encoder, frame.images[:1])
    # all cells are sampled
    rows = np.concatenate([read_descriptors(path, cells.projection).reshape(-1, 512) for path in frames], 1)
    mean, deviation = (value[FIRST : FIRST + SHAPE] for value in (rows.mean(1), rows.std(1)))
    standardised = np.random.default_rng(0).normal(size=(SHAPE, 2, 3)).astype(np.float32)
    expected = standardised * deviation[:, None, None] + mean[:, None, None]
    np.testing.assert_allclose(guessed_shape(standardised, cells.clusters.scaler), expected, atol=1e-3)
    told = cells.log_probability(frame.images[0], None, out)
    shape = guessed_shape(out.shape[0].numpy(), cells.clusters.scaler)
    np.testing.assert_allclose(told, cells.log_probability(frame.images[0], shape, out), atol=1e-5)


def test_a_file_holds_them_and_earlier_files_do_without(fitted, tmp_path, street):
    encoder, _, _, cells = fitted
    model = SemanticModel(encoder, 64, windows=False, refine="none", cells=cells)
    save(model, tmp_path / "new", {})
    save(replace(model, cells=None), tmp_path / "old", {})
    new, old = load(tmp_path / "new", "cpu"), load(tmp_path / "old", "cpu")
    assert old.cells is None and new.cells is not None
    frame = street.stereo("000000")
    disparity = np.full((64, 128), 8, np.float32)
    here = model.classify(frame.left, disparity, street.camera)
    np.testing.assert_array_equal(new.classify(frame.left, disparity, street.camera), here)
    assert (old.classify(frame.left, disparity, street.camera) != here).any()
    # without disparity, too: the encoder's shape stands in
    assert (old.classify(frame.left) != new.classify(frame.left)).any()


@pytest.mark.parametrize("other", [np.s_[:, :-1], np.s_[:-1]])
def test_centres_of_other_channels_or_another_number_are_refused(fitted, tmp_path, other):
    encoder, _, _, cells = fitted
    clusters = replace(cells.clusters, centres=cells.clusters.centres[other])
    save(SemanticModel(encoder, 64, cells=CellClasses(cells.projection, clusters, 1.0)), tmp_path, {})
    with pytest.raises(ModelError, match="run that command again"):
        load(tmp_path, "cpu")
