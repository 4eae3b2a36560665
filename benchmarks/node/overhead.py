"""Prints what the node adds to an engine of 5 ms at 30 Hz, transport told apart, and what it does under overload.

No arguments are needed; 2 minutes.

    .venv/bin/python benchmarks/node/overhead.py
    .venv/bin/python benchmarks/node/overhead.py --model runs/demo/model --rate 10 --transport compressed

It runs in a ROS domain of its own with the Fast DDS profile for images. Overhead is from the entry of the node's image
callback to the return of its publish, without the engine. Latency is from the camera's publish to the arrival of the
answer in the camera's process: transport there, the node with its engine, transport back. The last line is of the 30 Hz
run, the line before it of the overload: 60 Hz in, an engine of 50 ms. The network's input has the size of the images in
these; a shorter run with 512x1024 tells what bringing images to another size and maps back adds.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.node.camera import IMAGES, Camera, node, own_graph, percentiles, picture

OVERLOAD_S, OVERLOAD_HZ, OVERLOAD_MS = 20.0, 60.0, 50.0
RESIZED, RESIZED_S = "512x1024", 15.0


def main() -> int:
    """Print the lines; the exit code."""
    args = _arguments()
    load = os.getloadavg()[0]
    print(
        f"machine: {os.cpu_count()} cores, load {load:.1f} at the start; images {args.size}, {args.transport}; "
        f"Fast DDS {'profile for images' if args.profile else 'as it comes'}"
    )
    own_graph(args.profile)
    if args.model is None:
        print(f"network of {RESIZED}: {_steady(args, RESIZED, min(RESIZED_S, args.seconds))}")
        overload = _overload(args)
    last = _steady(args, args.input, args.seconds)
    if args.model is None:
        print(overload)
    print(last)
    return 0


def _steady(args: argparse.Namespace, size: str, seconds: float) -> str:
    camera, sent, diary = _run(args, args.rate, seconds, args.engine_ms, size)
    rows = {row[0]: row[1:] for row in diary["rows"]}
    both = [stamp for stamp in rows if stamp in camera.latency_s]
    there = percentiles(rows[stamp][0] - stamp * 1e-9 for stamp in both)
    back = percentiles(camera.latency_s[stamp] - (rows[stamp][0] + rows[stamp][1] - stamp * 1e-9) for stamp in both)
    overhead = percentiles(latency - engine for _, latency, engine in rows.values())
    engine = percentiles(engine for *_, engine in rows.values())
    latency = percentiles(camera.latency_s.values())
    print(
        f"{args.rate:g} Hz for {seconds:g} s, p50 / p99 [ms]: transport there {there[0]:.1f} / {there[1]:.1f}, node "
        "without engine "
        f"{overhead[0]:.1f} / {overhead[1]:.1f}, engine {engine[0]:.1f} / {engine[1]:.1f}, transport back "
        f"{back[0]:.1f} / {back[1]:.1f}, "
        f"all {latency[0]:.1f} / {latency[1]:.1f}"
    )
    print(
        f"{_account(sent, diary)}; processor time of the node {1e3 * diary['processor_s'] / max(1, len(rows)):.1f} "
        "ms an answer"
    )
    return (
        f"overhead_p99_ms={overhead[1]:.1f} latency_p99_ms={latency[1]:.1f} hz={len(camera.latency_s) / seconds:.2f} "
        f"drops={sent - len(camera.latency_s)}"
    )


def _overload(args: argparse.Namespace) -> str:
    camera, sent, diary = _run(args, OVERLOAD_HZ, OVERLOAD_S, OVERLOAD_MS, args.input)
    ages = percentiles(row[2] for row in diary["rows"])
    counts = diary["counts"]
    exact = counts["received"] == sum(counts[name] for name in IMAGES)
    return (
        f"overload: {OVERLOAD_HZ:g} Hz in, engine of {OVERLOAD_MS:g} ms: hz={len(camera.latency_s) / OVERLOAD_S:.2f} "
        f"age_p50_ms={ages[0]:.1f} age_p99_ms={ages[1]:.1f} in={counts['received']} out={counts['answered']} "
        f"dropped={counts['dropped']} exact={'yes' if exact else 'no'} lost_by_transport={sent - counts['received']}"
    )


class Ran(NamedTuple):
    """What the camera saw of the node, how many images it sent, and what the node wrote down."""

    camera: Camera
    sent: int
    diary: dict[str, Any]


def _run(args: argparse.Namespace, rate_hz: float, seconds: float, engine_ms: float, size: str) -> Ran:
    height, width = (int(side) for side in args.size.split("x"))
    camera = Camera(
        picture(height, width, args.transport), "/image/compressed" if args.transport == "compressed" else "/image"
    )
    chosen = ["--model", str(args.model.resolve())] if args.model else ["--engine-ms", str(engine_ms), "--input", size]
    with node(*chosen, "--ros", "-p", f"input_transport:={args.transport}") as child:
        camera.wait()
        sent = camera.run(rate_hz, seconds)
    camera.close()
    if not child.diary:
        raise SystemExit("the node ended without its diary")
    return Ran(camera, sent, child.diary)


def _account(sent: int, diary: dict[str, Any]) -> str:
    counts = diary["counts"]
    total = sum(counts[name] for name in IMAGES)
    parts = ", ".join(f"{name} {counts[name]}" for name in IMAGES if counts[name])
    return f"sent {sent}, received {counts['received']} = {parts}" + (
        "" if total == counts["received"] else f" (sum {total})"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, default=None, help="exported model folder in place of the engine of a fixed time"
    )
    parser.add_argument("--engine-ms", type=float, default=5.0)
    parser.add_argument("--input", default="640x1280", help="size of the network, height x width")
    parser.add_argument("--rate", type=float, default=30.0, help="images a second")
    parser.add_argument("--size", default="640x1280", help="of the images, height x width")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--transport", choices=("raw", "compressed"), default="raw")
    parser.add_argument("--no-profile", dest="profile", action="store_false", help="Fast DDS as it comes")
    return parser.parse_args()


if __name__ == "__main__":
    np.seterr(all="ignore")
    raise SystemExit(main())
