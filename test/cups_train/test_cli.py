"""The command line: help for every verb, one sentence and exit code 2 for what a user can mend."""

import subprocess
import sys

import pytest

from cups_train import __version__
from cups_train.cli import COMMANDS, main

HEAVY = ("cv2", "numpy", "pydantic", "torch", "yaml")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_has_arguments(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb])
    assert stop.value.code == 2 and "required" in capsys.readouterr().err


def test_the_help_of_all_verbs_reads_no_settings_and_no_library():
    """It is there at once."""
    program = f"""
import sys
from cups_train.cli import main
try:
    main(["--help"])
except SystemExit:
    print([name for name in {HEAVY} if name in sys.modules])
"""
    text = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert all(verb in text for verb in COMMANDS) and text.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_fits_a_screen_and_ends_with_an_example(verb, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert stop.value.code == 0 and len(lines) <= 50 and lines[-1].startswith(f"example: cups-train {verb} ")


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_settings_names_every_setting(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help-settings"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and "  workers  " in text and "  device  " in text
    assert (
        "motion" not in COMMANDS[verb].sections
        or "motion.max_depth  points further away are not used [m] [70.0]" in text
    )


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"cups-train {__version__}\n"


@pytest.mark.parametrize("argv", [["fly"], ["run"], ["motion", "x"], ["render", "--out", "x", "--frames", "many"]])
def test_wrong_use_is_one_line_and_code_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["inspect", "{}/none"],
        ["train", "{}"],
        ["motion", "{}/none", "--out", "{}/m"],
        ["check", "{}"],
        ["run", "{}/none", "--out", "{}/run"],
        ["predict", "{}", "{}/none", "--out", "{}/p"],
        ["run", "{}/a", "--out", "{}/run", "-o", "motion.runz=1"],
        ["evaluate", "{}/r", "--truth", "{}/t"],
    ],
)
def test_bad_input_is_one_sentence_and_code_2(argv, tmp_path, capsys):
    assert main([a.format(tmp_path) for a in argv]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists() and not (tmp_path / "p").exists()
