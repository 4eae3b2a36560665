"""`cups-train`: verb -> function; nothing else. Settings are read when they are asked for; what the functions do is in
`commands`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from cups_train import __version__, cli_arguments, commands
from cups_train.errors import CupsError, briefly
from cups_train.world import drop_output, open_streams, sentence_of

logger = logging.getLogger("cups_train")
TORCHRUN = {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}  # and the least of each
REPORT = "this is a fault of cups and none of yours; please report it with the lines above to the project's issues"


@dataclass(frozen=True)
class Command:
    """One verb."""

    call: Callable[[argparse.Namespace], None]
    text: str
    arguments: Callable[[argparse.ArgumentParser], None]
    sections: tuple[str, ...] = ()  # of the settings, those that its help explains
    on_many_gpus: bool = False  # may be started by torchrun
    on_a_cluster: bool = False  # gives its work on single frames to other machines


class _Parser(argparse.ArgumentParser):
    """Wrong use is one sentence and exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see `{self.prog} --help`)\n")


class _ShowSettings(argparse.Action):
    """Prints the settings of a command; they are looked up where they are asked for, since that takes longer than all
    else here."""

    def __init__(self, *, sections: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **kwargs)
        self.sections = sections

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(_settings_text(self.sections))
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    open_streams()
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        with _all_ends_like_interrupts():
            _call(args)
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _ended(args, "interrupted; the same command goes on where it stopped", 130)
    except CupsError as error:
        return _ended(args, str(error), 2)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            traceback.print_exc()
            return _ended(args, REPORT, 1)
        return _ended(args, sentence, 2)
    return 0


def _ended(args: argparse.Namespace, sentence: str, code: int) -> int:
    """Say why in one line: a library's reason may have several."""
    with suppress(OSError):
        print(f"cups-train {args.command}: {' '.join(sentence.split())}", file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()
    return code


@contextmanager
def _all_ends_like_interrupts() -> Iterator[None]:
    """SIGTERM and a closed terminal end a command as Ctrl-C does, so that its workers end with it; nohup stays
    nohup."""
    numbers = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    for number in (number for number, handler in before.items() if handler is signal.SIG_DFL):
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _call(args: argparse.Namespace) -> None:
    """The command, with a cluster where one is named."""
    if _processes() > 1 and not COMMANDS[args.command].on_many_gpus:
        able = (name for name, command in COMMANDS.items() if command.on_many_gpus)
        raise CupsError(f"expected {' or '.join(able)} under torchrun, found {args.command}; leave torchrun out")
    if getattr(args, "cluster", None) is None:
        return COMMANDS[args.command].call(args)
    from cups_train.cluster import absolute, on_cluster

    with on_cluster(args.cluster):
        COMMANDS[args.command].call(argparse.Namespace(**{name: absolute(value) for name, value in vars(args).items()}))


def _processes() -> int:
    """How many torchrun has started. Raises CupsError where its variables are no numbers that fit."""
    numbers = {name: os.environ.get(name, least) for name, least in TORCHRUN.items()}
    for name, value in numbers.items():
        if not value.isascii() or not value.isdigit() or int(value) < int(TORCHRUN[name]):
            raise CupsError(
                f"expected a whole number from {TORCHRUN[name]} on in the variable {name}, which torchrun sets, found "
                f"{briefly(value)!r}; unset it"
            )
    if int(numbers["RANK"]) >= int(numbers["WORLD_SIZE"]):
        raise CupsError(
            f"expected RANK below WORLD_SIZE, found {numbers['RANK']} of {numbers['WORLD_SIZE']}; torchrun sets both, "
            "or unset them"
        )
    return int(numbers["WORLD_SIZE"])


COMMANDS = {
    "inspect": Command(
        commands.inspect,
        "what a recording holds and whether it can be trained on",
        cli_arguments.of_recording,
        ("recording",),
    ),
    "run": Command(
        commands.run,
        "the three stages, export and evaluation; resumes where it stopped",
        cli_arguments.run,
        ("recording", "motion", "semantics", "labels", "network", "bootstrap", "self_train", "export"),
        on_a_cluster=True,
    ),
    "motion": Command(
        commands.motion,
        "stage 1a alone: moving objects of one recording",
        cli_arguments.motion,
        ("recording", "motion"),
        on_a_cluster=True,
    ),
    "pseudo-label": Command(
        commands.pseudo_label,
        "stage 1: panoptic pseudo labels",
        cli_arguments.pseudo_label,
        ("recording", "motion", "semantics", "labels"),
        on_a_cluster=True,
    ),
    "train": Command(
        commands.training,
        "stage 2: panoptic bootstrapping of a labelled run",
        cli_arguments.of_run,
        ("network", "bootstrap"),
        on_many_gpus=True,
    ),
    "self-train": Command(
        commands.training,
        "stage 3: self-training of a bootstrapped run",
        cli_arguments.of_run,
        ("self_train",),
        on_many_gpus=True,
    ),
    "predict": Command(
        commands.predict,
        "result folders of a run, a checkpoint or an exported model",
        cli_arguments.predict,
        ("recording",),
        on_a_cluster=True,
    ),
    "evaluate": Command(
        commands.evaluate, "PQ, SQ, RQ, accuracy, mIoU and AP of result folders against truth", cli_arguments.evaluate
    ),
    "export": Command(commands.export, "the exported model folder of a run", cli_arguments.export, ("export",)),
    "check": Command(
        commands.check,
        "quality gate of a run's labels and their consistency over cameras and time, without truth",
        cli_arguments.of_run,
        ("labels",),
    ),
    "name": Command(
        commands.name,
        "contact sheet of a run's pseudo classes, and the file that names, colours and merges them",
        cli_arguments.name,
    ),
    "render": Command(
        commands.render, "the procedural street: a recording and its truth", cli_arguments.render, ("render",)
    ),
}


EXAMPLES = {
    "inspect": "example: cups-train inspect my_drive",
    "run": "example: cups-train run my_drive another_drive --out runs/mine --config config/train/vehicle.yaml",
    "motion": "example: cups-train motion my_drive --out motion_of_my_drive",
    "pseudo-label": "example: cups-train pseudo-label my_drive --out runs/mine",
    "train": "example: cups-train train runs/mine -o bootstrap.steps=2000",
    "self-train": "example: cups-train self-train runs/mine",
    "predict": "example: cups-train predict runs/mine/model camera.mcap --left /camera/image --out answers",
    "evaluate": "example: cups-train evaluate answers --truth truth --matching strict",
    "export": "example: cups-train export runs/mine --out model",
    "check": "example: cups-train check runs/mine",
    "name": "example: cups-train name runs/mine",
    "render": "example: cups-train render --out street --frames 24 --seed 7",
}


def parser() -> argparse.ArgumentParser:
    """Of all commands."""
    top = _Parser(
        prog="cups-train",
        description="Panoptic segmentation for a vehicle, learned from stereo recordings without labels.",
        epilog="`cups-train COMMAND --help` explains one of them, `cups-train COMMAND --help-settings` its settings.",
    )
    top.add_argument("--version", action="version", version=f"cups-train {__version__}")
    verbs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        verb = verbs.add_parser(
            name,
            help=command.text,
            description=command.text,
            epilog=EXAMPLES.get(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(verb)
        _options(verb, command)
    return top


def _options(verb: argparse.ArgumentParser, command: Command) -> None:
    """What commands share."""
    if command.on_a_cluster:
        verb.add_argument(
            "--cluster",
            metavar="ADDRESS",
            help="Ray cluster for the work on single frames: auto, ray://HOST:10001, or local",
        )
    verb.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings that differ from the defaults")
    verb.add_argument(
        "-o",
        dest="override",
        action="append",
        default=[],
        metavar="key.path=value",
        help="one setting, over the file's",
    )
    verb.add_argument(
        "--help-settings",
        action=_ShowSettings,
        sections=("", *command.sections),
        help="every setting of this command with its default, and exit",
    )
    if "recording" in command.sections:
        for topic in commands.TOPICS:
            verb.add_argument(f"--{topic.replace('_', '-')}", metavar="TOPIC", help=f"the setting recording.{topic}")


def _settings_text(sections: tuple[str, ...]) -> str:
    """The settings of a command with text and default, from config/; "" stands for those of no section."""
    from cups_train.config import Config, Section

    config = Config()
    lines = ["settings, given by -o key.path=value or in the file of --config FILE.yaml:"]
    for name in sections:
        section, prefix = (getattr(config, name), f"{name}.") if name else (config, "")
        for key, field in type(section).model_fields.items():
            if not isinstance(getattr(section, key), Section):
                lines.append(f"  {prefix}{key}  {field.description} [{field.default}]")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
