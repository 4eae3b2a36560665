"""Lifecycle node: images in, panoptic maps out. Parameters and transitions; what hears messages is in `listening`, what
becomes of an image in `answering`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy._rclpy_pybind11 import RCLError
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import Clock, ClockChange, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage

from cups_ros.declaring import RosLog, check_parameters, descriptor, value_of
from cups_ros.diagnostics import diagnostics_message
from cups_ros.engines import ENGINES
from cups_ros.guarding import Spinning, refuse_wrong_transitions
from cups_ros.health import Health, Snapshot
from cups_ros.inputs import Receivers
from cups_ros.listening import Listening
from cups_ros.model import load_model
from cups_ros.outputs import Outputs
from cups_ros.recovery import Infers, LastingModel
from cups_ros.settings import PARAMETERS, Live, Value
from cups_ros.watchdog import Watchdog


class PanopticNode(LifecycleNodeMixin, Node):
    """Answers images on `image` with cups/panoptic, newest first, from the exported model named by the parameter
    `model`."""

    def __init__(
        self, load: Callable[..., Infers] = load_model, health: Callable[[float], Health] = Health, **options: Any
    ) -> None:
        """`load(folder, engines=, threads=)` gives a model, `health(stale_after_s)` counters; options are those of
        rclpy's Node."""
        Node.__init__(self, "panoptic_node", **options)
        # Loading may take minutes; diagnostics and parameters are served meanwhile.
        LifecycleNodeMixin.__init__(self, callback_group=ReentrantCallbackGroup())
        self.add_on_set_parameters_callback(check_parameters)
        for parameter in PARAMETERS:
            self.declare_parameter(parameter.name, parameter.default, descriptor(parameter))
        self.inputs_group = MutuallyExclusiveCallbackGroup()
        self._load, self._new_health = load, lambda: health(float(self._value("stale_after_s")))
        self._health = self._new_health()
        self._state, self._since = "unconfigured", time.monotonic()
        self._model: LastingModel | None = None
        self._outputs: Outputs | None = None
        self._listening: Listening | None = None
        self._watchdog = Watchdog(self.get_logger())
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._every_second, callback_group=MutuallyExclusiveCallbackGroup(), clock=steady)
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jumps = self.get_clock().create_jump_callback(threshold, post_callback=self._on_clock_jump)
        refuse_wrong_transitions(self)
        self._log = RosLog(self.get_logger())
        logging.getLogger("cups_ros").addHandler(self._log)
        logging.getLogger("cups_ros").setLevel(logging.INFO)
        if self._value("autostart"):
            self._autostart = self.create_timer(0.0, self._start, callback_group=ReentrantCallbackGroup(), clock=steady)

    # Transitions. rclpy hides exceptions of these callbacks, so that each reports its own.

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and announce its classes."""
        self._enter("configuring")
        self._health = self._new_health()
        try:
            self._model = LastingModel(self._load_model)
            self._outputs = Outputs(self, self._value, self._model.model.classes, self._on_trouble)
        except Exception as error:  # whatever is wrong with the model, the node lives on and says so
            self._release()
            return self._refuse(f"cannot load the model: {error}")
        model = self._model.model
        self._outputs.announce(model.name, self._score_threshold(), self._now())
        height, width = model.input_size
        self.get_logger().info(
            f"model {model.name}: input {width}x{height}, {model.engine}, {len(model.classes)} classes"
        )
        return self._enter("inactive")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to listen to images."""
        if self._model is None or self._outputs is None:  # configure gives them
            return TransitionCallbackReturn.ERROR
        try:
            self._listen(self._model, self._outputs)
        except Exception as error:  # a middleware that lacks what we ask for, a name that cannot be one of a topic
            self._stop()
            self._on_trouble(f"cannot listen to images: {error}")
            return TransitionCallbackReturn.FAILURE
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

    # Messages

    def on_image(self, message: Image | CompressedImage) -> None:
        """An image came."""
        if (listening := self._listening) is not None:
            listening.image(message)

    def on_camera_info(self, message: CameraInfo) -> None:
        """A camera_info came."""
        if (listening := self._listening) is not None:
            listening.camera_info(message)

    def on_depth(self, message: Image | DisparityImage) -> None:
        """A depth or disparity image came."""
        if (listening := self._listening) is not None:
            listening.depth(message)

    def _on_trouble(self, text: str) -> None:
        self._health.error(text)
        self.get_logger().warning(text)

    def _on_clock_jump(self, jump: TimeJump) -> None:
        listening, back = self._listening, jump.delta.nanoseconds < 0
        if listening is not None and (back or jump.clock_change != ClockChange.ROS_TIME_NO_CHANGE):
            listening.clock_jumped()

    # Once a second

    def _every_second(self) -> None:
        now = time.monotonic()
        self._health.stale_after_s = float(self._value("stale_after_s"))
        silent = self._state == "active" and self._health.silent_s(now, self._since) > self._health.stale_after_s
        inputs, worker = (listening.inputs, listening.worker) if (listening := self._listening) else (None, None)
        self._watchdog.inputs(self._health, silent, inputs)
        self._watchdog.engine(float(self._value("engine_timeout_s")), worker, self._model)
        if self._outputs is not None:
            self._outputs.announce_threshold(self._score_threshold(), self._now())
        model = self._model.model if self._model is not None else None
        facts = {"state": self._state, "model": model.name if model else "", "engine": model.engine if model else ""}
        report = self._health.report(now, self._state, self._since)
        self._diagnostics.publish(
            diagnostics_message(self.get_fully_qualified_name().lstrip("/"), report, facts, self._now())
        )

    # Pieces

    def _listen(self, model: LastingModel, outputs: Outputs) -> None:
        self._listening = Listening(self, self._value, model, outputs, self._health)
        receivers = Receivers(
            self.on_image, self.on_camera_info, self.on_depth, partial(self._health.count, "lost"), self._on_trouble
        )
        topic = self._listening.subscribe(receivers, self.inputs_group)
        self._enter("active")
        self.get_logger().info(f"listening to {topic}")

    def snapshot(self) -> Snapshot:
        """What the node is doing now; from any thread."""
        health, outputs, listening = self._health, self._outputs, self._listening
        return Snapshot(
            self._state,
            health.counts,
            health.last_error,
            outputs.wanted() if outputs is not None else (),
            listening is None or listening.worker.idle(),
            listening.lens if listening is not None else None,
        )

    def close(self) -> None:
        """Stop the worker and destroy the node; after a signal, when the context may be gone already."""
        self._stop()
        self._outputs = None
        logging.getLogger("cups_ros").removeHandler(self._log)
        self.destroy_node()

    def _start(self) -> None:
        self._autostart.cancel()
        try:
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()
        except RCLError as error:  # someone else has changed the state meanwhile
            self.get_logger().warning(f"autostart ends: {str(error).splitlines()[0]}")

    def _load_model(self) -> Infers:
        folder = str(self._value("model"))
        if not folder:
            raise ValueError("no model: set the parameter `model` to an exported model folder")
        engines = tuple(name.strip() for name in str(self._value("engines")).split(",") if name.strip())
        return self._load(Path(folder).expanduser(), engines=engines or ENGINES, threads=int(self._value("threads")))

    def _score_threshold(self) -> float:
        return Live.read(self._value).thresholds(self._model.thresholds).score if self._model is not None else 0.0

    def _value(self, name: str) -> Value:
        return value_of(self, name)

    def _now(self) -> Header:
        return Header(stamp=self.get_clock().now().to_msg())

    def _enter(self, state: str) -> TransitionCallbackReturn:
        self._state, self._since = state, time.monotonic()
        return TransitionCallbackReturn.SUCCESS

    def _refuse(self, text: str) -> TransitionCallbackReturn:
        self._enter("unconfigured")
        self._health.fault(text)
        self.get_logger().error(text)
        return TransitionCallbackReturn.FAILURE

    def _stop(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self._listening = None

    def _release(self) -> None:
        self._stop()
        if self._outputs is not None:
            self._outputs.close()
        if self._model is not None:
            self._model.close()
        self._outputs = self._model = None


def main(args: list[str] | None = None, load: Callable[..., Infers] = load_model) -> int:
    """Run the node until SIGINT or SIGTERM; the exit code."""
    node = None
    try:
        rclpy.init(args=args)
        node = PanopticNode(load)
        Spinning(node, node.inputs_group).spin()
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


if __name__ == "__main__":
    raise SystemExit(main())
