"""Prints nothing, writes a diary of every image: the real node as the benchmarks start it, with an engine of known
duration or with failures.

Not started by hand: benchmarks/node/overhead.py and soak.py do.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException

from cups_ros.engines import EngineError
from cups_ros.fusion import letterbox
from cups_ros.guarding import Spinning
from cups_ros.health import Health
from cups_ros.merged import unpack
from cups_ros.model import load_model
from cups_ros.panoptic_node import PanopticNode
from cups_ros.stamps import stamp_ns
from cups_ros.types import Classes, Panoptic, PseudoClass, Thresholds

CARS, STUFF = 12, 4


class StreetModel:
    """12 cars before 4 bands of stuff, found by an engine that takes a fixed time; everything around the engine is
    real."""

    name, engine = "street", "fixed time"
    classes = Classes(
        (
            *(PseudoClass(n, f"stuff {n}", False, (40 * n, 90, 90)) for n in range(1, STUFF + 1)),
            PseudoClass(STUFF + 1, "car", True, (0, 0, 142)),
        )
    )

    def __init__(self, engine_s: float, input_size: tuple[int, int]) -> None:
        self.input_size, self.thresholds, self._engine_s, self.spent_s = input_size, Thresholds(), engine_s, 0.0
        height, width = input_size
        self._ids = (
            (CARS + 1 + np.arange(height) * STUFF // height).repeat(width).reshape(height, width).astype(np.int32)
        )
        table = np.zeros((CARS + STUFF, 7), np.float32)
        for car in range(CARS):
            x, y, w, h = car * width // CARS, height // 2 + 5 * (car % 3), width // CARS - 8, height // 8
            self._ids[y : y + h, x : x + w] = car + 1
            table[car] = STUFF + 1, 0.9, w * h, x, y, w, h
        for band in range(STUFF):
            rows, columns = np.nonzero(self._ids == CARS + 1 + band)
            y, x = rows.min(), columns.min()
            table[CARS + band] = band + 1, 1.0, rows.size, x, y, np.ptp(columns) + 1, np.ptp(rows) + 1
        self._table = table

    def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
        _, view = letterbox(image, self.input_size)
        begun = time.monotonic()
        time.sleep(self._engine_s)
        spent_s = time.monotonic() - begun

        def merge() -> Panoptic:
            self.spent_s = spent_s  # read in the same thread, once the answer is published
            return unpack(self._ids, self._table, self.classes, view.image_size)

        return merge

    def next_engine(self) -> bool:
        return False

    def close(self) -> None:
        pass


class FailingModel:
    """An exported model whose engine fails at every n-th image; the model is then loaded again as on a vehicle."""

    calls = 0  # over all loads
    spent_s = 0.0

    def __init__(self, model: Any, every: int) -> None:
        self.__dict__["_model"], self.__dict__["_every"] = model, every

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._model, name, value)

    def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
        FailingModel.calls += 1
        if self._every and FailingModel.calls % self._every == 0:
            raise EngineError(f"injected at image {FailingModel.calls}")
        begun = time.monotonic()
        rest = self._model.start(image)
        spent_s = time.monotonic() - begun

        def merge() -> Panoptic:
            FailingModel.spent_s = spent_s
            return rest()

        return merge


class Answered(NamedTuple):
    """One answer."""

    stamp: int  # of its image
    arrival: float  # s
    latency_s: float
    spent_s: float  # in the engine


class Diary(Health):
    """Health that also remembers every answer."""

    rows: list[Answered] = []
    stamps: dict[int, int] = {}
    arriving = 0  # stamp of the image whose callback runs
    model: Any = None
    processor_s = 0.0  # that the process had used when its first image came

    def image(self, now: float) -> None:
        if not Diary.processor_s:
            used = resource.getrusage(resource.RUSAGE_SELF)
            Diary.processor_s = used.ru_utime + used.ru_stime
        Diary.stamps[round(now * 1e6)] = Diary.arriving
        super().image(now)

    def answer(self, now: float, latency_s: float) -> None:
        super().answer(now, latency_s)
        arrival = now - latency_s
        spent_s = Diary.model.spent_s if Diary.model is not None else 0.0
        Diary.rows.append(Answered(Diary.stamps.pop(round(arrival * 1e6), 0), arrival, latency_s, spent_s))


class TimedNode(PanopticNode):
    def on_image(self, message: Any) -> None:
        Diary.arriving = stamp_ns(message.header)
        super().on_image(message)


def main() -> int:
    """Run the node until SIGINT, then write the diary."""
    args = _arguments()
    rclpy.init(args=["--ros-args", "-p", "autostart:=true", "-p", f"model:={args.model or '.'}", *args.ros])

    def load(folder: Path, **kinds: Any) -> Any:
        if args.model is None:
            Diary.model = StreetModel(args.engine_ms / 1e3, args.input)
        else:
            Diary.model = FailingModel(load_model(folder, **kinds), args.fail_every)
        return Diary.model

    node = TimedNode(load, Diary)
    if args.watch:
        threading.Thread(target=_watch, args=(Path(args.watch),), daemon=True).start()
    try:
        Spinning(node, node.inputs_group).spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    node.close()
    used, end = resource.getrusage(resource.RUSAGE_SELF), node.snapshot()
    args.out.write_text(
        json.dumps(
            {
                "counts": vars(end.counts),
                "rows": Diary.rows,
                "last_error": end.last_error,
                "processor_s": used.ru_utime + used.ru_stime - Diary.processor_s,
            }
        )
    )
    rclpy.try_shutdown()
    return 0


def _watch(path: Path) -> None:
    """Every 10 s a line: seconds, resident memory [MB], threads, file descriptors, processor seconds."""
    begun = time.monotonic()
    with path.open("w") as file:
        while True:
            status = dict(
                line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line
            )
            used = resource.getrusage(resource.RUSAGE_SELF)
            print(
                round(time.monotonic() - begun, 1),
                round(int(status["VmRSS"].split()[0]) / 1024, 1),
                int(status["Threads"]),
                len(list(Path("/proc/self/fd").iterdir())),
                round(used.ru_utime + used.ru_stime, 1),
                file=file,
                flush=True,
            )
            time.sleep(10)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=None, help="exported model; none: the street of this file")
    parser.add_argument("--engine-ms", type=float, default=5.0)
    parser.add_argument(
        "--input",
        type=lambda text: tuple(int(side) for side in text.split("x")),
        default=(512, 1024),
        help="height x width",
    )
    parser.add_argument("--fail-every", type=int, default=0, help="the engine fails at every n-th image")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--watch", default="")
    parser.add_argument("--ros", nargs=argparse.REMAINDER, default=[])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
