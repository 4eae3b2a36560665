"""An exported model folder -> a session: numpy in, numpy out; no ROS, no torch."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.fusion import fuse, letterbox
from cups_ros.types import Classes, Panoptic, RawOutput, Thresholds

FORMAT = 1
MASK_SIDE = 28
OUTPUTS = ("boxes", "scores", "class_id", "masks", "semantic")
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")  # in the order they are tried
Session = Callable[[np.ndarray], list[np.ndarray]]  # (1, height, width, 3) uint8 -> the outputs, in the order of OUTPUTS


class ModelError(ValueError):
    """A model folder that cannot be used: one sentence."""


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model."""

    name: str
    classes: Classes
    thresholds: Thresholds
    input_size: tuple[int, int]  # (height, width) px
    engine: str  # e.g. "onnxruntime CPUExecutionProvider"
    card: dict[str, Any] = field(repr=False)
    session: Session = field(repr=False)

    def raw(self, canvas: np.ndarray) -> RawOutput:
        """(height, width, 3) uint8 RGB of exactly the network's input size -> raw outputs."""
        if canvas.shape != (*self.input_size, 3) or canvas.dtype != np.uint8:
            raise ValueError(f"expected uint8 {(*self.input_size, 3)}, got {canvas.dtype} {canvas.shape}")
        return RawOutput(*self.session(np.ascontiguousarray(canvas)[None]))

    def infer(self, image: np.ndarray) -> Panoptic:
        """(H, W, 3) uint8 RGB of any size -> panoptic map of the same size."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected a uint8 image (H, W, 3), got {image.dtype} {image.shape}")
        canvas, view = letterbox(image, self.input_size)
        return fuse(self.raw(canvas), self.classes, self.thresholds, view)


def load_model(folder: Path | str, providers: tuple[str, ...] = PROVIDERS, threads: int = 0) -> Model:
    """Read card and graph, check both against each other and open a session.

    ONNX Runtime runs it on the first of `providers` that works; threads: of a CPU session, 0 = ONNX Runtime's choice. Raises ModelError.
    """
    folder = Path(folder)
    card = read_card(folder)
    graph = folder / "model.onnx"
    if not graph.is_file():
        raise ModelError(f"expected a graph {graph}, found none; export again")
    if hashlib.sha256(graph.read_bytes()).hexdigest() != card["sha256"]:
        raise ModelError(f"expected the graph that {folder / 'model.json'} describes, found another (its sha256 differs); export again")
    session, engine = _open(graph, card, providers, threads)
    size = (card["input"]["height"], card["input"]["width"])
    name, classes = str(card.get("name") or folder.name), Classes.from_json(card["classes"])
    return Model(name, classes, _thresholds(card["thresholds"]), size, engine, card, session)


def read_card(folder: Path) -> dict[str, Any]:
    """model.json, checked: format, input, outputs, classes, thresholds. Raises ModelError."""
    path = folder / "model.json"
    try:
        card = json.loads(path.read_text())
    except OSError:
        raise ModelError(f"expected a model folder with a card {path}, found none") from None
    except ValueError as error:
        raise ModelError(f"expected JSON in {path}, found a damaged file ({error}); export again") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ModelError(f"expected a model card of format {FORMAT} in {path}, found {found!r}; export the run with this version")
    try:
        _check_card(card)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"expected a complete model card in {path}, found {what}; export again") from error
    return card


def _check_card(card: dict[str, Any]) -> None:
    entry, height, width = card["input"], int(card["input"]["height"]), int(card["input"]["width"])
    described = (entry["layout"], entry["dtype"], entry["color"])
    if described != ("NHWC", "uint8", "rgb"):
        raise ValueError(f"an input {described} where this version reads NHWC uint8 rgb")
    shapes = {output["name"]: tuple(output["shape"]) for output in card["outputs"]}
    number = shapes["scores"][0]
    expected = dict(zip(OUTPUTS, ((number, 4), (number,), (number,), (number, MASK_SIDE, MASK_SIDE), (height, width)), strict=True))
    if shapes != expected:
        raise ValueError(f"outputs {shapes} where {expected} belong to the input")
    if not len(Classes.from_json(card["classes"])):
        raise ValueError("no classes")
    _thresholds(card["thresholds"])
    str(card["sha256"]), str(entry["name"])


def _thresholds(tree: dict[str, Any]) -> Thresholds:
    unknown = set(tree) - {f.name for f in fields(Thresholds)}
    if unknown:
        raise ValueError(f"unknown thresholds {sorted(unknown)}")
    return Thresholds(**{name: float(value) for name, value in tree.items()})


def _open(graph: Path, card: dict[str, Any], providers: tuple[str, ...], threads: int) -> tuple[Session, str]:
    """A session on the first provider that works, and the engine's name."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("expected the package onnxruntime to run a model, found none; install onnxruntime or onnxruntime-gpu") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    usable = [name for name in providers if name in onnxruntime.get_available_providers()]
    if not usable:
        raise ModelError(f"expected one of the providers {list(providers)}, found {onnxruntime.get_available_providers()} in this onnxruntime")
    try:
        session = onnxruntime.InferenceSession(str(graph), options, providers=usable)
    except Exception as error:  # onnxruntime raises its own C++ exception classes, which share no base but Exception
        reason = str(error).splitlines()[0]
        raise ModelError(f"expected a graph that ONNX Runtime can run in {graph}, found one that it refuses ({reason}); export again") from error
    _check_graph(session, card)
    name = card["input"]["name"]
    return lambda image: session.run(list(OUTPUTS), {name: image}), f"onnxruntime {session.get_providers()[0]}"


def _check_graph(session: Any, card: dict[str, Any]) -> None:
    """Raises ModelError where names, shapes or types of the graph are not those of the card."""
    types = {"uint8": "tensor(uint8)", "float32": "tensor(float)", "int32": "tensor(int32)"}
    entry = card["input"]
    described = {entry["name"]: ([1, entry["height"], entry["width"], 3], types[entry["dtype"]])}
    described |= {output["name"]: (list(output["shape"]), types.get(output["dtype"], output["dtype"])) for output in card["outputs"]}
    found = {value.name: (list(value.shape), value.type) for value in (*session.get_inputs(), *session.get_outputs())}
    if found != described:
        wrong = sorted(name for name in {*found, *described} if found.get(name) != described.get(name))
        raise ModelError(f"expected the graph's inputs and outputs as in the card, found a difference in {', '.join(wrong)} "
                         f"({found.get(wrong[0])} against {described.get(wrong[0])}); export again")
