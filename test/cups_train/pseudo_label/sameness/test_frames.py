import numpy as np

from cups_train.pseudo_label.sameness.frames import WIDEST, seen_frame, sure_height
from cups_train.types import StereoCamera, StereoFrame

HEIGHT, WIDTH, ABOVE = 96, 192, 1.5  # px, px, m of the camera over the ground


def plain(shape: tuple[int, int] = (HEIGHT, WIDTH)) -> StereoFrame:
    """A textured ground, 1.5 m below a level camera."""
    height, width = shape
    camera = StereoCamera(height, width, 0.8 * width, 0.8 * width, (width - 1) / 2, 0.3 * height, 0.4)
    texture = np.random.default_rng(0).integers(0, 255, (height, 3 * width, 1), np.uint8).repeat(3, axis=2)
    v = np.arange(height)
    shift = np.clip(camera.baseline * (v - camera.cy) / ABOVE, 0, None)  # px of disparity on the ground in row v
    columns = np.arange(width)[None] + width
    rows = v[:, None]
    return StereoFrame(
        "000000", 0, texture[rows, columns], texture[rows, columns + np.round(shift).astype(int)[:, None]], camera
    )


def test_the_ground_is_at_height_nought_and_what_is_far_is_unknown() -> None:
    height = sure_height(plain())
    known = np.isfinite(height)
    assert known[-8:].mean() > 0.8 and abs(np.median(height[known])) < 0.06
    assert not known[: HEIGHT // 3].any()


def test_a_wide_image_is_looked_at_smaller_and_all_maps_with_it() -> None:
    frame = plain((HEIGHT, 2 * WIDEST))
    ids = np.ones((HEIGHT, 2 * WIDEST), np.uint8)
    ids[:, WIDEST:] = 7
    view = seen_frame(frame, ids, (ids == 7).astype(np.uint16) * 300, False)
    assert (
        view.image.shape == (HEIGHT // 2, WIDEST, 3)
        and view.height.shape == (HEIGHT // 2, WIDEST)
        and np.isnan(view.height).all()
    )
    assert (
        np.unique(view.clusters[:, : WIDEST // 2]).tolist() == [1]
        and view.moving[:, WIDEST // 2 :].all()
        and not view.moving[:, : WIDEST // 2].any()
    )
