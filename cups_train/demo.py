"""`make demo`: streets are rendered, a model is learned from them without labels, the node answers an unseen
recording."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import time
from pathlib import Path

from cups_train import pipeline
from cups_train.config import Config, load_config
from cups_train.errors import CupsError
from cups_train.evaluation.table import found_objects, in_words, render_stages
from cups_train.files import read_json
from cups_train.folders import layout, stages
from cups_train.folders.run import RunFolder
from cups_train.node_trial import NodeTrial, play_through_node
from cups_train.recording import open_recordings
from cups_train.render import render
from cups_train.run import Run
from cups_train.story import TimeLeft
from cups_train.validation import Validation

logger = logging.getLogger("cups_train")
ROOT = Path(__file__).resolve().parents[1]
TRAINING = (("drive", 1), ("drive", 2), ("junction", 3), ("standstill", 4), ("turn", 5), ("static", 6))
UNSEEN = (("drive", 101), ("junction", 102))
FRAMES, UNSEEN_FRAMES = 24, 12
# of each stage on 2 cores, for the time that is left
SECONDS = {"motion": 150, "semantics": 300, "labels": 50, "bootstrap": 900, "self_train": 70, "model": 14, "rest": 130}


def main(argv: list[str] | None = None) -> int:
    """The demo; the exit code."""
    parser = argparse.ArgumentParser(prog="cups_train.demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), metavar="RUN")
    parser.add_argument(
        "-o",
        dest="override",
        action="append",
        default=[],
        metavar="key.path=value",
        help="one setting, over config/train/demo.yaml",
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        _demo(args.out, args.override)
    except CupsError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: interrupted; `make demo` goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _demo(out: Path, overrides: list[str]) -> None:
    start = time.monotonic()
    config = load_config(ROOT / "config" / "train" / "demo.yaml", overrides)
    streets = out.parent / f"{out.name}_streets"
    training = [_street(streets / f"train_{seed:02d}_{scene}", FRAMES, seed, config, scene) for scene, seed in TRAINING]
    unseen = [_street(streets / f"unseen_{seed}_{scene}", UNSEEN_FRAMES, seed, config, scene) for scene, seed in UNSEEN]
    recordings = sorted(open_recordings([s / "recording" for s in training], config.recording), key=lambda r: r.name)
    validation = Validation(
        tuple(open_recordings([s / "recording" for s in unseen], config.recording)), tuple(s / "truth" for s in unseen)
    )
    run_folder = RunFolder.create(out, config)
    pipeline.run_all(Run(run_folder, recordings, config), validation, TimeLeft(SECONDS))
    trial = play_through_node(
        run_folder.stage(stages.MODEL),
        validation.recordings[0],
        validation.truths[0],
        run_folder.root / layout.NODE,
        ROOT,
    )
    report = pipeline.write_report(run_folder)
    print(_last_screen(run_folder.root, report, trial, (time.monotonic() - start) / 60))


def _street(folder: Path, frames: int, seed: int, config: Config, scene: str) -> Path:
    """A rendered street, kept where a finished one is there."""
    if not (folder / "truth" / layout.TRUTH).is_file() or not (folder / "recording" / "metadata.yaml").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("rendering %s", folder)
        render(folder, frames, seed, config.render.model_copy(update={"scene": scene}))
    return folder


def _last_screen(root: Path, report: Path, trial: NodeTrial, minutes: float) -> str:
    """The table, what it says in words, what the node did, and what to type next."""
    scores = read_json(root / layout.SCORES)
    trained = list(scores)[-1]
    return "\n".join(
        [
            render_stages(scores, "percent, unseen streets"),
            "In words (strict PQ on streets that no stage has seen, no label used in training):",
            *(f"  {sentence}" for sentence in in_words(scores)),
            f"  objects found by the last: {found_objects(scores, trained)}",
            f"  the node answered {trial.answered} of {trial.played} images of one street with their stamps, "
            f"{trial.latency_ms_median:.0f} ms each",
            "",
            f"Pictures and figures: {report}   ({minutes:.1f} minutes)",
            "Next, after `source .venv/bin/activate`:",
            f"  cups-train name {root}                        look at the classes and name them",
            "  cups-train inspect YOUR_RECORDING              can your own recording be trained on?",
            f"  ros2 launch cups_ros panoptic.launch.py model:=$PWD/{root / 'model'} image:=/your/camera/image",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
