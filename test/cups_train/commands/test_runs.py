"""Results, truths and run folders that do not fit, through the real command line: one sentence that names the command
or option that mends it."""

import shutil

from cups_train.files import write_json
from cups_train.output import claim


def test_results_and_truths_that_do_not_fit(drive, refused, tmp_path, make_result):
    result, truth = make_result(tmp_path / "r", ["000000"]), make_result(tmp_path / "t", kind="truth")
    assert "panoptic.json" in refused("evaluate", tmp_path, "--truth", truth)
    assert "found none for 1 in" in refused("evaluate", result, "--truth", truth)
    assert "--truth" in refused("evaluate", result, "--truth", make_result(tmp_path / "e", []))
    (result / "panoptic" / "000000.png").write_bytes(b"")
    assert "000000.png" in refused("evaluate", result, "--truth", make_result(tmp_path / "t1", ["000000"]))
    for text in ("{", "[]", "{}", '{"images": [], "categories": [{}], "annotations": []}'):
        (result / "panoptic.json").write_text(text)
        assert "panoptic.json" in refused("evaluate", result, "--truth", truth)


def test_a_run_is_told_of_a_bad_truth_before_it_works_for_hours(bags, drive, refused, tmp_path, make_result):
    other = bags.write(bags.stereo(bags.steady(2)), "other")
    for truth, text in (
        (tmp_path / "none", "panoptic.json"),
        (make_result(tmp_path / "long", ["000000", "000001", "000002"]), "000002"),
    ):
        assert text in refused("run", drive, "--out", tmp_path / "run", "--val", other, "--truth", truth)
        assert not (tmp_path / "run").exists()


def test_a_truth_that_is_not_of_this_recording_leaves_the_motion_folder_alone(drive, refused, tmp_path, make_result):
    out = tmp_path / "m"
    claim(out, "motion", ["motion.json"])
    write_json(out / "motion.json", {"frames": [], "settings": {}})
    assert "--given" in refused("motion", drive, "--out", out, "--given", make_result(tmp_path / "t"))
    assert (out / "motion.json").exists() and not (out / "frames").exists()


def test_a_folder_that_is_no_run(drive, refused, tmp_path):
    for verb in ("train", "self-train", "check", "name", "export"):
        out = ["--out", tmp_path / "m"] if verb == "export" else []
        for path in (tmp_path, tmp_path / "none", drive / "metadata.yaml"):
            assert "cups-train run" in refused(verb, path, *out)


def test_a_recording_that_has_changed_since(bags, network, refused, tmp_path, make_run):
    path = bags.write(bags.stereo(bags.steady(3)))
    run = make_run(tmp_path / "run", path, network)
    shutil.rmtree(path)
    bags.write(bags.stereo(bags.steady(4)))
    for command in (
        ("train", run),
        ("self-train", run),
        ("name", run),
        ("pseudo-label", path, "--out", run, "--export", tmp_path / "e"),
    ):
        assert "pseudo-label" in refused(*command)
    shutil.rmtree(path)
    for command in (("train", run), ("self-train", run), ("name", run)):
        assert str(path) in refused(*command)
    assert not (tmp_path / "e").exists() and not (run / "names.html").exists() and not (run / "self_train").exists()


def test_damaged_files_of_a_run(a_run, drive, refused, tmp_path):
    index = next(a_run.glob("recording/*/index.json"))
    text = index.read_text()
    for damaged in ("{", "[]", "{}"):
        index.write_text(damaged)
        for verb in ("train", "self-train", "name"):
            assert "index.json" in refused(verb, a_run)
    index.write_text(text)
    for damaged in ("{", "{}", '{"classes": [{"id": 7}]}'):
        (a_run / "classes.json").write_text(damaged)
        for verb in ("train", "name"):
            assert "classes.json" in refused(verb, a_run, after=True)
    for damaged in ("{", "[]", "{}"):
        (a_run / "labels" / "done.json").write_text(damaged)
        assert "labels" in refused("check", a_run) and "labels" in refused("train", a_run, after=True)


def test_stages_that_are_not_there_name_the_command_that_makes_them(a_run, refused, tmp_path):
    shutil.rmtree(a_run / "bootstrap")
    assert "`cups-train train" in refused("self-train", a_run, after=True)
    assert "`cups-train train" in refused("export", a_run, "--out", tmp_path / "m")
    shutil.rmtree(a_run / "labels")
    for verb in ("train", "check"):
        assert "`cups-train pseudo-label" in refused(verb, a_run, after=True)
