"""`ros2 VERB ...` with the command lines of the real one."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from ros2_stand_in import bag, graph, launch, record
from ros2_stand_in.packages import PackageNotFound, package_prefix


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = _parser().parse_args(argv)
    try:
        return args.call(args) or 0
    except (PackageNotFound, launch.LaunchError) as error:
        print(error)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ros2", description="Stand-in for the ros2 command: launch, run, pkg, topic, lifecycle, bag."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_processes(verbs)
    _add_topic(verbs.add_parser("topic", help="list, hz, echo").add_subparsers(required=True))
    _add_lifecycle(verbs.add_parser("lifecycle", help="get, set").add_subparsers(required=True))
    _add_bag(verbs.add_parser("bag", help="info, play, record").add_subparsers(required=True))
    return parser


def _add_processes(verbs: argparse._SubParsersAction) -> None:
    start = verbs.add_parser("launch", help="run a launch file: PACKAGE FILE or a path, then name:=value")
    start.add_argument("-s", "--show-args", action="store_true", help="show the arguments of the launch file")
    start.add_argument("words", nargs="+", metavar="PACKAGE FILE name:=value")
    start.set_defaults(call=lambda args: launch.launch(args.words, args.show_args))
    run = verbs.add_parser("run", help="run a program of a package")
    run.add_argument("package")
    run.add_argument("program")
    run.add_argument("rest", nargs=argparse.REMAINDER)
    run.set_defaults(call=_run)
    package = verbs.add_parser("pkg", help="prefix").add_subparsers(required=True).add_parser("prefix")
    package.add_argument("package")
    package.set_defaults(call=lambda args: print(package_prefix(args.package)))


def _add_topic(verbs: argparse._SubParsersAction) -> None:
    listing = verbs.add_parser("list", help="topics now")
    listing.add_argument("-t", "--show-types", action="store_true")
    listing.set_defaults(call=lambda args: graph.topic_list(args.show_types))
    rate = verbs.add_parser("hz", help="rate of a topic, every second")
    rate.add_argument("topic")
    rate.add_argument("--duration", type=float, default=None, help="end after this long [s]")
    rate.set_defaults(call=lambda args: graph.topic_hz(args.topic, args.duration))
    echo = verbs.add_parser("echo", help="messages of a topic; long lists are cut")
    echo.add_argument("topic")
    echo.add_argument("--once", action="store_true")
    echo.set_defaults(call=lambda args: graph.topic_echo(args.topic, args.once))


def _add_lifecycle(verbs: argparse._SubParsersAction) -> None:
    get = verbs.add_parser("get", help="state of a node")
    get.add_argument("node")
    get.set_defaults(call=lambda args: graph.lifecycle_get(args.node))
    change = verbs.add_parser("set", help="configure, activate, deactivate, cleanup, shutdown")
    change.add_argument("node")
    change.add_argument("transition")
    change.set_defaults(call=lambda args: graph.lifecycle_set(args.node, args.transition))


def _add_bag(verbs: argparse._SubParsersAction) -> None:
    info = verbs.add_parser("info", help="what a recording holds")
    info.add_argument("path")
    info.set_defaults(call=lambda args: bag.info(args.path))
    play = verbs.add_parser("play", help="publish a recording; starts when someone subscribes, or after --wait")
    play.add_argument("path")
    play.add_argument("-r", "--rate", type=float, default=1.0, help="speed, 1 is as recorded")
    play.add_argument("-d", "--delay", type=float, default=0.0, help="wait this long before the first message [s]")
    play.add_argument("-l", "--loop", action="store_true", help="start again at the end")
    play.add_argument("--topics", nargs="+", default=None, help="play only these")
    play.add_argument("--wait", type=float, default=5.0, help="longest wait for a subscriber [s]; 0: none")
    play.set_defaults(
        call=lambda args: bag.play(args.path, bag.Playback(args.rate, args.delay, args.loop, args.wait, args.topics))
    )
    keep = verbs.add_parser("record", help="write topics to a recording until Ctrl-C")
    keep.add_argument("topics", nargs="*")
    keep.add_argument("-a", "--all", action="store_true", help="every topic")
    keep.add_argument("-o", "--output", type=Path, default=None, help="folder of the recording")
    keep.add_argument("-s", "--storage", choices=("mcap", "sqlite3"), default="mcap")
    keep.set_defaults(call=lambda args: record.record(args.topics, args.all, args.output or _dated(), args.storage))


def _dated() -> Path:
    return Path(time.strftime("rosbag2_%Y_%m_%d-%H_%M_%S"))


def _run(args: argparse.Namespace) -> int:
    path = os.path.join(package_prefix(args.package), "lib", args.package, args.program)
    if not os.access(path, os.X_OK):
        print(f"no program {args.program} in package {args.package}")
        return 1
    os.execv(path, [path, *args.rest])


if __name__ == "__main__":
    raise SystemExit(main())
