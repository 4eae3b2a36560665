"""What rclpy would let end the process, and must not."""
from __future__ import annotations

from lifecycle_msgs.srv import ChangeState
from rclpy._rclpy_pybind11 import InvalidHandle, RCLError
from rclpy.executors import Executor
from rclpy.lifecycle import LifecycleNodeMixin


def spin(executor: Executor) -> None:
    """Work until shutdown. That a transition destroys a subscription while another thread waits for it is no error."""
    while True:
        try:
            executor.spin()
        except InvalidHandle:
            continue
        return


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
