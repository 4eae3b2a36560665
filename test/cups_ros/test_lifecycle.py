"""Transitions over and over, and those that fail."""
from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from visualization_msgs.msg import MarkerArray

from cups_ros import panoptic_node
from cups_ros.guarding import THREADS

Running = Callable[..., AbstractContextManager[Any]]
CYCLES, FIRST = 50, 10  # the first ones fill caches
SUCCESS = TransitionCallbackReturn.SUCCESS


def resident_kb() -> int:
    return int(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1])


def test_fifty_rounds_of_all_transitions_leave_nothing_behind(running: Running, model_folder: Path) -> None:
    with running(model_folder, depth_source="depth", track=True) as graph:
        parts: list[weakref.ref] = []

        def around() -> tuple[int, int, int]:
            node = graph.node
            parts.extend(weakref.ref(part) for part in (node._model.model, node._outputs, node._inputs, node._answering, node._worker, node._placing))
            for transition in (node.trigger_deactivate, node.trigger_cleanup, node.trigger_configure, node.trigger_activate):
                assert transition() == SUCCESS
            return threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), resident_kb()

        seen = [around() for _ in range(CYCLES)]
        assert seen[-1][0] <= seen[FIRST][0] + THREADS, [row[0] for row in seen]  # the executor begins its own as it needs them
        assert seen[-1][1] <= seen[FIRST][1]  # file descriptors
        assert seen[-1][2] - seen[FIRST][2] < 8_000, [row[2] for row in seen]  # kB
        gc.collect()
        alive = [part() for part in parts if part() is not None]
        assert len(alive) <= 2 * 6, alive  # of the last rounds, which the waiting executor may still hold
        assert graph.node._state == "active"


def test_what_keeps_the_node_from_listening_is_told_and_can_be_mended(running: Running, model_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(model_folder) as graph:
        graph.node.trigger_deactivate()

        def refuse(*_: Any) -> None:
            raise RuntimeError("the middleware has no such events")

        with monkeypatch.context() as patch:
            patch.setattr(panoptic_node, "Inputs", refuse)
            assert graph.node.trigger_activate() == TransitionCallbackReturn.FAILURE
        assert graph.node._state == "inactive" and graph.node._worker is None
        graph.told("cannot listen to images: the middleware has no such events")
        assert graph.node.trigger_activate() == SUCCESS


def test_markers_ask_for_an_engine_only_where_segments_are_measured(running: Running, model_folder: Path) -> None:
    with running(model_folder) as graph:
        graph.listen(MarkerArray, "/cups/markers")
        graph.until(lambda: graph.node._outputs.wants("markers"))
        assert not graph.node._outputs.asked(measured=False) and graph.node._outputs.asked(measured=True)
        begun = time.monotonic()
        assert graph.values()["state"] == "active" and time.monotonic() - begun < 60
