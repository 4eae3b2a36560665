"""The names of `launch` and `launch_ros` that our launch files use, with the meaning they have there."""

from __future__ import annotations

import os
import sys
import tempfile
import types
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import yaml

from ros2_stand_in.launch_context import LaunchContext, LaunchError, Process, text
from ros2_stand_in.packages import package_prefix


class LaunchConfiguration:
    def __init__(self, variable_name: Any, default: Any = None) -> None:
        self.name, self.default = variable_name, default

    def perform(self, context: LaunchContext) -> str:
        value = context.launch_configurations.get(text(self.name, context), self.default)
        if value is None:
            raise LaunchError(f"launch configuration '{self.name}' does not exist")
        return text(value, context)


class EnvironmentVariable:
    def __init__(self, name: Any, *, default_value: Any = None) -> None:
        self.name, self.default = name, default_value

    def perform(self, context: LaunchContext) -> str:
        value = context.environment.get(text(self.name, context), self.default)
        if value is None:
            raise LaunchError(f"environment variable '{self.name}' does not exist")
        return text(value, context)


class PathJoinSubstitution:
    def __init__(self, substitutions: list) -> None:
        self.parts = substitutions

    def perform(self, context: LaunchContext) -> str:
        return os.path.join(*[text(part, context) for part in self.parts])


class FindPackageShare:
    def __init__(self, package: Any) -> None:
        self.package = package

    def perform(self, context: LaunchContext) -> str:
        name = text(self.package, context)
        return os.path.join(package_prefix(name), "share", name)


class IfCondition:
    wanted = True

    def __init__(self, predicate: Any) -> None:
        self.predicate = predicate

    def evaluate(self, context: LaunchContext) -> bool:
        return (text(self.predicate, context).strip().lower() in ("true", "1")) is self.wanted


class UnlessCondition(IfCondition):
    wanted = False


class Action(ABC):
    def __init__(self, *, condition: IfCondition | None = None, **_: Any) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> None:
        if self.condition is None or self.condition.evaluate(context):
            self.execute(context)

    @abstractmethod
    def execute(self, context: LaunchContext) -> None: ...


class DeclareLaunchArgument(Action):
    def __init__(
        self,
        name: str,
        *,
        default_value: Any = None,
        description: str = "",
        choices: list[str] | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.name, self.default, self.description, self.choices = name, default_value, description, choices

    def execute(self, context: LaunchContext) -> None:
        given = context.launch_configurations
        if self.name not in given:
            if self.default is None:
                raise LaunchError(f"launch argument {self.name}:= is required ({self.description})")
            given[self.name] = text(self.default, context)
        if self.choices and given[self.name] not in self.choices:
            raise LaunchError(f"launch argument {self.name}:={given[self.name]}: expected one of {self.choices}")


class SetEnvironmentVariable(Action):
    def __init__(self, name: Any, value: Any, **rest: Any) -> None:
        super().__init__(**rest)
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        context.environment[text(self.name, context)] = text(self.value, context)


class OpaqueFunction(Action):
    def __init__(self, *, function: Any, **rest: Any) -> None:
        super().__init__(**rest)
        self.function = function

    def execute(self, context: LaunchContext) -> None:
        for action in self.function(context) or ():
            action.visit(context)


class ExecuteProcess(Action):
    def __init__(
        self,
        *,
        cmd: list | None = None,
        output: Any = None,
        name: Any = None,
        respawn: bool = False,
        respawn_delay: float | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.cmd, self.name = cmd or [], name
        self.respawn_delay_s = (respawn_delay or 0.0) if respawn else None

    def command(self, context: LaunchContext) -> list[str]:
        return [text(word, context) for word in self.cmd]

    def execute(self, context: LaunchContext) -> None:
        command = self.command(context)
        label = f"{Path(command[0]).name}-{len(context.processes) + 1}"
        context.processes.append(Process(label, command, self, context))


class PythonLaunchDescriptionSource:
    def __init__(self, location: Any) -> None:
        self.location = location


class IncludeLaunchDescription(Action):
    """Another launch file, with arguments of its own."""

    def __init__(
        self, launch_description_source: PythonLaunchDescriptionSource, *, launch_arguments: Any = (), **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.source, self.arguments = launch_description_source, launch_arguments

    def execute(self, context: LaunchContext) -> None:
        from ros2_stand_in.launch import load

        context.launch_configurations.update(
            {text(name, context): text(value, context) for name, value in self.arguments}
        )
        for action in load(Path(text(self.source.location, context))):
            action.visit(context)


class ParameterValue:
    def __init__(self, value: Any, *, value_type: type | None = None) -> None:
        self.value, self.value_type = value, value_type

    def evaluate(self, context: LaunchContext) -> Any:
        written = text(self.value, context)
        return yaml.safe_load(written) if self.value_type is None else self.value_type(written)


class Node(ExecuteProcess):
    def __init__(
        self,
        *,
        package: Any,
        executable: Any,
        namespace: Any = "",
        parameters: Any = (),
        remappings: Any = (),
        arguments: Any = (),
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.package, self.executable, self.namespace = package, executable, namespace
        self.parameters, self.remappings, self.arguments = parameters, remappings, arguments

    def full_name(self, context: LaunchContext) -> str:
        parts = (text(self.namespace, context).strip("/"), text(self.name, context))
        return "/" + "/".join(part for part in parts if part)

    def command(self, context: LaunchContext) -> list[str]:
        package = text(self.package, context)
        command = [os.path.join(package_prefix(package), "lib", package, text(self.executable, context))]
        command += [*(text(word, context) for word in self.arguments), "--ros-args"]
        if self.name:
            command += ["-r", "__node:=" + text(self.name, context)]
        namespace = text(self.namespace, context).strip("/")
        if namespace:
            command += ["-r", "__ns:=/" + namespace]
        for item in self.parameters:
            command += ["--params-file", self._file(item, context) if isinstance(item, dict) else text(item, context)]
        for source, target in self.remappings:
            command += ["-r", f"{text(source, context)}:={text(target, context)}"]
        return command

    def _file(self, values: dict[str, Any], context: LaunchContext) -> str:
        plain = {
            name: value.evaluate(context)
            if isinstance(value, ParameterValue)
            else yaml.safe_load(value.perform(context))
            if hasattr(value, "perform")
            else value
            for name, value in values.items()
        }
        with tempfile.NamedTemporaryFile("w", prefix="launch_params_", suffix=".yaml", delete=False) as file:
            yaml.safe_dump({self.full_name(context) if self.name else "/**": {"ros__parameters": plain}}, file)
        return file.name


class LifecycleNode(Node):
    pass


class LaunchDescription:
    def __init__(self, initial_entities: Any = ()) -> None:
        self.entities = list(initial_entities)


def install() -> None:
    """Make the names importable as `launch` and `launch_ros`."""
    from ros2_stand_in import launch_events as events

    modules = {
        "launch": (LaunchContext, LaunchDescription),
        "launch.action": (Action,),
        "launch.actions": (
            DeclareLaunchArgument,
            events.EmitEvent,
            ExecuteProcess,
            IncludeLaunchDescription,
            OpaqueFunction,
            events.RegisterEventHandler,
            SetEnvironmentVariable,
        ),
        "launch.event_handlers": (events.OnProcessExit,),
        "launch.events": (events.matches_action,),
        "launch.events.process": (events.ShutdownProcess,),
        "launch.conditions": (IfCondition, UnlessCondition),
        "launch.launch_description_sources": (PythonLaunchDescriptionSource,),
        "launch.substitutions": (EnvironmentVariable, LaunchConfiguration, PathJoinSubstitution),
        "launch_ros": (),
        "launch_ros.actions": (LifecycleNode, Node),
        "launch_ros.parameter_descriptions": (ParameterValue,),
        "launch_ros.substitutions": (FindPackageShare,),
    }
    for name, members in modules.items():
        module = types.ModuleType(name)
        module.__path__ = []
        module.__dict__.update({member.__name__: member for member in members})
        sys.modules[name] = module
