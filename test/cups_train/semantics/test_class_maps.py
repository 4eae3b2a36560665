import numpy as np

from cups_train.files import read_image
from cups_train.semantics import classify, load
from cups_train.semantics.class_maps import classify_frame
from cups_train.types import Work

WORK = Work(3, 1, "cpu")


def test_run_writes_every_frame_and_keeps_what_is_there(trained, tmp_path, street, small_classes):
    (tmp_path / "000001.png").write_bytes(b"kept")
    classify(street, trained, tmp_path, small_classes, WORK)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["000000.png", "000001.png", "000002.png"]
    assert (tmp_path / "000001.png").read_bytes() == b"kept"
    np.testing.assert_array_equal(
        read_image(tmp_path / "000002.png"), classify_frame(load(trained, "cpu"), street.stereo("000002"))
    )
    assert (tmp_path / "overlays" / "000000.jpg").is_file()
