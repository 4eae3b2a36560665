"""Lifecycle node: images in, panoptic maps out. Parameters, subscription, publishers; the work is in model, messages and colors."""
from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy._rclpy_pybind11 import RCLError
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter as RosParameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cups_ros import messages
from cups_ros.colors import overlay
from cups_ros.health import ERROR, OK, Health
from cups_ros.model import Model, load_model
from cups_ros.msg import LabelInfo, PanopticImage
from cups_ros.settings import PARAMETERS, Parameter
from cups_ros.worker import NewestWorker

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

STOP_TIMEOUT_S = 10.0
REPEATED_LOG_S = 5.0


class Frame(NamedTuple):
    """An image message and when it came, in seconds of the monotonic clock."""

    message: Image | CompressedImage
    arrival: float


class PanopticNode(LifecycleNode):
    """Answers images on `image` with cups/panoptic, newest first, from the exported model named by the parameter `model`."""

    def __init__(self) -> None:
        super().__init__("panoptic_node")
        self.add_on_set_parameters_callback(_check_parameters)
        for parameter in PARAMETERS:
            self.declare_parameter(parameter.name, parameter.default, _descriptor(parameter))
        self._health = Health(float(self._value("stale_after_s")))
        self._state, self._since = "unconfigured", time.monotonic()
        self._model: Model | None = None
        self._worker: NewestWorker[Frame] | None = None
        self._images = None
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._refuse_wrong_transitions()

    # Transitions. rclpy hides exceptions of these callbacks, so that each reports its own.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and announce its classes."""
        self._health = Health(float(self._value("stale_after_s")))
        folder = str(self._value("model"))
        try:
            if not folder:
                raise ValueError("no model: set the parameter `model` to an exported model folder")
            self._model = load_model(Path(folder).expanduser())
            self._model.infer(np.zeros((*self._model.input_size, 3), np.uint8))  # the first run of an engine is slow
        except Exception as error:  # whatever is wrong with the model, the node lives on and says so
            return self._refuse(f"cannot load the model: {error}")
        latched = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._label_info = self.create_publisher(LabelInfo, "cups/label_info", latched)
        self._panoptic = self.create_lifecycle_publisher(PanopticImage, "cups/panoptic", self._qos("panoptic"))
        self._overlay = self.create_lifecycle_publisher(Image, "cups/overlay", 1)
        header = Header(stamp=self.get_clock().now().to_msg())
        self._label_info.publish(messages.label_info_message(self._model.classes, self._model.name, header))
        height, width = self._model.input_size
        self.get_logger().info(f"model {self._model.name}: input {width}x{height}, {self._model.engine}, {len(self._model.classes)} classes")
        return self._enter("inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen to images."""
        model, alpha = self._model, float(self._value("overlay_alpha"))
        if model is None:  # configure gives one
            return TransitionCallbackReturn.ERROR
        self._worker = NewestWorker(lambda frame: self._answer(frame, model, alpha))
        compressed = self._value("input_transport") == "compressed"
        topic = self.resolve_topic_name("image")
        if compressed and not topic.endswith("/compressed"):
            topic += "/compressed"
        events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos, message_lost=self._on_lost)
        self._images = self.create_subscription(
            CompressedImage if compressed else Image, topic, self._on_image, self._qos("image"), event_callbacks=events)
        self.get_logger().info(f"listening to {topic}")
        self._enter("active")
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to listen; the image in work is still answered."""
        self._stop()
        self._enter("inactive")
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the model."""
        self._release()
        return self._enter("unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and forget everything."""
        self._release()
        return self._enter("finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, from where the node can be configured again."""
        self._release()
        return self._enter("unconfigured")

    # Images

    def _on_image(self, message: Image | CompressedImage) -> None:
        now = time.monotonic()
        self._health.image(now)
        if self._worker is not None and self._worker.offer(Frame(message, now)):
            self._health.count("dropped")

    def _answer(self, frame: Frame, model: Model, alpha: float) -> None:
        """Answer one image, in the worker's thread."""
        wants_overlay = self._overlay.get_subscription_count() > 0
        if not wants_overlay and self._panoptic.get_subscription_count() == 0:
            self._health.count("unasked")
            return
        try:
            image = messages.rgb_from(frame.message)
            panoptic = model.infer(image)
            self._panoptic.publish(messages.panoptic_message(panoptic, frame.message.header))
            now = time.monotonic()
            self._health.answer(now, now - frame.arrival)
            if wants_overlay:
                picture = overlay(image, panoptic, model.classes, alpha)
                self._overlay.publish(messages.image_message(picture, "rgb8", frame.message.header))
        except messages.MessageError as error:
            self._report("malformed", f"malformed image: {error}")
        except Exception as error:  # one bad frame must not end the node
            if self.context.ok():
                self._report("failed", f"{type(error).__name__}: {error}")

    def _report(self, count: str, text: str) -> None:
        self._health.count(count, error=text)
        self.get_logger().error(text, throttle_duration_sec=REPEATED_LOG_S)

    def _on_lost(self, status: Any) -> None:
        self._health.count("lost", status.total_count_change)

    def _on_incompatible_qos(self, status: Any) -> None:
        text = "a publisher of images offers another QoS than asked for: set image_reliability to best_effort"
        self._health.error(text)
        self.get_logger().warning(text)

    # Diagnostics

    def _publish_diagnostics(self) -> None:
        report = self._health.report(time.monotonic(), self._state, self._since)
        level = {OK: DiagnosticStatus.OK, ERROR: DiagnosticStatus.ERROR}.get(report.level, DiagnosticStatus.WARN)
        values = {"state": self._state, "model": self._model.name if self._model else "", "engine": self._model.engine if self._model else "",
                  "rate_hz": f"{report.rate_hz:.2f}", "latency_p50_ms": _milliseconds(report.p50_ms),
                  "latency_p99_ms": _milliseconds(report.p99_ms), **{name: str(n) for name, n in vars(report.counts).items()},
                  "last_error": report.last_error}
        status = DiagnosticStatus(level=level, name=f"{self.get_name()}: panoptic", hardware_id=values["engine"], message=report.summary,
                                  values=[KeyValue(key=key, value=value) for key, value in values.items()])
        self._diagnostics.publish(DiagnosticArray(header=Header(stamp=self.get_clock().now().to_msg()), status=[status]))

    # Pieces

    def close(self) -> None:
        """Stop the worker and destroy the node; after a signal, when the context may be gone already."""
        self._stop()
        self.destroy_node()

    def _value(self, name: str) -> str | int | float:
        return self.get_parameter(name).value

    def _qos(self, kind: str) -> QoSProfile:
        reliable = self._value(f"{kind}_reliability") == "reliable"
        return QoSProfile(depth=self._value(f"{kind}_depth"),
                          reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT)

    def _enter(self, state: str) -> TransitionCallbackReturn:
        self._state, self._since = state, time.monotonic()
        return TransitionCallbackReturn.SUCCESS

    def _refuse(self, text: str) -> TransitionCallbackReturn:
        self._model = None
        self._health.fault(text)
        self.get_logger().error(text)
        return TransitionCallbackReturn.FAILURE

    def _stop(self) -> None:
        if self._images is not None:
            self.destroy_subscription(self._images)
            self._images = None
        if self._worker is not None:
            self._health.count("dropped", self._worker.stop(STOP_TIMEOUT_S))
            self._worker = None

    def _release(self) -> None:
        self._stop()
        if self._model is not None:
            self.destroy_publisher(self._label_info)
            self.destroy_lifecycle_publisher(self._panoptic)
            self.destroy_lifecycle_publisher(self._overlay)
            self._model = None

    def _refuse_wrong_transitions(self) -> None:
        """Answer a transition that the state does not allow with "no": rclpy's own callback would end the process."""
        change = self._service_change_state.callback

        def change_or_refuse(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
            try:
                return change(request, response)
            except RCLError as error:
                self.get_logger().warning(f"transition refused: {str(error).splitlines()[0]}")
                response.success = False
                return response

        self._service_change_state.callback = change_or_refuse


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code."""
    node = None
    try:
        rclpy.init(args=args)
        node = PanopticNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        print(f"panoptic_node: {error}", file=sys.stderr)
        return 2
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    return 0


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=parameter.text, additional_constraints=", ".join(parameter.choices))
    if parameter.low is None or parameter.high is None:
        return descriptor
    if isinstance(parameter.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(parameter.low), to_value=int(parameter.high))]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=parameter.low, to_value=parameter.high)]
    return descriptor


def _check_parameters(parameters: list[RosParameter]) -> SetParametersResult:
    table = {parameter.name: parameter for parameter in PARAMETERS}
    for parameter in parameters:
        refusal = table[parameter.name].refusal(parameter.value) if parameter.name in table else ""
        if refusal:
            return SetParametersResult(successful=False, reason=refusal)
    return SetParametersResult(successful=True)


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
