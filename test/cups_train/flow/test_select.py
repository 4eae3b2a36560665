"""The fusion of flow fields."""

import cv2
import numpy as np

from cups_train.flow.select import fuse, look_at


def constant(u: float, v: float, shape: tuple[int, int] = (96, 160)) -> np.ndarray:
    return np.broadcast_to(np.array([u, v], np.float32), (*shape, 2)).copy()


def texture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 200, (120, 200))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 1.5), 0, 255).astype(np.uint8)


def test_each_half_takes_the_field_that_fits_it():
    """The left half moves by (2, 1), the right half stands still."""
    ground = texture()
    now, after = ground[10:106, 20:180].copy(), ground[10:106, 20:180].copy()
    after[:, :80] = ground[9:105, 18:98]
    fields = [constant(0, 0), constant(2, 1)]
    flow, doubt = fuse(fields, [constant(0, 0), constant(-2, -1)], look_at(now), look_at(after))
    assert (flow[10:-10, 10:68] == (2, 1)).all() and (flow[10:-10, 92:-10] == 0).all() and not doubt.any()


def test_theory_is_taken_where_nothing_speaks_against_it_and_doubted_there():
    """The lower half has no texture; the upper half stands still while theory says 4 px."""
    image = texture()[:96, :160].copy()
    image[48:] = 120
    flow, doubt = fuse(
        [constant(0, 0)], [constant(0, 0), constant(-4, 0)], look_at(image), look_at(image), constant(4, 0)
    )
    assert (flow[:40, 10:-10] == 0).all() and not doubt[:40, 10:-10].any()
    assert (flow[56:, 10:-10] == (4, 0)).all() and doubt[56:, 10:-10].all()
    _, near = fuse([constant(0, 0)], [constant(0, 0)], look_at(image), look_at(image), constant(0.2, 0))
    assert not near.any()  # both say the same
