"""What every verb of `cups-train` does with its arguments. Modules are imported when their verb is called."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import TYPE_CHECKING

from cups_train.errors import CupsError
from cups_train.folders import stages

if TYPE_CHECKING:
    from cups_train.config import Config

TOPICS = ("left", "right", "left_info", "right_info")


def _config(args: argparse.Namespace) -> Config:
    from cups_train.config import load_config

    topics = [f"recording.{name}={getattr(args, name)}" for name in TOPICS if getattr(args, name, None)]
    return load_config(args.config, topics + args.override)


def inspect(args: argparse.Namespace) -> None:
    from cups_train.errors import RecordingError
    from cups_train.recording import inspect, render_text

    found = inspect(args.recording, _config(args).recording)
    print(render_text(found))
    if found.problem is not None:
        raise RecordingError(found.problem)


def run(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.run import RunFolder
    from cups_train.recording import open_recordings, open_to_train
    from cups_train.run import Run
    from cups_train.validation import Validation

    config = _config(args)
    if bool(args.val) != bool(args.truth) or len(args.val) != len(args.truth):
        raise CupsError(
            f"expected as many --truth folders as --val recordings, found {len(args.truth)} and {len(args.val)}"
        )
    recordings = sorted(open_to_train(args.recordings, config.recording), key=lambda r: r.name)
    validation = None
    if args.val:
        validation = Validation(tuple(open_recordings(args.val, config.recording)), tuple(args.truth))
        validation.check(recordings)
    with RunFolder.held(args.out, config) as run_folder:
        pipeline.run_all(Run(run_folder, recordings, config), validation)


def motion(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.recording import open_to_train

    config = _config(args)
    pipeline.find_motion_alone(
        open_to_train([args.recording], config.recording)[0], args.out, config, args.given, args.force
    )


def pseudo_label(args: argparse.Namespace) -> None:
    from cups_train import pipeline, pseudo_label
    from cups_train.folders.recordings import check_recordings
    from cups_train.folders.run import RunFolder, is_run
    from cups_train.recording import open_to_train
    from cups_train.run import Run

    config = _config(args)
    recordings = sorted(open_to_train(args.recordings, config.recording), key=lambda r: r.name)
    if args.export is not None and is_run(args.out) and RunFolder.open(args.out).is_finished(stages.LABELS):
        run_folder = RunFolder.open(args.out)
        check_recordings(run_folder, recordings)
    else:
        with RunFolder.held(args.out, config) as run_folder:
            run = Run(run_folder, recordings, config)
            if args.published is None:
                pipeline.pseudo_label(run)
            else:
                pipeline.take_published_labels(run, args.published)
    if args.export is not None:
        pseudo_label.export_results(
            run_folder.stage(stages.LABELS), run_folder.classes(), recordings, args.export, args.force
        )


def training(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder
    from cups_train.run import Run
    from cups_train.training.distributed import join_processes

    run_folder = RunFolder.open(args.run)
    config = run_folder.config(args.override, args.config)
    recordings, stage = (
        recordings_of(run_folder, config),
        {"train": pipeline.bootstrap, "self-train": pipeline.self_train}[args.command],
    )
    with join_processes(config.device) as process:
        with RunFolder.held(args.run, config) if process.first else nullcontext():
            stage(Run(run_folder, recordings, config))
            if process.first:
                pipeline.write_report(run_folder)


def predict(args: argparse.Namespace) -> None:
    from cups_train.evaluation.predict import open_sources, predict
    from cups_train.evaluation.predictors import load_predictor

    config = _config(args)
    predictor = load_predictor(args.model, args.stage, args.override, args.config)
    predict(predictor, open_sources(args.recordings, config.recording), args.out, args.force)


def evaluate(args: argparse.Namespace) -> None:
    from cups_train.evaluation.metrics.assignment import save_assignment
    from cups_train.evaluation.score import EvaluationOptions, evaluate_by_matching
    from cups_train.evaluation.table import render_matchings, render_table
    from cups_train.files import check_file, write_json
    from cups_train.folders.result_index import read_index

    check_file(args.json, "--json", {"pq", "per_class", "matching"})
    check_file(args.save_assignment, "--save-assignment", {"assignment", "semantic", "categories7"})
    options = EvaluationOptions(
        args.fit_result or None,
        args.fit_truth or None,
        args.assignment,
        args.no_assignment,
        args.matching,
        args.void,
        args.unknown,
    )
    by_matching = evaluate_by_matching(args.result, args.truth, options)
    evaluation = by_matching[options.matching]
    if args.save_assignment and evaluation.assignment is not None:
        save_assignment(args.save_assignment, evaluation.assignment, read_index(args.truth))
    if args.json:
        write_json(args.json, evaluation.to_json())
    print(render_table(evaluation))
    if options.fitted:
        print(render_matchings(by_matching))


def export(args: argparse.Namespace) -> None:
    from cups_train import pipeline
    from cups_train.folders.run import RunFolder

    run_folder = RunFolder.open(args.run)
    formats = [f"export.formats=[{args.format}]"] if args.format else []
    pipeline.export(run_folder, run_folder.config(formats + args.override, args.config), args.out, args.force)


def check(args: argparse.Namespace) -> None:
    from cups_train import pseudo_label
    from cups_train.evaluation.consistency import render
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder
    from cups_train.run import Run
    from cups_train.validation import consistency

    run_folder = RunFolder.open(args.run)
    run_folder.fingerprint(stages.LABELS)
    config = run_folder.config(args.override, args.config)
    print(pseudo_label.check(run_folder.stage(stages.LABELS), config.labels), flush=True)
    print(render(consistency(Run(run_folder, recordings_of(run_folder, config), config))))


def name(args: argparse.Namespace) -> None:
    from cups_train.folders.fitted_names import take_names
    from cups_train.folders.layout import NAMES
    from cups_train.folders.recordings import recordings_of
    from cups_train.folders.run import RunFolder
    from cups_train.report.naming import write_naming_sheet

    run_folder = RunFolder.open(args.run)
    recordings = recordings_of(run_folder, run_folder.config(args.override, args.config))
    if args.assignment:
        take_names(run_folder.root / NAMES, run_folder.classes(), args.assignment, run_folder.class_of())
    print(write_naming_sheet(run_folder.root, recordings, run_folder.classes()))


def render(args: argparse.Namespace) -> None:
    from cups_train.render import render

    render(args.out, args.frames, args.seed, _config(args).render, args.force)
