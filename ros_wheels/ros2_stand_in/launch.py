"""`ros2 launch`: runs a launch file, its lifecycle events included."""
from __future__ import annotations

import importlib.util
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ros2_stand_in import launch_api
from ros2_stand_in.launch_api import ChangeState, DeclareLaunchArgument, LaunchContext, LaunchError, OnStateTransition
from ros2_stand_in.packages import package_prefix

__all__ = ["LaunchError", "launch"]


def launch(words: list[str], show_arguments: bool) -> int:
    """PACKAGE FILE or PATH, then name:=value; the largest exit code of the processes."""
    given = [word.split(":=", 1) for word in words if ":=" in word]
    places = [word for word in words if ":=" not in word]
    path = Path(places[0]) if len(places) == 1 else Path(package_prefix(places[0]), "share", places[0], "launch", places[1])
    if not path.is_file():
        raise LaunchError(f"no launch file {path}")
    launch_api.install()
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    actions = module.generate_launch_description().entities
    context = LaunchContext(dict(given))
    if show_arguments:
        return _show(actions, context)
    return _run(actions, context)


def _show(actions: list, context: LaunchContext) -> int:
    print("Arguments (pass as name:=value):")
    for action in actions:
        if isinstance(action, DeclareLaunchArgument):
            default = "required" if action.default is None else f"default: {launch_api.text(action.default, context)!r}"
            print(f"\n    {action.name}:\n        {action.description}\n        ({default})")
    return 0


def _run(actions: list, context: LaunchContext) -> int:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(f"launch_ros_{os.getpid()}")
    try:
        for action in actions:
            action.visit(context)
        _watch(node, context)
        change = _StateChanger(node, context)
        while not stop.is_set() and any(process.poll() is None for _, process in context.processes):
            rclpy.spin_once(node, timeout_sec=0.05)
            change.send()
    finally:
        _stop(context)
        node.destroy_node()
        rclpy.try_shutdown()
    return max((abs(process.returncode) for _, process in context.processes), default=0)


def _watch(node: object, context: LaunchContext) -> None:
    from lifecycle_msgs.msg import TransitionEvent

    def reaction(handler: OnStateTransition) -> Callable[[TransitionEvent], None]:
        def react(event: TransitionEvent) -> None:
            if handler.fits(event.start_state.label, event.goal_state.label):
                for action in handler.entities:
                    action.visit(context)
        return react

    for handler in context.handlers:
        node.create_subscription(TransitionEvent, handler.node.full_name(context) + "/transition_event", reaction(handler), 10)


class _StateChanger:
    """Sends the waiting state changes as soon as their node's service is there."""

    def __init__(self, node: object, context: LaunchContext) -> None:
        self._node, self._context = node, context
        self._clients: dict[str, object] = {}
        self._waiting: list[ChangeState] = []

    def send(self) -> None:
        from lifecycle_msgs.srv import ChangeState as Service

        while not self._context.events.empty():
            self._waiting.append(self._context.events.get())
        for event in list(self._waiting):
            name = event.node.full_name(self._context) + "/change_state"
            if name not in self._clients:
                self._clients[name] = self._node.create_client(Service, name)
            if self._clients[name].service_is_ready():
                request = Service.Request()
                request.transition.id = event.transition_id
                self._clients[name].call_async(request)
                self._waiting.remove(event)


def _stop(context: LaunchContext) -> None:
    for number, seconds in launch_api.STOP_SIGNALS:
        alive = [process for _, process in context.processes if process.poll() is None]
        for process in alive:
            os.killpg(process.pid, number)
        end = time.monotonic() + seconds
        while any(process.poll() is None for process in alive) and time.monotonic() < end:
            time.sleep(0.02)
    for label, process in context.processes:
        print(f"[INFO] [{label}]: process has finished, exit code {process.returncode}", flush=True)
