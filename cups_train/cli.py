"""`cups-train`: verb -> function; nothing else. Modules are imported when their verb is called, settings when they are asked for."""
from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cups_train import cli_arguments
from cups_train.errors import CupsError

if TYPE_CHECKING:
    from cups_train.config import Config

logger = logging.getLogger("cups_train")
TOPICS = ("left", "right", "left_info", "right_info")


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


class _Verb(_Parser):
    """One verb's arguments; what its settings are is looked up where its help is asked for, since that takes longer than all else here."""

    def __init__(self, *, sections: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sections = sections

    def format_help(self) -> str:
        self.epilog = _settings_text(self.sections)
        return super().format_help()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        _call(args)
    except CupsError as error:
        print(f"cups-train {args.command}: {' '.join(str(error).split())}", file=sys.stderr)  # a library's reason may have several lines
        return 2
    except KeyboardInterrupt:
        print(f"cups-train {args.command}: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _call(args: argparse.Namespace) -> None:
    """The command, with a cluster where one is named."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not COMMANDS[args.command].on_many_gpus:
        able = (name for name, command in COMMANDS.items() if command.on_many_gpus)
        raise CupsError(f"expected {' or '.join(able)} under torchrun, found {args.command}; leave torchrun out")
    if getattr(args, "cluster", None) is None:
        return COMMANDS[args.command].call(args)
    from cups_train.cluster import absolute, on_cluster

    with on_cluster(args.cluster):
        COMMANDS[args.command].call(argparse.Namespace(**{name: absolute(value) for name, value in vars(args).items()}))


def _config(args: argparse.Namespace) -> Config:
    from cups_train.config import load_config

    topics = [f"recording.{name}={getattr(args, name)}" for name in TOPICS if getattr(args, name, None)]
    return load_config(args.config, topics + args.override)


def _inspect(args: argparse.Namespace) -> None:
    from cups_train.errors import RecordingError
    from cups_train.recording import inspect, render_text

    found = inspect(args.recording, _config(args).recording)
    print(render_text(found))
    if found.problem is not None:
        raise RecordingError(found.problem)


def _run(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.run import RunFolder
    from cups_train.recording import open_recordings

    config = _config(args)
    if bool(args.val) != bool(args.truth) or len(args.val) != len(args.truth):
        raise CupsError(f"expected as many --truth folders as --val recordings, found {len(args.truth)} and {len(args.val)}")
    recordings = sorted(open_recordings(args.recordings, config.recording), key=lambda r: r.name)
    validation = None
    if args.val:
        validation = pipeline.Validation(tuple(open_recordings(args.val, config.recording)), tuple(args.truth))
        validation.check(recordings)
    pipeline.run_all(pipeline.Run(RunFolder.create(args.out, config), recordings, config), validation)


def _motion(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.recording import open_recording

    config = _config(args)
    pipeline.find_motion_alone(open_recording(args.recording, config.recording), args.out, config, args.given)


def _pseudo_label(args: argparse.Namespace) -> None:
    from cups_train import pipeline, pseudo_label
    from cups_train.folders.recordings import check_recordings
    from cups_train.folders.run import RunFolder, is_run
    from cups_train.recording import open_recordings

    config = _config(args)
    recordings = sorted(open_recordings(args.recordings, config.recording), key=lambda r: r.name)
    if args.export is not None and is_run(args.out) and RunFolder.open(args.out).is_finished("labels"):
        run_folder = RunFolder.open(args.out)
        check_recordings(run_folder, recordings)
    else:
        run_folder = RunFolder.create(args.out, config)
        run = pipeline.Run(run_folder, recordings, config)
        if args.published is None:
            pipeline.pseudo_label(run)
        else:
            pipeline.take_published_labels(run, args.published)
    if args.export is not None:
        pseudo_label.export_results(run_folder.stage("labels"), run_folder.classes(), recordings, args.export)


def _training(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder
    from cups_train.training.distributed import join_processes

    run_folder = RunFolder.open(args.run)
    config = run_folder.config(args.override, args.config)
    recordings, stage = recordings_of(run_folder, config), {"train": pipeline.bootstrap, "self-train": pipeline.self_train}[args.command]
    with join_processes(config.device) as process:
        if process.first:
            RunFolder.create(args.run, config)
        stage(pipeline.Run(run_folder, recordings, config))
        if process.first:
            pipeline.write_report(run_folder)


def _predict(args: argparse.Namespace) -> None:
    from cups_train.evaluation.predict import open_sources, predict
    from cups_train.evaluation.predictors import load_predictor

    config = _config(args)
    predictor = load_predictor(args.model, args.stage, args.override, args.config)
    predict(predictor, open_sources(args.recordings, config.recording), args.out)


def _evaluate(args: argparse.Namespace) -> None:
    from cups_train.evaluation.metrics.assignment import save_assignment
    from cups_train.evaluation.score import EvaluationOptions, evaluate_by_matching
    from cups_train.evaluation.table import render_matchings, render_table
    from cups_train.files import check_file, write_json

    for option, file in (("--json", args.json), ("--save-assignment", args.save_assignment)):
        check_file(file, option)
    options = EvaluationOptions(args.fit_result or None, args.fit_truth or None, args.assignment, args.no_assignment, args.matching, args.void)
    by_matching = evaluate_by_matching(args.result, args.truth, options)
    evaluation = by_matching[options.matching]
    if args.save_assignment and evaluation.assignment is not None:
        save_assignment(args.save_assignment, evaluation.assignment)
    if args.json:
        write_json(args.json, evaluation.to_json())
    print(render_table(evaluation))
    if options.fitted:
        print(render_matchings(by_matching))


def _export(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.run import RunFolder

    run_folder = RunFolder.open(args.run)
    formats = [f"export.formats=[{args.format}]"] if args.format else []
    pipeline.export(run_folder, run_folder.config(formats + args.override, args.config), args.out)


def _check(args: argparse.Namespace) -> None:
    from cups_train import pipeline, pseudo_label
    from cups_train.evaluation.consistency import render
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder

    run_folder = RunFolder.open(args.run)
    run_folder.fingerprint("labels")
    config = run_folder.config(args.override, args.config)
    print(pseudo_label.check(run_folder.stage("labels"), config.labels), flush=True)
    print(render(pipeline.consistency(pipeline.Run(run_folder, recordings_of(run_folder, config), config))))


def _name(args: argparse.Namespace) -> None:
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder
    from cups_train.report.naming import write_naming_sheet

    run_folder = RunFolder.open(args.run)
    recordings = recordings_of(run_folder, run_folder.config(args.override, args.config))
    print(write_naming_sheet(run_folder.root, recordings, run_folder.classes()))


def _render(args: argparse.Namespace) -> None:
    from cups_train.render import render

    render(args.out, args.frames, args.seed, _config(args).render)


COMMANDS = {
    "inspect": Command(_inspect, "what a recording holds and whether it can be trained on", cli_arguments.of_recording, ("recording",)),
    "run": Command(_run, "the three stages, export and evaluation; resumes where it stopped", cli_arguments.run,
                   ("recording", "motion", "semantics", "labels", "network", "bootstrap", "self_train", "export"), on_a_cluster=True),
    "motion": Command(_motion, "stage 1a alone: moving objects of one recording", cli_arguments.motion, ("recording", "motion"), on_a_cluster=True),
    "pseudo-label": Command(_pseudo_label, "stage 1: panoptic pseudo labels", cli_arguments.pseudo_label,
                            ("recording", "motion", "semantics", "labels"), on_a_cluster=True),
    "train": Command(_training, "stage 2: panoptic bootstrapping of a labelled run", cli_arguments.of_run, ("network", "bootstrap"),
                     on_many_gpus=True),
    "self-train": Command(_training, "stage 3: self-training of a bootstrapped run", cli_arguments.of_run, ("self_train",), on_many_gpus=True),
    "predict": Command(_predict, "result folders of a run, a checkpoint or an exported model", cli_arguments.predict, ("recording",),
                       on_a_cluster=True),
    "evaluate": Command(_evaluate, "PQ, SQ, RQ, accuracy, mIoU and AP of result folders against truth", cli_arguments.evaluate),
    "export": Command(_export, "the exported model folder of a run", cli_arguments.export, ("export",)),
    "check": Command(_check, "quality gate of a run's labels and their consistency over cameras and time, without truth", cli_arguments.of_run,
                     ("labels",)),
    "name": Command(_name, "contact sheet of a run's pseudo classes, and the file that names, colours and merges them", cli_arguments.of_run),
    "render": Command(_render, "the procedural street: a recording and its truth", cli_arguments.render, ("render",)),
}


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cups-train", description="Panoptic segmentation for a vehicle, learned from stereo recordings without labels.")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Verb)
    for name, command in COMMANDS.items():
        verb = verbs.add_parser(name, help=command.text, description=command.text, sections=command.sections,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
        command.arguments(verb)
        if command.on_a_cluster:
            verb.add_argument("--cluster", metavar="ADDRESS", help="Ray cluster for the work on single frames: auto, ray://HOST:10001, or local")
        verb.add_argument("--config", type=Path, metavar="FILE.yaml", help="settings that differ from the defaults")
        verb.add_argument("-o", dest="override", action="append", default=[], metavar="key.path=value", help="one setting, over the file's")
        if "recording" in command.sections:
            for topic in TOPICS:
                verb.add_argument(f"--{topic.replace('_', '-')}", metavar="TOPIC", help=f"the setting recording.{topic}")
    return parser


def _settings_text(sections: tuple[str, ...]) -> str:
    """The settings of a command with text and default, from config/."""
    from cups_train.config import Config

    lines = ["settings (-o key.path=value or --config FILE.yaml):"] if sections else []
    for name in sections:
        for key, field in type(getattr(Config(), name)).model_fields.items():
            lines.append(f"  {name}.{key}  {field.description} [{field.default}]")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
