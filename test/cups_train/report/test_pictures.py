"""Pictures inside a page that others open."""

import numpy as np

from cups_train.files import write_image
from cups_train.report.pictures import data_uri


def test_a_picture_that_is_a_link_to_elsewhere_is_not_embedded(tmp_path):
    image, run = np.zeros((4, 4, 3), np.uint8), tmp_path / "run"
    write_image(tmp_path / "private" / "a.jpg", image)
    write_image(run / "own" / "a.jpg", image)
    (run / "own" / "b.jpg").symlink_to(tmp_path / "private" / "a.jpg")
    (run / "overlays").symlink_to(tmp_path / "private")
    assert data_uri(run / "own" / "a.jpg").startswith("data:image/jpeg;base64,") and data_uri(image)[-1] == "="
    assert data_uri(run / "own" / "b.jpg") == data_uri(run / "overlays" / "a.jpg") == "data:,"
