"""Stage 1 killed again and again: the labels and their statistics must be byte for byte those of a run that nobody
stopped, and no file may be left over that such a run does not have.

    python benchmarks/labels/kill_resume.py [--times 20] [--frames 3] [--workers 1] [--labels-only] [--out DIR]
        [--seed 0] [-o key.path=value]

Renders two small streets, labels them once undisturbed, then starts the same command over and over in a second run
folder and kills it with all its processes (SIGKILL) at a random moment, TIMES times in all; a run that gets to its end
before is compared and begun anew. Each start is a fork of this program, which has everything imported and has computed
nothing. Ends with 1 where a file differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cups_train import cli, motion, pipeline, pseudo_label, semantics
from cups_train.config import RenderConfig
from cups_train.files import sha256
from cups_train.folders import layout

# what the command imports when it is called: here once for all starts
STAGES = (motion, semantics, pseudo_label, pipeline)
SETTINGS = (
    "semantics.clusters=8",
    "semantics.steps=4",
    "semantics.cluster_steps=12",
    "semantics.batch=1",
    "semantics.height=128",
    "semantics.channels=16",
    "labels.min_instances=1",
    "labels.max_class_share=1",
)
TIMED = {layout.DONE, layout.INPUTS}  # they hold times, and the identities of stages whose done.json does


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--labels-only",
        action="store_true",
        help="motion and semantics are the undisturbed run's: every kill hits the labels",
    )
    parser.add_argument("--out", type=Path, help="kept; without this a temporary folder")
    parser.add_argument(
        "-o", dest="override", action="append", default=[], metavar="key.path=value", help="over the small settings"
    )
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp(prefix="cups_kill_"))
    try:
        words = draw_recordings(out, args.frames, [f"workers={args.workers}", *SETTINGS, *args.override])
        finish(partial(cli.main, [*words, "--out", f"{out}/undisturbed"]))
        return kill_and_compare(out, words, args.times, np.random.default_rng(args.seed), args.labels_only)
    finally:
        if args.out is None:
            shutil.rmtree(out)


def draw_recordings(out: Path, frames: int, settings: list[str]) -> list[str]:
    """Two recordings in `out`; the words of the command that labels them."""
    for name, seed in (("a", 1), ("b", 2)):
        if not (out / name).exists():
            finish(partial(draw, out / name, frames, seed))
    return [
        "pseudo-label",
        f"{out}/a/recording",
        f"{out}/b/recording",
        *(word for setting in settings for word in ("-o", setting)),
    ]


def kill_and_compare(out: Path, words: list[str], times: int, rng: np.random.Generator, labels_only: bool) -> int:
    """1 where a file of any finished run differs from the undisturbed one's, else 0."""
    expected, again = labels(out / "undisturbed"), partial(cli.main, [*words, "--out", f"{out}/killed"])
    begin_anew(out, labels_only)
    start_s = time.monotonic()
    finish(again)
    seconds = time.monotonic() - start_s
    kills, different, compared = 0, differing(expected, out / "killed"), 1
    print(f"undisturbed: {len(expected)} files in {seconds:.1f} s; a second time {different} differ", flush=True)
    begin_anew(out, labels_only)
    while kills < times:
        if start_and_kill(again, rng.uniform(0, seconds)):
            kills += 1
            print(f"kill {kills} of {times}: {stages(out / 'killed')}", flush=True)
            continue
        different, compared = different + differing(expected, out / "killed"), compared + 1
        begin_anew(out, labels_only)
    finish(again)
    different, compared = different + differing(expected, out / "killed"), compared + 1
    print(f"{kills} kills, {compared} finished runs compared with {len(expected)} files each: {different} differ")
    return int(different > 0)


def begin_anew(out: Path, labels_only: bool) -> None:
    shutil.rmtree(out / "killed", ignore_errors=True)
    if labels_only:
        shutil.copytree(out / "undisturbed", out / "killed", ignore=shutil.ignore_patterns("labels", layout.CLASSES))


def draw(out: Path, frames: int, seed: int) -> int:
    from cups_train.render import render

    render(out, frames, seed, RenderConfig(scene="standstill", height=128, width=256))
    return 0


def start(work: Callable[[], int]) -> int:
    """Do the work in a process and a process group of its own; its id."""
    process = os.fork()
    if process:
        os.setpgid(process, process)
        return process
    code = 1
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        code = work()
    finally:
        os._exit(code)


def finish(work: Callable[[], int]) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(start(work), 0)[1])
    if code:
        raise SystemExit(f"expected the command to end with 0, found {code}")


def start_and_kill(work: Callable[[], int], after_s: float) -> bool:
    """True where the work was killed, False where it had come to its end before."""
    process, end = start(work), time.monotonic() + after_s
    while time.monotonic() < end:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            if os.waitstatus_to_exitcode(status):
                raise SystemExit(f"expected the command to end with 0, found {os.waitstatus_to_exitcode(status)}")
            return False
        time.sleep(0.01)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return True


def stages(run: Path) -> str:
    """How far a run has come."""
    return (
        ", ".join(
            f"{name} {'finished' if (run / name / layout.DONE).is_file() else 'begun'}"
            for name in ("motion", "semantics", "labels")
            if (run / name).is_dir()
        )
        or "nothing yet"
    )


def labels(run: Path) -> dict[str, str]:
    """File -> sha256 of all labels, their statistics and classes; of every other file of the run, hidden ones too, its
    name alone: an undisturbed run has it as well."""
    decisive = {run / layout.CLASSES, *(p for p in (run / "labels").rglob("*") if p.name not in TIMED)}
    return {
        str(path.relative_to(run)): sha256(path) if path in decisive else "there"
        for path in sorted(run.rglob("*"))
        if path.is_file()
    }


def differing(expected: dict[str, str], run: Path) -> int:
    found = labels(run)
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    for name in names:
        print(f"differs: {name}")
    return len(names)


if __name__ == "__main__":
    sys.exit(main())
