"""Transitions over and over, and those that fail."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from visualization_msgs.msg import MarkerArray

from cups_ros import listening
from cups_ros.answering import Answering
from cups_ros.guarding import THREADS
from cups_ros.inputs import Inputs
from cups_ros.locating import Locating
from cups_ros.model import Model
from cups_ros.outputs import Outputs
from cups_ros.worker import NewestWorker

Running = Callable[..., AbstractContextManager[Any]]
CYCLES, FIRST = 50, 10  # the first ones fill caches
SUCCESS = TransitionCallbackReturn.SUCCESS


def resident_kb() -> int:
    return int(
        next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1]
    )


def test_fifty_rounds_of_all_transitions_leave_nothing_behind(running: Running, model_folder: Path) -> None:
    with running(model_folder, depth_source="depth", track=True) as graph:

        def around() -> tuple[int, int, int]:
            node = graph.node
            for transition in (
                node.trigger_deactivate,
                node.trigger_cleanup,
                node.trigger_configure,
                node.trigger_activate,
            ):
                assert transition() == SUCCESS
            return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), resident_kb()

        seen = [around() for _ in range(CYCLES)]
        # the executor begins its own as it needs them
        assert seen[-1][0] <= seen[FIRST][0] + THREADS, [row[0] for row in seen]
        assert seen[-1][1] <= seen[FIRST][1]  # file descriptors
        assert seen[-1][2] - seen[FIRST][2] < 8_000, [row[2] for row in seen]  # kB
        gc.unfreeze()  # the node takes what lives on out of the collector's sight
        gc.collect()
        parts = [
            part
            for part in gc.get_objects()
            if isinstance(part, (Model, Outputs, Inputs, Answering, NewestWorker, Locating))
        ]
        # of this and the last rounds, which the waiting executor may still hold; a Locating has a worker too
        assert len(parts) <= 3 * 7, parts
        assert graph.node.snapshot().state == "active"


def test_what_keeps_the_node_from_listening_is_told_and_can_be_mended(
    running: Running, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(model_folder) as graph:
        graph.node.trigger_deactivate()

        def refuse(*_: Any) -> None:
            raise RuntimeError("the middleware has no such events")

        with monkeypatch.context() as patch:
            patch.setattr(listening, "Inputs", refuse)
            assert graph.node.trigger_activate() == TransitionCallbackReturn.FAILURE
        assert graph.node.snapshot().state == "inactive" and "newest-worker" not in {
            thread.name for thread in threading.enumerate()
        }
        graph.told("cannot listen to images: the middleware has no such events")
        assert graph.node.trigger_activate() == SUCCESS


def test_markers_ask_for_an_engine_only_where_segments_are_measured(running: Running, model_folder: Path) -> None:
    with running(model_folder) as graph:
        graph.listen(MarkerArray, "/cups/markers")
        graph.until(lambda: graph.node.snapshot().wanted == ("markers",))
        graph.until(lambda: graph.node.snapshot().counts.unasked > 0, lambda: graph.images.publish(graph.image()))
        assert graph.node.snapshot().counts.answered == 0
        begun = time.monotonic()
        assert graph.values()["state"] == "active" and time.monotonic() - begun < 60
    with running(model_folder, depth_source="depth") as graph:
        graph.listen(MarkerArray, "/cups/markers")
        graph.until(lambda: graph.node.snapshot().counts.answered > 0, lambda: graph.images.publish(graph.image()))
