"""An exported model folder -> a model on the first engine that runs it: numpy in, numpy out; no ROS, no torch."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from cups_ros.engines import ENGINES, Engine, EngineError, EngineMissing, Graph, open_engine
from cups_ros.fusion import fuse, letterbox
from cups_ros.merged import unpack
from cups_ros.types import Classes, Panoptic, RawOutput, Thresholds

logger = logging.getLogger(__name__)
FORMAT = 1
MASK_SIDE = 28
OUTPUTS = ("boxes", "scores", "class_id", "masks", "semantic")
MERGED = ("panoptic", "segments")  # optional: the graph has merged by itself, with the card's thresholds
SEGMENT_COLUMNS = 7
PRECISIONS = ("fp32", "fp16", "int8")
LARGEST_SIDE = 8192  # px of the network's input


class ModelError(ValueError):
    """A model folder that cannot be used: one sentence."""


class Model:
    """A loaded model on one engine. Used by one thread at a time.

    `thresholds` may be replaced between two images; `refusals` says of every engine that was tried in vain why. Where
    the graph merges by itself (`merges`), its map is taken for images that fill the network's input, as long as the
    thresholds are the card's.
    """

    def __init__(self, folder: Path, card: dict[str, Any], graph: Graph, engines: Sequence[str]) -> None:
        self.name = str(card.get("name") or folder.name)
        self.classes = Classes.from_json(card["classes"])
        self.thresholds = self._merged_with = _thresholds(card["thresholds"])
        self.merges = MERGED[0] in {output["name"] for output in card["outputs"]} and not any(
            row.get("merge_into") for row in card["classes"]
        )
        self.input_size = (int(card["input"]["height"]), int(card["input"]["width"]))  # (height, width) px
        self.card = card
        self.engine = ""  # e.g. "onnxruntime-cpu"; empty where none is left
        self.refusals: tuple[str, ...] = ()
        self._graph, self._left = graph, list(engines)
        self._session: Engine | None = None

    def raw(self, canvas: np.ndarray) -> RawOutput:
        """(H, W, 3) uint8 RGB of exactly the network's input size -> raw outputs. Raises EngineError where the engine
        fails."""
        if canvas.shape != (*self.input_size, 3) or canvas.dtype != np.uint8:
            raise ValueError(f"expected uint8 {(*self.input_size, 3)}, got {canvas.dtype} {canvas.shape}")
        return RawOutput(*self._run(canvas, OUTPUTS))

    def infer(self, image: np.ndarray) -> Panoptic:
        """(H, W, 3) uint8 RGB of any size -> panoptic map of the same size. Raises EngineError where the engine
        fails."""
        return self.start(image)()

    def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
        """Run the engine on an image (H, W, 3) uint8 RGB; what is returned gives the panoptic map, while the engine may
        already run again."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"expected a uint8 image (H, W, 3), got {image.dtype} {image.shape}")
        canvas, view = letterbox(image, self.input_size)
        classes, thresholds = self.classes, self.thresholds
        if self.merges and view.content_size == self.input_size and thresholds == self._merged_with:
            ids, table = self._run(canvas, MERGED)
            return lambda: unpack(ids, table, classes, view.image_size)
        raw = self.raw(canvas)
        return lambda: fuse(raw, classes, thresholds, view)

    def _run(self, canvas: np.ndarray, outputs: tuple[str, ...]) -> list[np.ndarray]:
        if self._session is None:
            raise EngineError(f"expected an engine for {self._graph.path}, found none left: {'; '.join(self.refusals)}")
        return self._session.run(np.ascontiguousarray(canvas)[None], outputs)

    def next_engine(self) -> bool:
        """Give up the engine in use and open the next one that runs the graph; False where none is left. Raises
        ModelError on a wrong graph."""
        self.close()
        missing: list[str] = []
        while self._left:
            name = self._left.pop(0)
            try:
                self._session = self._open(name)
            except EngineMissing as error:
                missing.append(name)
                self._refuse(name, error, logging.DEBUG)
            except EngineError as error:
                self._refuse(name, error, logging.WARNING)
            else:
                self.engine = name
                if missing:
                    logger.info("engine %s; not installed here: %s", name, ", ".join(missing))
                return True
        return False

    def close(self) -> None:
        """Give the engine's memory and devices back."""
        if self._session is not None:
            self._session.close()
        self._session, self.engine = None, ""

    def _open(self, name: str) -> Engine:
        """The engine after one run on a black image: the first run is slow, and what opens need not run."""
        session = open_engine(name, self._graph)
        try:
            _check_graph(session, self.card)
            answer = session.run(np.zeros((1, *self.input_size, 3), np.uint8), OUTPUTS)
            _check_answer(dict(zip(OUTPUTS, answer, strict=True)), self.card, len(self.classes))
        except Exception:
            session.close()
            raise
        return session

    def _refuse(self, name: str, error: EngineError, level: int) -> None:
        self.refusals = (*self.refusals, f"{name}: {error}")
        logger.log(level, "engine %s: %s", name, error)


def load_model(folder: Path | str, engines: Sequence[str] = ENGINES, threads: int = 0) -> Model:
    """Read card and graph, check both against each other and open the first of `engines` that runs the graph. Raises
    ModelError.

    threads: of a CPU session, 0 = as many as the process has cores. An engine that is not installed is passed over (all
    in one line), one that fails too (as a warning); TensorRT builds its plan here where none is cached: seconds to
    minutes, progress logged.
    """
    folder = Path(folder)
    unknown = [name for name in engines if name not in ENGINES]
    if unknown or not engines:
        raise ModelError(
            f"expected engines among {', '.join(ENGINES)}, found {', '.join(map(repr, unknown)) or 'none'}"
        )
    card = read_card(folder)
    path = folder / "model.onnx"
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise ModelError(f"expected a graph {path}, found none; export again") from None
    if digest != card["sha256"]:
        raise ModelError(
            f"expected the graph that {folder / 'model.json'} describes, found another (its "
            "sha256 differs); export again"
        )
    graph = Graph(path, digest, str(card.get("precision", "fp32")), card["input"]["name"], card.get("engine"), threads)
    model = Model(folder, card, graph, engines)
    if not model.next_engine():
        why = "; ".join(reversed(model.refusals))
        raise ModelError(f"expected an engine that runs {path}, found none ({why}); export again, or install an engine")
    return model


def read_card(folder: Path) -> dict[str, Any]:
    """model.json, checked: format, input, outputs, classes, thresholds. Raises ModelError."""
    path = folder / "model.json"
    try:
        card = json.loads(path.read_text())
    except OSError:
        raise ModelError(f"expected a model folder with a card {path}, found none") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(f"expected JSON in {path}, found a damaged file ({error}); export again") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ModelError(
            f"expected a model card of format {FORMAT} in {path}, found {found!r}; export the run with this version"
        )
    try:
        _check_card(card)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"expected a complete model card in {path}, found {what}; export again") from error
    return card


def _check_card(card: dict[str, Any]) -> None:
    entry, height, width = card["input"], card["input"]["height"], card["input"]["width"]
    if not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in (height, width)):
        raise ValueError(f"an input of {height} x {width} px where sides of 1 to {LARGEST_SIDE} are meant")
    described = (entry["layout"], entry["dtype"], entry["color"])
    if described != ("NHWC", "uint8", "rgb"):
        raise ValueError(f"an input {described} where this version reads NHWC uint8 rgb")
    shapes = {output["name"]: tuple(output["shape"]) for output in card["outputs"]}
    number = shapes["scores"][0]
    expected = dict(
        zip(OUTPUTS, ((number, 4), (number,), (number,), (number, MASK_SIDE, MASK_SIDE), (height, width)), strict=True)
    )
    if MERGED[0] in shapes:
        expected |= {
            MERGED[0]: (height, width),
            MERGED[1]: (number + max(1, len(Classes.from_json(card["classes"]).regions)), SEGMENT_COLUMNS),
        }
    if shapes != expected:
        raise ValueError(f"outputs {shapes} where {expected} belong to the input")
    if Classes.from_json(card["classes"]).color_table().shape != (len(card["classes"]) + 1, 3) or not card["classes"]:
        raise ValueError("no classes with a colour each")
    _thresholds(card["thresholds"])
    if card.get("precision", "fp32") not in PRECISIONS:
        raise ValueError(f"a precision {card['precision']!r} where one of {', '.join(PRECISIONS)} is meant")
    texts = (entry["name"], card["sha256"], *(output["dtype"] for output in card["outputs"]))
    if not all(isinstance(text, str) for text in texts) or not isinstance(card.get("engine", {}), dict):
        raise ValueError("a name, type or sum that is no text, or an engine that is no object")


def _thresholds(tree: dict[str, Any]) -> Thresholds:
    unknown = set(tree) - {f.name for f in fields(Thresholds)}
    if unknown:
        raise ValueError(f"unknown thresholds {sorted(unknown)}")
    thresholds = {name: float(value) for name, value in tree.items()}
    if not all(0 <= value <= 1 for value in thresholds.values()):
        raise ValueError(f"thresholds {thresholds} where values of 0 to 1 are meant")
    return Thresholds(**thresholds)


def _check_graph(session: Engine, card: dict[str, Any]) -> None:
    """Raises ModelError where names, shapes or types of the graph are not those of the card."""
    entry = card["input"]
    described = {entry["name"]: ((1, entry["height"], entry["width"], 3), entry["dtype"])}
    described |= {output["name"]: (tuple(output["shape"]), output["dtype"]) for output in card["outputs"]}
    found = session.signature
    if found != described:
        wrong = sorted(name for name in {*found, *described} if found.get(name) != described.get(name))
        raise ModelError(
            f"expected the graph's inputs and outputs as in the card, found a difference in {', '.join(wrong)} "
            f"({found.get(wrong[0])} against {described.get(wrong[0])}); export again"
        )


def _check_answer(answer: dict[str, np.ndarray], card: dict[str, Any], classes: int) -> None:
    """Raises ModelError where a graph answers with other shapes, types or classes than its card says."""
    described = {output["name"]: (tuple(output["shape"]), output["dtype"]) for output in card["outputs"]}
    for name, array in answer.items():
        if (array.shape, array.dtype.name) != described[name]:
            raise ModelError(
                f"expected {name} of {described[name]} from the graph, found {(array.shape, array.dtype.name)}; "
                "export again"
            )
    for name in ("class_id", "semantic"):
        if answer[name].min() < 0 or answer[name].max() > classes:
            raise ModelError(
                f"expected classes of 0 to {classes} in {name} from the graph, found {answer[name].min()} to "
                f"{answer[name].max()}; "
                "export again"
            )
