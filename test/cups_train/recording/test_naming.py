from pathlib import Path

import pytest

from cups_train.errors import RecordingError
from cups_train.recording.naming import recording_names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/d/kitti_crossing/bag"], ["kitti_crossing-bag"]),
        (["/d/val_00_mixed/recording", "/d/val_01/recording/"], ["val_00_mixed-recording", "val_01-recording"]),
        (["/d/monday", "/d/tuesday.mcap", "/d/x.db3"], ["monday", "tuesday", "x"]),
        (["/a/x/bag", "/b/x/bag", "/c/other"], ["a-x-bag", "b-x-bag", "other"]),
        (["/a/drive", "/b/drive"], ["a-drive", "b-drive"]),
        (["/d/run.1", "/d/run.2"], ["run.1", "run.2"]),
    ],
)
def test_names(paths, names):
    assert recording_names([Path(path) for path in paths]) == names


def test_relative_paths(tmp_path, monkeypatch):
    (tmp_path / "drive" / "bag").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "drive" / "bag")
    assert recording_names([Path(".")]) == ["drive-bag"]


def test_given_twice():
    with pytest.raises(RecordingError, match="given twice"):
        recording_names([Path("/a/b"), Path("/a/../a/b")])
