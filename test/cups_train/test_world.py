"""What the world does to a command is one sentence and exit code 2; a fault of ours is not hidden."""

import errno
import os
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cups_train.cli import COMMANDS, main
from cups_train.world import sentence_of

RENDER = ("render", "--frames", "1", "-o", "render.height=64", "-o", "render.width=128")


def run(*argv, limits=(), env=None, **streams):
    """The real command in a process of its own: exit code and stderr."""

    def limit():
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))

    process = subprocess.run(
        [sys.executable, "-m", "cups_train.cli", *map(str, argv)],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        preexec_fn=limit,
        text=True,
        timeout=120,
        check=False,
        **{"stdout": subprocess.DEVNULL, **streams},
    )
    return process.returncode, process.stderr


def one_sentence(result, *words):
    code, err = result
    assert code == 2 and "Traceback" not in err, err
    sentence = err.splitlines()[-1]
    assert sentence.startswith("cups-train ") and "expected" in sentence and "found" in sentence, err
    assert all(word in sentence for word in words), sentence


def test_a_file_larger_than_allowed_leaves_nothing_and_the_same_command_goes_on(tmp_path):
    command = (*RENDER, "--out", tmp_path / "street")
    one_sentence(run(*command, limits=[(resource.RLIMIT_FSIZE, 2000)]), "larger than", "same command")
    assert not (tmp_path / "street").exists()
    assert run(*command)[0] == 0 and (tmp_path / "street" / "truth" / "truth.json").is_file()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "room for /x"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/x"), "room for /x"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "leave to use /x"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "leave to use /x"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999), "too long"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), "ulimit -n"),
        (OSError(errno.EIO, "Input/output error", "/x"), "Input/output error"),
        (MemoryError(), "enough memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "enough memory"),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), "room for a file"),
        (RecursionError("maximum recursion depth exceeded"), "nested too deeply"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "UTF-8"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_one_sentence_for_what_the_world_does(error, words):
    sentence = sentence_of(error)
    assert sentence.startswith("expected ") and "found" in sentence and words in sentence and len(sentence) < 600


@pytest.mark.parametrize("error", [KeyError("id"), AssertionError("out of memory"), RuntimeError("shapes differ")])
def test_a_fault_of_ours_shows_its_traceback_and_where_to_report_it(error, monkeypatch, capsys):
    assert sentence_of(error) is None

    def fail(_args):
        raise error

    monkeypatch.setitem(COMMANDS, "check", replace(COMMANDS["check"], call=fail))
    assert main(["check", "x"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "report it" in err.splitlines()[-1]


@pytest.fixture
def results(tmp_path):
    """A truth, which is its own perfect result."""
    assert main([*RENDER, "--out", str(tmp_path / "street")]) == 0
    return tmp_path / "street" / "truth"


def test_a_full_or_closed_output(results):
    command = ("evaluate", results, "--truth", results)
    with open("/dev/full", "w") as full:
        one_sentence(run(*command, stdout=full), "room for")
    read, write = os.pipe()
    os.close(read)
    one_sentence(run(*command, stdout=write), "reader")
    os.close(write)
    closed = f"exec {sys.executable} -m cups_train.cli evaluate {results} --truth {results} >&- 2>&-"
    assert subprocess.run(["sh", "-c", closed], check=False).returncode == 0


def test_figures_go_to_a_device_and_through_a_link_and_over_nothing_of_others(results, tmp_path):
    command = ("evaluate", str(results), "--truth", str(results), "--json")
    device = os.stat("/dev/null")
    assert main([*command, "/dev/null"]) == 0 and os.stat("/dev/null").st_rdev == device.st_rdev
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    for _ in "12":
        assert main([*command, str(tmp_path / "link.json")]) == 0
    assert (tmp_path / "link.json").is_symlink() and '"pq"' in (tmp_path / "there.json").read_text()
    for path, text in ((results / "panoptic.json", None), (tmp_path / "README.md", "mine"), (tmp_path / "l", "[1]")):
        if text is not None:
            path.write_text(text)
        before = path.read_bytes()
        assert main([*command, str(path)]) == 2 and path.read_bytes() == before


@pytest.mark.parametrize(
    "env", [{"WORLD_SIZE": "many"}, {"WORLD_SIZE": "0"}, {"WORLD_SIZE": "2", "RANK": "2"}, {"RANK": "-1"}, {"RANK": ""}]
)
def test_nonsense_of_torchrun(env, monkeypatch, tmp_path, capsys):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert main(["train", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        "motion: {max_depth: .inf}",
        "bootstrap: {lr: .nan}",
        "bootstrap: {lr: 1.0e+400}",
        f"seed: {'9' * 5000}",
        "labels: " + "[" * 4000 + "]" * 4000,
        BOMB + "labels: {psi: *j}",
        BOMB + "labels: *j",
    ],
    ids=["inf", "nan", "large", "digits", "nested", "bomb", "bomb of a section"],
)
def test_settings_without_measure(text, tmp_path, capsys):
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "bag").mkdir()
    assert main(["inspect", str(tmp_path / "bag"), "--config", str(tmp_path / "c.yaml")]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "--config" in err and len(err) < 3000, err[:500]
    assert main(["inspect", str(tmp_path / "bag"), "-o", "labels.psi=" + "[" * 4000]) == 2


def test_no_leave(tmp_path, monkeypatch, capsys):
    """Root may do everything, so the refusal is made here."""

    def refuse(self, *_args, **_kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert main([*RENDER, "--out", str(tmp_path / "x")]) == 2
    assert "leave to use" in capsys.readouterr().err


def test_a_name_that_is_too_long_or_no_text(tmp_path, capsys):
    for name in ("x" * 300, os.fsdecode(b"\xff\xfe")):
        for command in (["inspect", str(tmp_path / name)], ["export", str(tmp_path / name), "--out", str(tmp_path)]):
            assert main(command) == 2
            assert "Traceback" not in capsys.readouterr().err
    assert main([*RENDER, "--out", str(tmp_path / ("x" * 300))]) == 2 and "too long" in capsys.readouterr().err
    assert main([*RENDER, "--out", str(tmp_path / os.fsdecode(b"\xff"))]) == 0


def test_text_is_utf8_whatever_the_locale(tmp_path):
    (tmp_path / "c.yaml").write_text("# Straße\nseed: 1\n", encoding="utf-8")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code, err = run("inspect", tmp_path / "ä", "--config", tmp_path / "c.yaml", env=env)
    assert code == 2 and "Traceback" not in err and "--config" not in err
