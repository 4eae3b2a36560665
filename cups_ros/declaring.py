"""The table of parameters in the words of ROS, and the log of our modules in the node's log."""

from __future__ import annotations

import logging
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.parameter import Parameter as RosParameter

from cups_ros.settings import PARAMETERS, Parameter, Value

WHEN = {
    "start": "read when the process starts",
    "configure": "read at configure",
    "activate": "read at activate",
    "image": "changes at once",
}
_TABLE = {parameter.name: parameter for parameter in PARAMETERS}


def descriptor(parameter: Parameter) -> ParameterDescriptor:
    """Text, range or choices, and when the parameter is read."""
    constraints = "; ".join(part for part in (", ".join(parameter.choices), WHEN[parameter.when]) if part)
    described = ParameterDescriptor(
        description=parameter.text,
        additional_constraints=constraints,
        read_only=parameter.when == "start",
        dynamic_typing=parameter.is_float,  # check_parameters looks after the type instead: 10 is taken for 10.0
    )
    if parameter.low is None or parameter.high is None:
        return described
    if isinstance(parameter.default, int):
        described.integer_range = [IntegerRange(from_value=int(parameter.low), to_value=int(parameter.high))]
    else:
        described.floating_point_range = [FloatingPointRange(from_value=parameter.low, to_value=parameter.high)]
    return described


def check_parameters(parameters: list[RosParameter]) -> SetParametersResult:
    """Refuses values that are not among the choices, or no number where one is due; rclpy itself checks the rest."""
    for parameter in parameters:
        refusal = _TABLE[parameter.name].refusal(parameter.value) if parameter.name in _TABLE else ""
        if refusal:
            return SetParametersResult(successful=False, reason=refusal)
    return SetParametersResult(successful=True)


def value_of(node: Any, name: str) -> Value:
    """The value of a parameter in the type of its default."""
    value: Value = node.get_parameter(name).value
    return float(value) if _TABLE[name].is_float else value


class RosLog(logging.Handler):
    """Passes Python's log records on to a node's logger."""

    def __init__(self, logger: Any) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._logger.error(text)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(text)
        else:
            self._logger.info(text)
