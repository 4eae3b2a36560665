"""The names of `launch` about processes that end, with the meaning they have there: for launch files that look at exit
codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ros2_stand_in.launch_api import Action
from ros2_stand_in.launch_context import LaunchContext, ProcessExited


class OnProcessExit:
    """`on_exit(event, context)` gives the actions to execute when the process of `target_action` has ended."""

    def __init__(self, *, target_action: Action, on_exit: Callable[[ProcessExited, LaunchContext], Any]) -> None:
        self.target, self.on_exit = target_action, on_exit


class RegisterEventHandler(Action):
    def __init__(self, event_handler: OnProcessExit, **rest: Any) -> None:
        super().__init__(**rest)
        self.handler = event_handler

    def execute(self, context: LaunchContext) -> None:
        def on_exit(event: ProcessExited) -> None:
            if event.action is self.handler.target:
                for action in self.handler.on_exit(event, context) or ():
                    action.visit(context)

        context.exit_handlers.append(on_exit)


def matches_action(target: Action) -> Callable[[Action], bool]:
    return lambda action: action is target


class ShutdownProcess:
    """Ends the matching processes; one that has ended is not started anew."""

    def __init__(self, *, process_matcher: Callable[[Action], bool]) -> None:
        self.matches = process_matcher


class EmitEvent(Action):
    def __init__(self, *, event: ShutdownProcess, **rest: Any) -> None:
        super().__init__(**rest)
        self.event = event

    def execute(self, context: LaunchContext) -> None:
        for process in context.processes:
            if self.event.matches(process.action):
                process.shut_down()
