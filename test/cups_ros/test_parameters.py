"""The parameters as another program sees them: over the node's services."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, ListParameters

from cups_ros.declaring import WHEN
from cups_ros.settings import PARAMETERS

Running = Callable[..., AbstractContextManager[Any]]
ROS_OWN = ("use_sim_time", "start_type_description_service")  # what rclpy declares by itself


def call(graph: Any, service: type, name: str, request: Any) -> Any:
    client = graph.peer.create_client(service, f"/panoptic_node/{name}")
    graph.until(client.service_is_ready)
    future = client.call_async(request)
    graph.until(future.done)
    return future.result()


def test_every_parameter_is_declared_with_text_range_and_time_of_reading(running: Running, model_folder: Path) -> None:
    with running(model_folder, autostart=False) as graph:
        names = call(graph, ListParameters, "list_parameters", ListParameters.Request()).result.names
        assert {name for name in names if name not in ROS_OWN} == {p.name for p in PARAMETERS}
        request = DescribeParameters.Request(names=[p.name for p in PARAMETERS])
        described: list[ParameterDescriptor] = call(
            graph, DescribeParameters, "describe_parameters", request
        ).descriptors
        for parameter, told in zip(PARAMETERS, described, strict=True):
            assert told.description == parameter.text and told.additional_constraints.endswith(WHEN[parameter.when])
            assert all(choice in told.additional_constraints for choice in parameter.choices)
            assert told.read_only == (parameter.when == "start")
            ranges = [(r.from_value, r.to_value) for r in (*told.integer_range, *told.floating_point_range)]
            assert ranges == ([(parameter.low, parameter.high)] if parameter.low is not None else []), parameter.name
            numeric = isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool)
            assert numeric == bool(ranges), parameter.name  # every number has a range


def test_every_number_refuses_what_lies_outside_its_range_and_no_number(running: Running, model_folder: Path) -> None:
    with running(model_folder, autostart=False) as graph:
        for parameter in PARAMETERS:
            if parameter.low is not None and parameter.high is not None:
                kind = type(parameter.default)
                assert graph.set(**{parameter.name: kind(parameter.low)}) and graph.set(
                    **{parameter.name: kind(parameter.high)}
                ), parameter.name
                assert not graph.set(**{parameter.name: kind(parameter.low - 1)}) and not graph.set(
                    **{parameter.name: kind(parameter.high + 1)}
                )
                assert kind is int or not graph.set(**{parameter.name: float("nan")}), parameter.name
                assert not graph.set(**{parameter.name: "1"}) and not graph.set(**{parameter.name: True}), (
                    parameter.name
                )
            elif parameter.choices:
                assert all(graph.set(**{parameter.name: choice}) for choice in parameter.choices)
                assert not graph.set(**{parameter.name: "anything"}), parameter.name
            elif parameter.when == "start":
                assert not graph.set(**{parameter.name: True}), parameter.name


def test_a_whole_number_is_taken_for_a_float_from_a_file_and_while_running(
    running: Running, model_folder: Path
) -> None:
    with running(model_folder, autostart=False, max_rate_hz=10, depth_max_m=60) as graph:
        assert [graph.node._value(name) for name in ("max_rate_hz", "depth_max_m")] == [10.0, 60.0]
        assert all(isinstance(graph.node._value(p.name), type(p.default)) for p in PARAMETERS)
        assert graph.set(max_rate_hz=20) and not graph.set(max_rate_hz=-1) and not graph.set(max_rate_hz=1001)
        assert not graph.set(threads=2.0)  # the other way round nothing is guessed
        assert graph.node._value("max_rate_hz") == 20.0
