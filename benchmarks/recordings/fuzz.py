"""Mutated bags, calibrations and images against `cups-train inspect`: it ends with 0 or 2, in time and memory.

    python -m benchmarks.recordings.fuzz --count 20000 --seed 1 --keep bad

Each input is made of its own number and run in a forked process with a limit on memory and time; what ends otherwise is
kept and told by its number.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

import cups_train.recording  # noqa: F401  (read before the processes part)
from cups_train.cli import main as run_command

STORE = get_typestore(Stores.ROS2_JAZZY)
IMAGE, COMPRESSED, INFO = (f"sensor_msgs/msg/{kind}" for kind in ("Image", "CompressedImage", "CameraInfo"))
HEIGHT, WIDTH = 48, 64
MEMORY_BYTES, LIMIT_S = 6 << 30, 20  # of addresses, of which libraries take most
NUMBERS = (0.0, -1.0, 1e-9, 1e12, 1e30, float("nan"), float("inf"), 1.0, 50.0, -50.0)
ENCODINGS = ("rgb8", "bgr8", "mono8", "mono16", "bayer_rggb8", "nv12", "yuyv", "RGB8", "16UC1", "32FC1", "", "x" * 300)
MODELS = ("plumb_bob", "rational_polynomial", "equidistant", "", "Brown-Conrady", "omni", "\x00")


@dataclass(frozen=True)
class Outcome:
    """How one input ended."""

    number: int
    code: int  # of the exit; minus the signal; 124: too slow
    seconds: float


def _header(stamp: int) -> Any:
    types = STORE.types
    return types["std_msgs/msg/Header"](types["builtin_interfaces/msg/Time"](stamp // 10**9, stamp % 10**9), "camera")


def _image(rng: np.random.Generator, stamp: int, pixels: np.ndarray, wild: bool) -> Any:
    if not wild:
        return STORE.types[IMAGE](_header(stamp), HEIGHT, WIDTH, "rgb8", 0, WIDTH * 3, pixels.ravel())
    height, width, step = (int(rng.choice([0, 1, 31, size, 1 << 16, (1 << 32) - 1])) for size in (HEIGHT, WIDTH, 192))
    data = pixels.ravel()[: rng.integers(0, pixels.size + 1)]
    if rng.random() < 0.5:
        height, width, step = HEIGHT, WIDTH, int(rng.choice([0, 64, 128, 192, 256]))
    encoding = str(rng.choice(ENCODINGS))
    return STORE.types[IMAGE](_header(stamp), height, width, encoding, int(rng.integers(2)), step, data)


def _compressed(rng: np.random.Generator, stamp: int, pixels: np.ndarray, wild: bool) -> Any:
    data = cv2.imencode(str(rng.choice([".jpg", ".png"])), pixels)[1].ravel()
    if wild:
        data = np.frombuffer(_mutated(rng, data.tobytes()), np.uint8)
    return STORE.types[COMPRESSED](_header(stamp), str(rng.choice(["jpeg", "png", "rgb8; jpeg", ""])), data)


def _info(rng: np.random.Generator, right: bool, wild: bool) -> Any:
    k = np.array([50, 0, 31.5, 0, 50, 23.5, 0, 0, 1])
    p = np.array([50, 0, 31.5, -10.0 if right else 0, 0, 50, 23.5, 0, 0, 0, 1, 0])
    r, d, model, size, binning = np.eye(3).ravel(), np.zeros(5), "plumb_bob", (HEIGHT, WIDTH), 0
    if wild:
        if rng.random() < 0.3:
            d = rng.choice(NUMBERS if rng.random() < 0.5 else (0.0, 0.1, -0.2), rng.integers(0, 17))
        if rng.random() < 0.3:
            model, binning = str(rng.choice(MODELS)), int(rng.choice([0, 1, 2, 100, (1 << 32) - 1]))
        if rng.random() < 0.3:
            size = int(rng.choice([0, HEIGHT, 1 << 31])), int(rng.choice([0, WIDTH, 1 << 31]))
        for matrix in (k, r, p):
            if rng.random() < 0.3:
                matrix[rng.integers(matrix.size)] = rng.choice(NUMBERS)
    cut = wild and rng.random() < 0.2
    roi = STORE.types["sensor_msgs/msg/RegionOfInterest"](
        *(int(rng.integers(0, 3)) * 20 * cut for _ in range(4)), False
    )
    return STORE.types[INFO](_header(1), *size, model, d, k, r, p, binning, binning, roi)


def _mutated(rng: np.random.Generator, data: bytes) -> bytes:
    """Flipped, overwritten, cut or repeated somewhere."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(0, max(1, len(changed))))
        kind = int(rng.integers(4))
        if kind == 0 and changed:
            changed[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            changed[at : at + 8] = rng.choice([b"\0" * 8, b"\xff" * 8, rng.bytes(8)])
        elif kind == 2 and rng.random() < 0.3:
            del changed[at:]
        else:
            changed[at:at] = changed[at : at + int(rng.integers(64))]
    return bytes(changed)


def make_input(seed: int, number: int, folder: Path) -> Path:
    """The bag of one number: something of it is wild, or its file is mutated."""
    rng = np.random.default_rng((seed, number))
    wild = int(rng.integers(3))  # 0: the container, 1: calibrations, 2: images
    storage = StoragePlugin.MCAP if rng.random() < 0.5 else StoragePlugin.SQLITE3
    packed = rng.random() < 0.5
    path = folder / "bag"
    pixels = rng.integers(0, 255, (HEIGHT, WIDTH + 8, 3)).astype(np.uint8)
    with Writer(path, version=9, storage_plugin=storage) as writer:
        for side in ("left", "right"):
            images = writer.add_connection(f"/{side}/image", COMPRESSED if packed else IMAGE, typestore=STORE)
            infos = writer.add_connection(f"/{side}/camera_info", INFO, typestore=STORE)
            info = _info(rng, side == "right", wild == 1)
            writer.write(infos, 1, STORE.serialize_cdr(info, INFO))
            seen = np.ascontiguousarray(pixels[:, 8:] if side == "right" else pixels[:, :WIDTH])
            for moment in range(1, 4):
                message = (_compressed if packed else _image)(
                    rng, moment * 10**8, seen, wild == 2 and rng.random() < 0.5
                )
                writer.write(images, moment * 10**8, STORE.serialize_cdr(message, COMPRESSED if packed else IMAGE))
    if wild == 0:
        files = [file for file in sorted(path.iterdir()) if file.suffix != ".yaml" or rng.random() < 0.2]
        file = files[int(rng.integers(len(files)))]
        file.write_bytes(_mutated(rng, file.read_bytes()))
    return path


def run_one(seed: int, number: int, keep: Path | None) -> Outcome:
    """Make one input, inspect it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = make_input(seed, number, Path(folder))
        start = time.monotonic()
        child = os.fork()
        if not child:
            _inspect(path, Path(folder) / "shown")
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        outcome = Outcome(number, 124 if code == -signal.SIGALRM else code, time.monotonic() - start)
        if outcome.code not in (0, 2) and keep is not None:
            shutil.copytree(folder, keep / str(number), dirs_exist_ok=True)
        return outcome


def _inspect(path: Path, shown: Path) -> None:
    """Never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.alarm(LIMIT_S)
    with shown.open("w") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
        try:
            code = run_command(["inspect", str(path)])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException as error:  # what escapes the command is what is looked for
            print(repr(error), file=sys.stderr)
            code = 1
        sys.stdout.flush()
    os._exit(int(code or 0))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    start = time.monotonic()
    outcomes = [run_one(args.seed, number, args.keep) for number in range(args.first, args.first + args.count)]
    seconds = time.monotonic() - start
    print("exit codes", dict(Counter(outcome.code for outcome in outcomes)))
    print(f"{len(outcomes) / seconds:.1f} inputs a second, slowest {max(o.seconds for o in outcomes):.2f} s")
    bad = [outcome for outcome in outcomes if outcome.code not in (0, 2)]
    for outcome in bad[:20]:
        print(f"input {outcome.number}: exit {outcome.code} after {outcome.seconds:.2f} s")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
