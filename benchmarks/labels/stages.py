"""Time and peak memory of every stage: a rendered street goes through the commands one by one.

    python benchmarks/labels/stages.py [--frames 24] [--steps 20] [--keep FOLDER] [-o key.path=value]

Memory is the proportional set size of the command with all its workers, looked at five times a second. Prints one line
a command.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
LOOK_S = 0.2


@dataclass(frozen=True)
class Work:
    """One command and how much it does."""

    name: str
    arguments: tuple[str, ...]
    amount: int
    unit: str


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steps", type=int, default=20, help="training steps of stages 2 and 3")
    parser.add_argument(
        "--keep", type=Path, help="where to work; a folder that is removed at the end where none is given"
    )
    parser.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = args.keep or Path(folder)
        print(f"{'command':<28}{'amount':>16}{'seconds':>9}{'s each':>9}{'peak MB':>9}")
        for work in works(root, args.frames, args.steps, tuple(args.override)):
            code, seconds, peak = measured([sys.executable, "-m", "cups_train.cli", *work.arguments])
            if code:
                print(f"{work.name}: exit code {code}", file=sys.stderr)
                return code
            amount = f"{work.amount} {work.unit}"
            print(
                f"{work.name:<28}{amount:>16}{seconds:>9.1f}{seconds / work.amount:>9.2f}{peak / 2**20:>9.0f}",
                flush=True,
            )
    return 0


def works(root: Path, frames: int, steps: int, overrides: tuple[str, ...]) -> list[Work]:
    """The way of a recording through the stages, with the settings of the demo."""
    bag, run = str(root / "street" / "recording"), str(root / "run")
    config = ("--config", str(ROOT / "config" / "train" / "demo.yaml"))
    more = tuple(word for o in overrides for word in ("-o", o))
    encoder = ("-o", f"semantics.steps={steps}", "-o", f"semantics.cluster_steps={steps}")
    return [
        Work(
            "render",
            ("render", "--out", str(root / "street"), "--frames", str(frames), "--seed", "7", *config, *more),
            frames,
            "frames",
        ),
        Work("motion", ("motion", bag, "--out", str(root / "motion"), *config, *more), frames, "frames"),
        Work("pseudo-label", ("pseudo-label", bag, "--out", run, *config, *encoder, *more), frames, "frames"),
        Work("train", ("train", run, *config, "-o", f"bootstrap.steps={steps}", *more), steps, "steps"),
        Work("self-train", ("self-train", run, *config, "-o", f"self_train.steps={steps}", *more), steps, "steps"),
        Work("export", ("export", run, "--out", str(root / "model"), *config, *more), 1, "model"),
        Work(
            "predict, labels",
            ("predict", run, bag, "--stage", "labels", "--out", str(root / "labels"), *config, *more),
            frames,
            "frames",
        ),
        Work("predict, torch", ("predict", run, bag, "--out", str(root / "torch"), *config, *more), frames, "frames"),
        Work(
            "predict, exported",
            ("predict", str(root / "model"), bag, "--out", str(root / "onnx"), *config, *more),
            frames,
            "frames",
        ),
    ]


class Measured(NamedTuple):
    """What a command with its children took."""

    code: int  # that it ended with
    seconds: float
    peak: int  # bytes


def measured(command: list[str]) -> Measured:
    """Run a command."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, sum(memory(pid) for pid in family(process.pid)))
        time.sleep(LOOK_S)
    return Measured(process.returncode, time.monotonic() - start, peak)


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:  # it has just ended
                continue
    return found


def memory(pid: int) -> int:
    """Proportional set size in bytes; 0 of a process that has just ended."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    sys.exit(main())
