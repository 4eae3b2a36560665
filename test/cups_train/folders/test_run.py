"""The journal of a run: finished stages are kept, everything else is made again."""

import json
import shutil

import pytest

from cups_ros.types import Classes, PseudoClass
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


def test_a_typo_throws_nothing_away(run_folder):
    """Settings A finished, B stopped at once, A again; then B finished, and both come back by turns."""
    make(run_folder, {"k": "A"}, "a")
    first = run_folder.fingerprint("motion")
    for stop in (1, 2):
        with pytest.raises(RuntimeError), run_folder.making("motion", {"k": f"B{stop}"}, 1) as folder:
            (folder / "b").write_text("")
            raise RuntimeError
    assert make(run_folder, {"k": "A"}) is None and run_folder.fingerprint("motion") == first
    assert not (run_folder.stage("motion") / "b").exists()
    make(run_folder, {"k": "B2"}, "b")
    assert make(run_folder, {"k": "A"}) is None and make(run_folder, {"k": "B2"}) is None


def test_a_folder_of_unknown_origin_is_set_aside_and_stays(run_folder):
    for text in ("1", "2"):
        run_folder.stage("motion").mkdir()
        (run_folder.stage("motion") / "mine").write_text(text)
        make(run_folder, {"k": text})
        shutil.rmtree(run_folder.stage("motion"))
    assert {p.read_text() for p in run_folder.root.glob(".replaced/*/mine")} == {"1", "2"}


@pytest.mark.parametrize("name", ["a.json", "maps/b.png", "log.txt", "inputs.json", "done.json"])
@pytest.mark.parametrize("text", ["", "{}", "[]", None])
def test_what_is_damaged_goes_and_is_made_again_with_the_same_fingerprint(name, text, run_folder):
    def write():
        made = []
        with run_folder.making("motion", {"k": 1}, 1) as folder:
            if folder is not None:
                (folder / "maps").mkdir(exist_ok=True)
                for part, content in (("a.json", "[7]"), ("maps/b.png", "pixels"), ("log.txt", "12:00")):
                    if not (folder / part).is_file():
                        (folder / part).write_text(content)
                        made.append(part)
        return made

    write()
    first, path = run_folder.fingerprint("motion"), run_folder.stage("motion") / name
    path.unlink() if text is None else path.write_text(text)
    assert run_folder.is_finished("motion") == (name == "inputs.json")
    assert write() == ([] if name in ("inputs.json", "done.json") else [name])
    assert run_folder.fingerprint("motion") == first


def test_the_classes_are_those_of_the_labels_in_force(run_folder):
    classes = [Classes((PseudoClass(1, name, False, (1, 2, 3)),)) for name in "ab"]
    for turn in (0, 1, 0):
        with run_folder.making("labels", {"k": turn}, 1) as folder:
            if folder is not None:
                run_folder.write_classes(classes[turn])
        (run_folder.root / "classes.json").unlink(missing_ok=True)
        run_folder.publish_classes()
        assert run_folder.classes() == classes[turn]


def test_another_programs_settings_make_no_run(tmp_path):
    for text in ("motion: 1\n", "services: {}\n"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(CupsError, match="found config.yaml there"):
            RunFolder.create(tmp_path, load_config(None))
        assert (tmp_path / "config.yaml").read_text() == text


@pytest.mark.parametrize("text", ["", "seed: 0\n", None])
def test_settings_that_were_cut_are_told_and_written_again(text, run_folder):
    path = run_folder.root / "config.yaml"
    before = path.read_text()
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(CupsError, match="damaged .*the same command writes it again"):
        RunFolder.open(run_folder.root)
    RunFolder.create(run_folder.root, load_config(None))
    assert path.read_text() == before


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
