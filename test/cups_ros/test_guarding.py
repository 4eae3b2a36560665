"""Spinning a real node to its end."""

from __future__ import annotations

import threading

import pytest

rclpy = pytest.importorskip("rclpy")


@pytest.mark.parametrize("part", ["_inputs", "_rest"])
def test_a_signal_between_look_and_use_ends_the_spinning_without_an_error(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGINT shuts the context down in any thread at any moment: here while an executor asks for its nodes, just before
    it makes its wait set."""
    from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
    from rclpy.context import Context
    from rclpy.node import Node

    from cups_ros.guarding import Spinning

    context = Context()
    rclpy.init(context=context)
    node = Node("to_its_end", context=context)
    spinning = Spinning(node, MutuallyExclusiveCallbackGroup())
    executor = getattr(spinning, part)
    nodes, errors = executor.get_nodes, []

    def shut_down_first() -> list[Node]:
        context.try_shutdown()
        return nodes()

    monkeypatch.setattr(executor, "get_nodes", shut_down_first)
    monkeypatch.setattr(threading, "excepthook", errors.append)
    spinning.spin()
    assert not context.ok()
    assert not errors
