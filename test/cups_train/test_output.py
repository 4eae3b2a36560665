"""Nothing of anybody's is ever lost: what a command may replace, and what stays."""

import os
import shutil

import pytest

from cups_train.errors import CupsError
from cups_train.output import check_output, claim, files_in, replacing


def tree(folder):
    """Every file with its bytes, but marks."""
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".cups.json"
    }


def write(out, kind="motion", **files):
    check_output(out, kind)
    with replacing(out, kind) as new:
        for name, text in files.items():
            path = new / name.replace("__", "/").replace("_json", ".json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def test_a_shorter_result_takes_the_place_of_the_earlier_one(tmp_path):
    out = tmp_path / "out"
    write(out, index_json="2", maps__a="a", maps__b="b", more__c="c")
    write(out, index_json="1", maps__a="A")
    assert tree(out) == {"index.json": b"1", "maps/a": b"A"} and not (out / "more").exists()


def test_a_result_that_fails_leaves_the_earlier_one_and_no_file(tmp_path):
    out = tmp_path / "out"
    write(out, index_json="2", maps__a="a")
    before = sorted(out.rglob("*"))
    with pytest.raises(RuntimeError), replacing(out, "motion") as new:
        (new / "index.json").write_text("3")
        raise RuntimeError
    assert tree(out) == {"index.json": b"2", "maps/a": b"a"} and sorted(out.rglob("*")) == before
    with pytest.raises(RuntimeError), replacing(tmp_path / "never", "motion"):
        raise RuntimeError
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("name", ["mine.txt", "maps/mine", "maps/deep/mine", "empty/"])
def test_what_others_put_there_is_refused_and_with_force_stays(name, tmp_path):
    out = tmp_path / "out"
    write(out, index_json="1", maps__a="a")
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).mkdir() if name.endswith("/") else (out / name).write_text("mine")
    with pytest.raises(CupsError, match=f"found {name.rstrip('/')} there"):
        check_output(out, "motion")
    check_output(out, "motion", force=True)
    with replacing(out, "motion") as new:
        (new / "index.json").write_text("2")
    assert (out / name).exists() and not (out / "maps/a").exists()
    assert name.endswith("/") or (out / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["index.json", "maps"])
def test_force_replaces_nothing_of_others(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(CupsError, match="another's"), replacing(tmp_path, "motion") as new:
        (new / "maps").mkdir()
        (new / "maps" / "a").write_text("")
        (new / "index.json").write_text("")
    assert tree(tmp_path) == {name: b"mine"}


def test_a_link_among_the_files_leads_nowhere(tmp_path):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    (elsewhere / "a").write_text("mine")
    out.mkdir()
    (out / "maps").symlink_to(elsewhere)
    with pytest.raises(CupsError, match="found maps there"):
        check_output(out, "motion")
    with pytest.raises(CupsError, match="another's"), replacing(out, "motion") as new:
        (new / "maps").mkdir()
        (new / "maps" / "a").write_text("ours")
    assert (elsewhere / "a").read_text() == "mine"


def test_an_output_that_is_a_link_stays_one_and_hidden_files_stay(tmp_path):
    (tmp_path / "there" / ".git").mkdir(parents=True)
    (tmp_path / "there" / ".git" / "HEAD").write_text("main")
    (tmp_path / "out").symlink_to(tmp_path / "there")
    for text in "12":
        write(tmp_path / "out", index_json=text)
    assert (tmp_path / "out").is_symlink() and tree(tmp_path / "there") == {"index.json": b"2", ".git/HEAD": b"main"}


def test_a_folder_of_another_command_is_refused(tmp_path):
    write(tmp_path, "predict", index_json="1")
    for force in (False, True):
        with pytest.raises(CupsError, match="found a result of predict"):
            check_output(tmp_path, "motion", force=force)


def test_what_was_claimed_before_it_was_written_goes_with_the_result_unless_it_is_kept(tmp_path):
    claim(tmp_path, "motion", ["frames/a", "frames/b", "weights", "state/"])
    for name in ("frames/a", "weights", "state/x/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    check_output(tmp_path, "motion")
    with replacing(tmp_path, "motion", keep=("weights", "state/")) as new:
        (new / "index").write_text("")
    assert sorted(files_in(tmp_path)) == ["index", "state/x/y", "weights"]
    check_output(tmp_path, "motion")


def test_leftovers_of_a_kill_go(tmp_path):
    with replacing(tmp_path, "motion") as new:
        (new / "index").write_text("")
        shutil.copytree(new, tmp_path / f".{'0' * 12}.new")
        (tmp_path / f".{'1' * 12}.index").write_text("half")
        (tmp_path / ".0123.mine").write_text("mine")
    write(tmp_path, index_json="")
    assert {name for name in os.listdir(tmp_path) if name[0] == "."} == {".cups.json", ".0123.mine"}
