"""Prints memory, threads, descriptors and latency of the node, minute by minute, while its engine fails a hundred times
in half an hour.

Nothing may grow, nothing may slow down.

    .venv/bin/python benchmarks/node/soak.py                    # 30 minutes, the tiny network with random weights
    .venv/bin/python benchmarks/node/soak.py --minutes 3 --model runs/demo/model

Every line of the table is a minute. The last line says what was asked for, in the last part against the first (5
minutes each, or a third of a shorter run): growth of mean memory (it swings by some 40 MB, for every failure opens an
engine anew; the first part starts after a tenth of the time), of the median number of threads and of file descriptors
(some are open for a moment while an engine is opened), the latency's 99th percentile; and failures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.node.camera import IMAGES, Camera, node, own_graph, picture

RATE_HZ = 5.0  # the tiny network takes twice that on two free cores
PART_S = 300.0
SIZE = (640, 1280)
LEAST_ANSWERED = 0.4  # share of the images that a loaded machine still answers


def main() -> int:
    """Run; 1 where something grew, slowed down or stopped."""
    args = _arguments()
    own_graph()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or _tiny(Path(folder) / "tiny")
        watch = Path(folder) / "watch"
        images = round(args.rate * 60 * args.minutes)
        every = max(2, round(LEAST_ANSWERED * images / args.failures)) if args.failures else 0
        print(
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start; {images} images of "
            f"{SIZE[0]}x{SIZE[1]} at {args.rate:g} Hz, "
            f"the engine fails at every {every}th",
            flush=True,
        )
        camera = Camera(picture(*SIZE))
        chosen = ["--model", str(model.resolve()), "--fail-every", str(every), "--watch", str(watch)]
        with node(*chosen, "--ros", "-p", "engines:=onnxruntime-cpu", "-p", f"threads:={args.threads}") as child:
            camera.wait()
            sent = camera.run(args.rate, 60 * args.minutes)
            alive = child.process.poll() is None
        camera.close()
        if not alive or not child.diary:
            print("the node died")
            return 1
        return _judge(args, sent, child.diary, np.loadtxt(watch, ndmin=2))


def _print_minutes(minutes: int, rows: np.ndarray, watch: np.ndarray) -> None:
    begun = rows[0, 1]
    for minute in range(minutes):
        part = rows[(rows[:, 1] >= begun + 60 * minute) & (rows[:, 1] < begun + 60 * (minute + 1)), 2]
        seen = watch[(watch[:, 0] >= 60 * minute) & (watch[:, 0] < 60 * (minute + 1))]
        if len(part) and len(seen):
            print(
                f"minute {minute + 1}: {len(part)} answers, p50 {1e3 * np.median(part):.0f} ms, p99 "
                f"{1e3 * np.percentile(part, 99):.0f} ms; "
                f"{seen[-1, 1]:.0f} MB, {seen[-1, 2]:.0f} threads, {seen[-1, 3]:.0f} file descriptors"
            )


def _judge(args: argparse.Namespace, sent: int, diary: dict[str, Any], watch: np.ndarray) -> int:
    """Print the minutes and what became of memory, threads, descriptors and latency; the exit code."""
    rows, counts = np.array(diary["rows"]), diary["counts"]
    begun = rows[0, 1]
    _print_minutes(int(np.ceil(args.minutes)), rows, watch)
    length_s = min(PART_S, 20 * args.minutes)
    first, last = (
        1e3 * np.percentile(rows[mask, 2], 99)
        for mask in (rows[:, 1] < begun + length_s, rows[:, 1] > rows[-1, 1] - length_s)
    )
    settled, end = (
        watch[mask, 1:4] for mask in (watch[:, 0] < 6 * args.minutes + length_s, watch[:, 0] > watch[-1, 0] - length_s)
    )
    settled = settled[len(watch) // 10 :]
    growth = [
        end[:, 0].mean() - settled[:, 0].mean(),
        *(np.median(end[:, 1:], axis=0) - np.median(settled[:, 1:], axis=0)),
    ]
    exact = counts["received"] == sum(counts[name] for name in IMAGES)
    print(f"sent {sent}, " + ", ".join(f"{name} {number}" for name, number in counts.items() if number))
    good = (
        growth[0] < max(20.0, 0.03 * settled[0, 0])
        and growth[1] <= 0
        and growth[2] <= 0
        and exact
        and counts["engine_failures"] >= args.failures
    )
    passed = good and last <= 1.2 * first
    print(
        f"memory_growth_mb={growth[0]:.1f} threads_growth={growth[1]:.0f} fds_growth={growth[2]:.0f} "
        f"p99_first_ms={first:.0f} p99_last_ms={last:.0f} ratio={last / first:.2f} "
        f"engine_failures={counts['engine_failures']} "
        f"exact={'yes' if exact else 'no'} minutes={args.minutes:g} passed={'yes' if passed else 'no'}"
    )
    return int(not passed)


def _tiny(folder: Path) -> Path:
    """The tiny network with random weights."""
    from benchmarks.models.engine import export, spec_of
    from cups_train.config import ExportConfig
    from cups_train.network import build_network

    return export(build_network(spec_of("tiny", (256, 512)), seed=1).eval(), folder, ExportConfig())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument(
        "--model", type=Path, default=None, help="exported model folder; none: the tiny network with random weights"
    )
    parser.add_argument("--rate", type=float, default=RATE_HZ, help="images a second")
    parser.add_argument("--failures", type=int, default=100, help="injected engine failures")
    parser.add_argument("--threads", type=int, default=1, help="of the engine")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
