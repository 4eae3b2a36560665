"""`ros2 topic` and `ros2 lifecycle`."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ros2_stand_in.packages import interface

DISCOVERY_S = 10.0
QUIET_S = 2.0
LONG_CALL_S = 120.0  # loading a model is part of `configure`
SHOWN_ITEMS = 16


@contextmanager
def open_node() -> Iterator[Any]:
    """A node of its own that ends cleanly on SIGINT and SIGTERM."""
    import rclpy

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(args=[], signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
    node = rclpy.create_node(f"ros2cli_{os.getpid()}")
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def topic_list(show_types: bool) -> int:
    """Print the topics that are known once discovery has found nothing new for a while."""
    with open_node() as node:
        known, since = [], time.monotonic()
        while time.monotonic() - since < QUIET_S:
            time.sleep(0.1)
            found = sorted(node.get_topic_names_and_types())
            if found != known:
                known, since = found, time.monotonic()
        for name, types in known:
            print(f"{name} [{', '.join(types)}]" if show_types else name)
    return 0


def topic_hz(topic: str, duration_s: float | None) -> int:
    """Print the mean rate of the last 100 messages every second."""
    import rclpy

    with open_node() as node:
        times: deque[float] = deque(maxlen=100)
        if not _subscribe(node, topic, lambda _: times.append(time.monotonic())):
            return 1
        end = None if duration_s is None else time.monotonic() + duration_s
        shown = time.monotonic()
        while end is None or time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.1)
            if time.monotonic() - shown >= 1:
                shown = time.monotonic()
                print(
                    f"average rate: {(len(times) - 1) / (times[-1] - times[0]):.3f}"
                    if len(times) > 1
                    else "no new messages",
                    flush=True,
                )
    return 0


def topic_echo(topic: str, once: bool) -> int:
    """Print messages as they come."""
    import rclpy

    with open_node() as node:
        messages: list[Any] = []
        if not _subscribe(node, topic, messages.append):
            return 1
        while True:
            rclpy.spin_once(node, timeout_sec=0.1)
            for message in messages:
                print("\n".join(_lines(message)) + "\n---", flush=True)
            if messages and once:
                return 0
            messages.clear()


def lifecycle_get(name: str) -> int:
    """Print the state of a lifecycle node."""
    from lifecycle_msgs.srv import GetState

    answer = _call(GetState, f"{name}/get_state", GetState.Request())
    if answer is None:
        return 1
    print(f"{answer.current_state.label} [{answer.current_state.id}]")
    return 0


def lifecycle_set(name: str, transition: str) -> int:
    """Ask a lifecycle node for a transition by its label."""
    from lifecycle_msgs.srv import ChangeState

    request = ChangeState.Request()
    request.transition.label = transition
    answer = _call(ChangeState, f"{name}/change_state", request)
    if answer is None:
        return 1
    print("Transitioning successful" if answer.success else "Transitioning failed")
    return 0 if answer.success else 1


def _call(service: Any, name: str, request: Any) -> Any:
    import rclpy

    with open_node() as node:
        client = node.create_client(service, name)
        if not client.wait_for_service(timeout_sec=DISCOVERY_S):
            print("Node not found")
            return None
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=LONG_CALL_S)
        if not future.done():
            print(f"no answer within {LONG_CALL_S:.0f} s")
            return None
        return future.result()


def _subscribe(node: Any, topic: str, callback: Callable[[Any], None]) -> bool:
    """Subscribe with the QoS that the publisher offers; False if nobody publishes the topic."""
    from rclpy.qos import QoSProfile

    end = time.monotonic() + DISCOVERY_S
    while not (offers := node.get_publishers_info_by_topic(topic)):
        if time.monotonic() > end:
            print(f"topic {topic} is not published")
            return False
        time.sleep(0.1)
    offered = offers[0].qos_profile
    profile = QoSProfile(depth=10, reliability=offered.reliability, durability=offered.durability)
    node.create_subscription(interface(offers[0].topic_type), topic, callback, profile)
    return True


def _lines(message: Any, indent: str = "") -> Iterator[str]:
    for name in message.get_fields_and_field_types():
        value = getattr(message, name)
        if hasattr(value, "get_fields_and_field_types"):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        elif not isinstance(value, (str, bytes)) and hasattr(value, "__len__"):
            yield from _list_lines(name, list(value[:SHOWN_ITEMS]), len(value), indent)
        else:
            yield f"{indent}{name}: {value!r}"


def _list_lines(name: str, shown: list[Any], total: int, indent: str) -> Iterator[str]:
    rest = f"  # the first {len(shown)} of {total}" if total > len(shown) else ""
    if shown and hasattr(shown[0], "get_fields_and_field_types"):
        yield f"{indent}{name}:{rest}"
        for item in shown:
            first, *others = _lines(item, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from others
    else:
        yield f"{indent}{name}: [{', '.join(str(item) for item in shown)}]{rest}"
