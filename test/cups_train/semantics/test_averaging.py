import numpy as np

from cups_train.semantics.averaging import COLOUR_EDGE, DEPTH_EDGE, REACH, average

H, W = 7, 9


def scene(seed: int = 0):
    rng = np.random.default_rng(seed)
    lab = rng.normal(0, 10, (3, H, W)).astype(np.float32)
    return rng.normal(0, 1, (5, H, W)).astype(np.float32), lab, rng.uniform(0.1, 0.14, (H, W)).astype(np.float32)


def by_hand(channels, lab, root):
    """One step, cell by cell."""
    result = np.zeros_like(channels)
    for y in range(H):
        for x in range(W):
            total = 0.0
            for v in range(max(0, y - REACH), min(H, y + REACH + 1)):
                for u in range(max(0, x - REACH), min(W, x + REACH + 1)):
                    colour = sum(((lab[c, y, x] - lab[c, v, u]) / COLOUR_EDGE[c]) ** 2 for c in range(3))
                    weight = np.exp(-colour - ((root[y, x] - root[v, u]) / DEPTH_EDGE) ** 2)
                    result[:, y, x] += weight * channels[:, v, u]
                    total += weight
            result[:, y, x] /= total
    return result


def test_every_step_is_the_weighted_mean_of_the_cells_around():
    channels, lab, root = scene()
    once = by_hand(channels, lab, root)
    np.testing.assert_allclose(average(channels, lab, root, 1), once, atol=1e-5)
    np.testing.assert_allclose(average(channels, lab, root, 2), by_hand(once, lab, root), atol=1e-5)


def test_nothing_crosses_an_edge_of_colour_or_of_depth():
    channels, lab, root = scene()
    sides = (np.arange(W) > 4).astype(np.float32)
    for edge in ("colour", "depth"):
        flat, level = np.zeros_like(lab), np.full_like(root, 0.1)
        if edge == "colour":
            flat[0] += 90 * sides
        else:
            level += 0.1 * sides
        found = average(np.stack([np.broadcast_to(sides, (H, W)), channels[0]]), flat, level)
        np.testing.assert_allclose(found[0], np.broadcast_to(sides, (H, W)), atol=1e-4)
        assert found[1].std() < 0.5 * channels[0].std()


def test_the_mirror_image_has_the_mirrored_means_and_no_step_changes_nothing():
    channels, lab, root = scene(1)
    np.testing.assert_allclose(
        average(channels[..., ::-1], lab[..., ::-1], root[:, ::-1]), average(channels, lab, root)[..., ::-1], atol=1e-5
    )
    assert average(channels, lab, root, 0) is channels
