"""Every file name of a run, once. Maps and pictures are named by their frame, KEY.png or KEY.jpg.

    RUN/  config.yaml  classes.json  names.yaml  names.html  metrics.json  consistency.json
      recording/NAME/   index.json
      motion/NAME/      motion.json  instances/  overlays/  (frames/ while a run is under way)
      semantics/        the model of the classes; NAME/ holds their maps
      labels/           statistics.json  joining.json;  NAME/ holds labels.json, KEY_class.png, KEY_instance.png
      bootstrap/  self_train/   checkpoint.safetensors  train.log  metrics.jsonl  state/
      model/            the exported model (docs/formats.md)
      evaluation/       STAGE/NAME/: a result folder, panoptic.json and panoptic/KEY.png
      node/             answers.json  answers/: a result folder
      report/           index.html

Every stage's folder holds inputs.json, written first, and done.json, written last.
"""

from pathlib import Path

CONFIG = "config.yaml"  # the settings in force
CLASSES = "classes.json"  # pseudo classes, things told from stuff
NAMES = "names.yaml"  # what a person calls them
NAMES_PAGE = "names.html"  # examples of every class
SCORES = "metrics.json"  # every stage against truth
CONSISTENCY = "consistency.json"  # the labels against themselves

RECORDING = "recording"
RECORDING_INDEX = "index.json"  # where a recording is, its calibration and stamps
EVALUATION = "evaluation"
PICTURES = "pictures"  # of some images: the image, its truth, every stage's answer
NODE = "node"
ANSWERS = "answers"  # a result folder of what the node published
NODE_FIGURES = "answers.json"
REPORT = "report"
REPORT_PAGE = "index.html"

INPUTS = "inputs.json"  # what a stage is made from
DONE = "done.json"  # that it is finished, and how its files were then
REPLACED = ".replaced"  # the generation before

MOTION = "motion.json"
LABELS = "labels.json"
JOINING = "joining.json"  # which class each cluster of the class maps became, and why
STATISTICS = "statistics.json"  # what the labels hold, and the gate's verdict
CHECKPOINT = "checkpoint.safetensors"
LOG = "train.log"  # a training for people
LOSSES = "metrics.jsonl"  # a training for programs
TENSORBOARD = "tensorboard"  # trainings for TensorBoard, a folder each, where it is installed
PANOPTIC = "panoptic.json"
TRUTH = "truth.json"  # written last into a rendered truth folder
OVERLAYS = "overlays"  # pictures of some frames


def overlay_path(folder: Path, key: str) -> Path:
    """Where the picture of one frame, or of one step of a training, lies."""
    return folder / OVERLAYS / f"{key}.jpg"
