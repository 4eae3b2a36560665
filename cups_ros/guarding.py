"""How the node is spun: its images apart from all else, and nothing that rclpy raises on the way ends the process."""

from __future__ import annotations

import threading
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.callback_groups import CallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNodeMixin
from rclpy.node import Node

from cups_ros.pacing import keep_memory, take_short_turns

THREADS = 3  # of all else: transitions, diagnostics, parameters
LOOK_S = 0.2  # for new subscriptions


class _OneGroup(SingleThreadedExecutor):
    """Works on one callback group of a node: few things to wait for, so that a message is quickly there."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        super().__init__(context=node.context)
        self._node, self._group = node, group

    def get_nodes(self) -> list[Node]:
        return [self._node]

    def can_execute(self, entity: Any) -> bool:
        return entity.callback_group is self._group and super().can_execute(entity)


class _AllElse(MultiThreadedExecutor):
    """Works on everything of a node but one callback group."""

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        super().__init__(THREADS, context=node.context)
        self._group = group
        self.add_node(node)

    def can_execute(self, entity: Any) -> bool:
        return entity.callback_group is not self._group and super().can_execute(entity)


class Spinning:
    """Spins a node until shutdown: the callback group of its inputs in a thread of its own, the rest beside it.

    That a transition destroys a subscription while another thread waits for it is no error.
    """

    def __init__(self, node: Node, inputs: CallbackGroup) -> None:
        self._inputs, self._rest = _OneGroup(node, inputs), _AllElse(node, inputs)
        self._stopping = threading.Event()
        self._context = node.context

    def spin(self) -> None:
        """Work until ROS or this is shut down."""
        keep_memory()
        take_short_turns()
        thread = threading.Thread(target=self._spin_inputs, name="inputs", daemon=True)
        thread.start()
        try:
            while not self._stopping.is_set() and self._context.ok():
                try:
                    self._rest.spin()
                except InvalidHandle:
                    continue
                except RCLError:
                    if self._context.ok():  # else a signal ended it between rclpy's look at it and its use
                        raise
        finally:
            self._stopping.set()
            thread.join(2 * LOOK_S)

    def shutdown(self) -> None:
        """End `spin`."""
        self._stopping.set()
        self._rest.shutdown()

    def _spin_inputs(self) -> None:
        while not self._stopping.is_set() and self._context.ok():
            try:
                self._inputs.spin_once(timeout_sec=LOOK_S)
            except InvalidHandle:
                continue
            except ExternalShutdownException:
                return
            except RCLError:
                if self._context.ok():  # else a signal ended it between rclpy's look at it and its use
                    raise


def refuse_wrong_transitions(node: LifecycleNodeMixin) -> None:
    """Answer a transition that the state does not allow with "no"."""
    change = node._service_change_state.callback

    def change_or_refuse(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        try:
            return change(request, response)
        except RCLError as error:
            node.get_logger().warning(f"transition refused: {str(error).splitlines()[0]}")
            response.success = False
            return response

    node._service_change_state.callback = change_or_refuse
