"""Folders that must not be written to, and settings that cannot be read, through the real command line."""

import json

import pytest

from cups_train.cli import main

OUTS = ("run", "motion", "pseudo-label", "predict", "export", "pseudo-label --export")


def out_command(verb, drive, network, a_run, out):
    if verb == "export":
        return ["export", a_run, "--out", out]
    if verb == "pseudo-label --export":
        return ["pseudo-label", drive, "--out", a_run, "--export", out]
    return [verb, *([network] if verb == "predict" else []), drive, "--out", out]


@pytest.mark.parametrize("verb", OUTS)
def test_out_is_a_foreign_folder_or_a_file(verb, drive, network, a_run, refused, tmp_path):
    photos, note = tmp_path / "photos", tmp_path / "note.txt"
    (photos / "instances").mkdir(parents=True)
    (photos / "instances" / "me.jpg").write_text("me")
    (photos / "panoptic").mkdir()
    (photos / "mine.txt").write_text("mine")
    note.write_text("note")
    for out in (photos, note, note / "below"):
        before = {p: p.read_bytes() for p in (*photos.rglob("*"), note) if p.is_file()}
        sentence = refused(*out_command(verb, drive, network, a_run, out))
        assert str(out) in sentence and ("another" in sentence or "--out" in sentence), sentence
        assert {p: p.read_bytes() for p in (*photos.rglob("*"), note) if p.is_file()} == before


def test_predictions_never_take_the_place_of_a_truth(drive, network, a_run, refused, tmp_path, make_result):
    truth = make_result(tmp_path / "truth", kind="truth")
    for verb in ("predict", "pseudo-label --export"):
        assert "truth" in refused(*out_command(verb, drive, network, a_run, truth))
    assert json.loads((truth / "panoptic.json").read_text())["info"]["kind"] == "truth"


def test_figures_that_cannot_be_written(refused, tmp_path, make_result):
    result = make_result(tmp_path / "result")
    (tmp_path / "note").write_text("")
    command = ("evaluate", result, "--truth", make_result(tmp_path / "truth", kind="truth"))
    assert "--json" in refused(*command, "--json", tmp_path / "note" / "out.json")
    assert "--save-assignment" in refused(*command, "--save-assignment", tmp_path)


BAD_CONFIGS = {
    "not YAML": b"motion: [1, 2\n  runs: 3",
    "not text": b"\xff\xfe\x00motion",
    "a list": b"- motion\n",
    "nothing of ours": b"engine: 3\nmotion: {runs: x}\n",
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_an_unreadable_config(name, drive, network, capfd, tmp_path):
    (tmp_path / "c.yaml").write_bytes(BAD_CONFIGS[name])
    for verb in ("inspect", "run", "motion", "pseudo-label", "predict"):
        out = [] if verb == "inspect" else ["--out", str(tmp_path / "out")]
        model = [str(network)] if verb == "predict" else []
        assert main([verb, *model, str(drive), *out, "--config", str(tmp_path / "c.yaml")]) == 2
        err = capfd.readouterr().err
        assert err.count("\n") == 1 and "found" in err and "--config" in err
        assert not (tmp_path / "out").exists()


def test_a_config_that_is_not_there(drive, refused, tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        assert "--config" in refused("inspect", drive, "--config", path)


def test_the_config_of_a_run_is_named_where_it_is_damaged(a_run, refused):
    (a_run / "config.yaml").write_bytes(b"motion: [1,\n\xff")
    for verb in ("train", "self-train", "check", "name"):
        assert str(a_run / "config.yaml") in refused(verb, a_run)
