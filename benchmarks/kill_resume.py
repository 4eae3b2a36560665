"""Stage 1 killed again and again: the labels and their statistics must be byte for byte those of a run that nobody stopped.

    python benchmarks/kill_resume.py [--times 20] [--frames 6] [--workers 2] [--out DIR] [--seed 0]

Renders a small street, labels it once undisturbed, then starts the same command over and over in a second run folder and kills it with all
its processes (SIGKILL) at a random moment, TIMES times in all; a run that gets to its end before is compared and begun anew. Ends with 1
where a file differs.
"""
from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cups_train.config import RenderConfig
from cups_train.files import sha256
from cups_train.render import render

SETTINGS = ("semantics.classes=8", "semantics.steps=4", "semantics.cluster_steps=104", "semantics.batch=1", "semantics.height=128",
            "semantics.channels=16", "labels.min_instances=1", "labels.max_class_share=1")
TIMED = {"done.json", "inputs.json"}  # they hold times, and the identities of stages whose done.json does


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="kept; without this a temporary folder")
    args = parser.parse_args()
    out = args.out or Path(tempfile.mkdtemp(prefix="cups_kill_"))
    try:
        return compare_runs(out, args.frames, args.times, np.random.default_rng(args.seed), [f"workers={args.workers}", *SETTINGS])
    finally:
        if args.out is None:
            shutil.rmtree(out)


def compare_runs(out: Path, frames: int, times: int, rng: np.random.Generator, settings: list[str]) -> int:
    for name, seed in (("a", 1), ("b", 2)):
        if not (out / name).exists():
            render(out / name, frames, seed, RenderConfig(scene="standstill", height=128, width=256))
    command = [sys.executable, "-m", "cups_train.cli", "pseudo-label", f"{out}/a/recording", f"{out}/b/recording",
               *(word for setting in settings for word in ("-o", setting))]
    start = time.monotonic()
    finish(command, out / "undisturbed")
    seconds = time.monotonic() - start
    expected = labels(out / "undisturbed")
    print(f"undisturbed: {len(expected)} files in {seconds:.1f} s", flush=True)
    kills, different, compared = 0, 0, 0
    while kills < times:
        if start_and_kill(command, out / "killed", rng.uniform(0, seconds)):
            kills += 1
            print(f"kill {kills} of {times}: {stages(out / 'killed')}", flush=True)
            continue
        different, compared = different + differing(expected, out / "killed"), compared + 1
        shutil.rmtree(out / "killed")
    finish(command, out / "killed")
    different, compared = different + differing(expected, out / "killed"), compared + 1
    print(f"{kills} kills, {compared} finished runs compared with {len(expected)} files each: {different} differ")
    return int(different > 0)


def finish(command: list[str], run: Path) -> None:
    subprocess.run([*command, "--out", str(run)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def start_and_kill(command: list[str], run: Path, after_s: float) -> bool:
    """True where the command was killed, False where it had come to its end before."""
    process = subprocess.Popen([*command, "--out", str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        if process.wait(after_s) != 0:
            raise SystemExit(f"expected the command to end with 0, found {process.returncode}: {' '.join(process.args)}")  # type: ignore[arg-type]
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def stages(run: Path) -> str:
    """How far a run has come."""
    return ", ".join(f"{name} {'finished' if (run / name / 'done.json').is_file() else 'begun'}"
                     for name in ("motion", "semantics", "labels") if (run / name).is_dir()) or "nothing yet"


def labels(run: Path) -> dict[str, str]:
    """File -> sha256 of all labels, their statistics and classes; leftovers of a kill are hidden files."""
    files = [run / "classes.json", *(p for p in sorted((run / "labels").rglob("*")) if p.is_file() and p.name not in TIMED and p.name[0] != ".")]
    return {str(path.relative_to(run)): sha256(path) for path in files}


def differing(expected: dict[str, str], run: Path) -> int:
    found = labels(run)
    names = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    for name in names:
        print(f"differs: {name}")
    return len(names)


if __name__ == "__main__":
    sys.exit(main())
