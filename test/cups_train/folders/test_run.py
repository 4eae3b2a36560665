"""The journal of a run: finished stages are kept, everything else is made again."""

import json

import pytest

from cups_train.config import load_config
from cups_train.errors import CupsError
from cups_train.folders.run import RunFolder


@pytest.fixture
def run_folder(tmp_path):
    return RunFolder.create(tmp_path / "run", load_config(None))


def make(run_folder, inputs, text="x"):
    with run_folder.making("motion", inputs, 1) as folder:
        if folder is not None:
            (folder / "a.json").write_text(json.dumps(text))
        return folder


def test_a_finished_stage_is_kept_and_other_inputs_make_it_again(run_folder):
    assert make(run_folder, {"k": 1}) is not None
    first = run_folder.fingerprint("motion")
    assert make(run_folder, {"k": 1}) is None and run_folder.fingerprint("motion") == first
    assert make(run_folder, {"k": 2}, "y") is not None
    assert json.loads((run_folder.root / ".replaced" / "motion" / "a.json").read_text()) == "x"


def test_a_stopped_stage_goes_on_with_its_files(run_folder):
    with pytest.raises(RuntimeError), run_folder.making("motion", {"k": 1}, 1) as folder:
        (folder / "frame").write_text("kept")
        raise RuntimeError
    assert not run_folder.is_finished("motion")
    with run_folder.making("motion", {"k": 1}, 1) as folder:
        assert (folder / "frame").read_text() == "kept"
    assert run_folder.is_finished("motion")


def test_a_damaged_stage_is_not_finished(run_folder):
    make(run_folder, {"k": 1})
    (run_folder.stage("motion") / "a.json").write_text('"changed"')
    assert not run_folder.is_finished("motion")
    with pytest.raises(CupsError, match="its files changed since"):
        run_folder.fingerprint("motion")


def test_foreign_folders_are_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("")
    with pytest.raises(CupsError, match="name another folder"):
        RunFolder.create(tmp_path / "photos", load_config(None))
    with pytest.raises(CupsError, match="config.yaml"):
        RunFolder.open(tmp_path / "photos")
