import numpy as np

from cups_train.semantics.mean_field import all_offsets, drawn_offsets, mean_field, pairwise, refine_cells


def exact_mean_field(probability, colour, iterations):
    """The definition, with dense matrices: Gaussian kernels over all pairs, normalised by D^-1/2 K D^-1/2, Potts,
    parallel updates."""
    k, height, width = probability.shape
    y, x = (grid.ravel() for grid in np.mgrid[:height, :width])
    distance = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2
    colours = colour.reshape(-1, 3).astype(np.float64)
    unlike = ((colours[:, None] - colours) ** 2).sum(-1) / 3.0**2
    message = np.zeros_like(distance, float)
    for weight, plane in (
        (3.0, np.exp(-distance / 2)),
        (4.0, np.exp(-distance / (2 * (67 / 640 * height) ** 2) - unlike / 2)),
    ):
        root = np.sqrt(plane.sum(1))
        message += weight * plane / root[:, None] / root
    unary = np.log(np.maximum(probability, 1e-5)).reshape(k, -1).astype(np.float64)
    q = np.exp(unary) / np.exp(unary).sum(0)
    for _ in range(iterations):
        score = unary + q @ message.T
        q = np.exp(score - score.max(0))
        q /= q.sum(0)
    return q.reshape(k, height, width)


def scene(seed, classes=4, height=12, width=20, levels=4.0):
    rng = np.random.default_rng(seed)
    colour = np.where(np.arange(width)[None, :, None] < 8, 80.0, 120.0) + rng.normal(0, levels, (height, width, 3))
    logits = rng.normal(0, 1.5, (classes, height, width))
    logits[0, :, :8] += 1
    logits[1, :, 8:] += 1
    p = np.exp(logits)
    return (p / p.sum(0)).astype(np.float32), colour.astype(np.float32)


def test_all_pairs_equal_the_definition():
    probability, colour = scene(1)
    found = mean_field(probability, pairwise(colour, exact=True), 5)
    np.testing.assert_allclose(found, exact_mean_field(probability, colour, 5), atol=2e-4)
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    assert not np.allclose(
        found, exact_mean_field(probability, colour + np.arange(20)[None, :, None] * 3, 5), atol=0.05
    )


def test_drawn_pairs_decide_as_all_pairs_do():
    probability, colour = scene(2, height=32, width=64)
    drawn, exact = refine_cells(probability, colour), exact_mean_field(probability, colour, 5)
    assert (probability.argmax(0) == exact.argmax(0)).mean() < 0.8  # there is something to do
    assert (drawn.argmax(0) == exact.argmax(0)).mean() > 0.95


def test_noise_goes_and_the_edge_of_the_colours_stays():
    probability, colour = scene(3, height=32, width=20, levels=1.0)
    ids = refine_cells(probability, colour).argmax(0)
    assert (ids[:, :8] == 0).mean() > 0.97 and (ids[:, 8:] == 1).mean() > 0.97


def test_a_class_that_is_nowhere_probable_is_left_out():
    probability, colour = scene(4)
    probability = np.concatenate([probability, np.full((1, 12, 20), 1e-3, np.float32)])
    refined = refine_cells(probability, colour)
    assert (refined[4] == 0).all()
    np.testing.assert_array_equal(refined[:4], refine_cells(probability[:4], colour))


def test_offsets_are_halves_and_the_draw_is_always_the_same():
    assert {o[:2] for o in all_offsets(1.0, 1)} == {(0, 1), (1, 0)}
    offsets, own = drawn_offsets(10.0, 64)
    assert len(offsets) == len({o[:2] for o in offsets}) == 64 and all(
        d > 0 or (d == 0 and r > 0) for d, r, _ in offsets
    )
    total = 2 * sum(weight for _, _, weight in offsets)
    np.testing.assert_allclose(own, total / (2 * np.pi * 100))
    assert drawn_offsets.__wrapped__(10.0, 64) == (offsets, own)
    assert len(drawn_offsets(0.5, 64)[0]) < 64  # a narrow Gaussian ends


def test_many_classes_that_are_all_unlikely_stay():
    colour = scene(1)[1]
    found = refine_cells(np.full((100, 12, 20), 0.01, np.float32), colour)
    np.testing.assert_allclose(found, 0.01, atol=1e-6)
