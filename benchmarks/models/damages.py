"""A small sound model folder, and the ways to damage it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 32, 64


SHAPES: dict[str, list[Any]] = {
    "boxes": [2, 4],
    "scores": [2],
    "class_id": [2],
    "masks": [2, 28, 28],
    "semantic": [HEIGHT, WIDTH],
}


TYPES = {name: TensorProto.INT32 if name in ("class_id", "semantic") else TensorProto.FLOAT for name in SHAPES}


JUNK = [
    None,
    True,
    -1,
    0,
    3,
    1e308,
    float("nan"),
    float("inf"),
    10**30,
    "",
    "x",
    "\0",
    [],
    {},
    [[]],
    [None],
    {"id": 1},
    -(10**9),
]


Damage = Callable[[Path, np.random.Generator], None]


def make_model(folder: Path) -> None:
    """A sound model folder with a graph written by hand."""
    folder.mkdir()
    card = {
        "format": 1,
        "name": "fuzz",
        "opset": 18,
        "precision": "fp32",
        "weights": [],
        "input": {
            "name": "image",
            "height": HEIGHT,
            "width": WIDTH,
            "layout": "NHWC",
            "dtype": "uint8",
            "color": "rgb",
        },
        "outputs": [
            {
                "name": name,
                "shape": shape,
                "dtype": "int32" if TYPES[name] == TensorProto.INT32 else "float32",
                "meaning": name,
            }
            for name, shape in SHAPES.items()
        ],
        "classes": [
            {"id": 1, "name": "car", "isthing": 1, "color": [1, 2, 3]},
            {"id": 2, "name": "road", "isthing": 0, "color": [4, 5, 6]},
        ],
        "thresholds": {"score": 0.5, "overlap": 0.5, "mask": 0.5, "stuff_area": 0.002},
        "sha256": "",
    }
    (folder / "model.json").write_text(json.dumps(card))
    write_graph(folder, make_graph(SHAPES, TYPES))


def make_graph(shapes: dict[str, list[Any]], types: dict[str, int], kind: int = 2) -> ModelProto:
    """Constant outputs of these shapes and types; kind: class of every pixel and instance."""
    numpy_types = {
        TensorProto.INT32: np.int32,
        TensorProto.FLOAT: np.float32,
        TensorProto.DOUBLE: np.float64,
        TensorProto.INT64: np.int64,
    }
    nodes = [
        helper.make_node(
            "Constant", [], [name], value=numpy_helper.from_array(np.full(shape, kind, numpy_types[types[name]]))
        )
        for name, shape in shapes.items()
    ]
    nodes.append(helper.make_node("Cast", ["image"], ["unused"], to=TensorProto.FLOAT))
    outputs = [helper.make_tensor_value_info(name, types[name], shapes[name]) for name in shapes]
    entry = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, WIDTH, 3])
    return helper.make_model(
        helper.make_graph(nodes, "fuzz", [entry], outputs), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )


def write_graph(folder: Path, graph: ModelProto | bytes) -> None:
    """Put a graph into the folder, with the sum that belongs to it."""
    data = graph if isinstance(graph, bytes) else graph.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "sha256": hashlib.sha256(data).hexdigest()}))


def cut_card(folder: Path, rng: np.random.Generator) -> None:
    data = (folder / "model.json").read_bytes()
    (folder / "model.json").write_bytes(data[: int(rng.integers(0, len(data)))])


def flip_card(folder: Path, rng: np.random.Generator) -> None:
    (folder / "model.json").write_bytes(_flip((folder / "model.json").read_bytes(), rng))


def flip_graph(folder: Path, rng: np.random.Generator) -> None:
    (folder / "model.onnx").write_bytes(_flip((folder / "model.onnx").read_bytes(), rng))


def cut_graph_with_its_sum(folder: Path, rng: np.random.Generator) -> None:
    data = (folder / "model.onnx").read_bytes()
    write_graph(folder, data[: int(rng.integers(0, len(data)))])


def flip_graph_with_its_sum(folder: Path, rng: np.random.Generator) -> None:
    write_graph(folder, _flip((folder / "model.onnx").read_bytes(), rng))


def noise_as_graph(folder: Path, rng: np.random.Generator) -> None:
    write_graph(folder, rng.bytes(int(rng.integers(0, 4096))))


def change_card(folder: Path, rng: np.random.Generator) -> None:
    """One to three values, anywhere in the tree, replaced by junk or taken away."""
    card = json.loads((folder / "model.json").read_text())
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(card))
        if places:
            holder, key = places[int(rng.integers(len(places)))]
            if rng.random() < 0.3:
                del holder[key]
            else:
                holder[key] = JUNK[int(rng.integers(len(JUNK)))]
    (folder / "model.json").write_text(json.dumps(card))


def change_thresholds(folder: Path, rng: np.random.Generator) -> None:
    card = json.loads((folder / "model.json").read_text())
    name = list(card["thresholds"])[int(rng.integers(4))]
    card["thresholds"][name] = [float("nan"), float("inf"), -0.1, 1.1, "half", None, -1e308][int(rng.integers(7))]
    (folder / "model.json").write_text(json.dumps(card))


def other_json(folder: Path, rng: np.random.Generator) -> None:
    texts = ["", "[]", "1", "null", '"card"', "[" * 100_000, '{"format": 1}', "\ufeff{}", "{} {}", "9" * 5000]
    (folder / "model.json").write_text(texts[int(rng.integers(len(texts)))])


def take_files(folder: Path, rng: np.random.Generator) -> None:
    """A file missing, empty, or a folder in its place."""
    path = folder / ("model.json", "model.onnx")[int(rng.integers(2))]
    path.unlink()
    way = int(rng.integers(3))
    if way == 1:
        path.write_bytes(b"")
    elif way == 2:
        path.mkdir()


def other_outputs(folder: Path, rng: np.random.Generator) -> None:
    """A sound graph of another interface: an output renamed, missing, more, of another shape or type."""
    shapes, types = {name: list(shape) for name, shape in SHAPES.items()}, dict(TYPES)
    name, way = list(SHAPES)[int(rng.integers(5))], int(rng.integers(5))
    if way == 0:
        shapes = {("other" if n == name else n): s for n, s in shapes.items()}
        types["other"] = types[name]
    elif way == 1:
        del shapes[name]
    elif way == 2:
        shapes["more"], types["more"] = [1], TensorProto.FLOAT
    elif way == 3:
        shapes[name][int(rng.integers(len(shapes[name])))] += int(rng.integers(1, 9))
    else:
        types[name] = {TensorProto.FLOAT: TensorProto.DOUBLE, TensorProto.INT32: TensorProto.INT64}[types[name]]
    write_graph(folder, make_graph(shapes, types))


def other_answers(folder: Path, rng: np.random.Generator) -> None:
    """A graph whose answers are of classes that are not there."""
    write_graph(folder, make_graph(SHAPES, TYPES, kind=int(rng.choice([-1, 3, 255, 10**6]))))


DAMAGES: tuple[Damage, ...] = (
    cut_card,
    flip_card,
    flip_graph,
    cut_graph_with_its_sum,
    flip_graph_with_its_sum,
    noise_as_graph,
    change_card,
    change_card,
    change_card,
    change_thresholds,
    other_json,
    take_files,
    other_outputs,
    other_answers,
)


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        changed[int(rng.integers(len(changed)))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _places(tree: Any) -> list[tuple[Any, Any]]:
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    return [(tree, key) for key in keys] + [place for key in keys for place in _places(tree[key])]
