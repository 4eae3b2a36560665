"""A tiny hand-made graph stands for the network: one instance over the bright left half, stuff class 2 elsewhere."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cups_ros.engines import EngineError
from cups_ros.model import ModelError, load_model

HEIGHT, WIDTH = 32, 64
CLASSES = [
    {"id": 1, "name": "car", "isthing": 1, "color": [1, 2, 3]},
    {"id": 2, "name": "road", "isthing": 0, "color": [4, 5, 6]},
]

INPUT = {"name": "image", "height": HEIGHT, "width": WIDTH, "layout": "NHWC", "dtype": "uint8", "color": "rgb"}
INTEGERS = ("class_id", "semantic", "panoptic")


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))


def write_graph(path, width=WIDTH, merged=False, semantic=2):
    """Score = mean of the input / 255; everything else is constant. merged: the left quarter is the instance, the rest
    road."""
    nodes = [
        constant("boxes", np.array([[0, 0, width / 2, HEIGHT], [0, 0, 0, 0]], np.float32)),
        constant("class_id", np.array([1, 0], np.int32)),
        constant("masks", np.ones((2, 28, 28), np.float32)),
        constant("semantic", np.full((HEIGHT, width), semantic, np.int32)),
        constant("weight", np.array([1 / 255, 0], np.float32)),
        helper.make_node("Cast", ["image"], ["real"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["scores"]),
    ]
    shapes = {"boxes": [2, 4], "scores": [2], "class_id": [2], "masks": [2, 28, 28], "semantic": [HEIGHT, width]}
    if merged:
        ids = np.full((HEIGHT, width), 3, np.int32)
        ids[:, : width // 4] = 1
        part, area = width // 4, HEIGHT * width // 4
        table = np.array([[1, 0.9, area, 0, 0, part, HEIGHT], [0] * 7, [2, 1, 3 * area, part, 0, 3 * part, HEIGHT]])
        nodes += [constant("panoptic", ids), constant("segments", table.astype(np.float32))]
        shapes |= {"panoptic": [HEIGHT, width], "segments": [3, 7]}
    kinds = {name: TensorProto.INT32 if name in INTEGERS else TensorProto.FLOAT for name in shapes}
    outputs = [helper.make_tensor_value_info(name, kinds[name], shape) for name, shape in shapes.items()]
    entry = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, HEIGHT, width, 3])
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", [entry], outputs), opset_imports=[helper.make_opsetid("", 18)], ir_version=10
    )
    onnx.save(model, path)
    return [
        {"name": n, "shape": s, "dtype": "int32" if n in INTEGERS else "float32", "meaning": ""}
        for n, s in shapes.items()
    ]


@pytest.fixture
def folder(tmp_path):
    outputs = write_graph(tmp_path / "model.onnx")
    card = {
        "format": 1,
        "name": "tiny",
        "input": INPUT,
        "outputs": outputs,
        "classes": CLASSES,
        "precision": "fp32",
        "opset": 18,
        "thresholds": {"score": 0.5, "overlap": 0.5, "stuff_area": 0.002},
        "sha256": hashlib.sha256((tmp_path / "model.onnx").read_bytes()).hexdigest(),
        "weights": [],
    }
    (tmp_path / "model.json").write_text(json.dumps(card))
    return tmp_path


def change(folder, **changes):
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, **changes}))


def test_an_image_of_another_size_comes_back_at_its_size(folder):
    model = load_model(folder)
    assert (model.name, model.input_size, model.classes.things) == ("tiny", (HEIGHT, WIDTH), (1,))
    assert model.engine == "onnxruntime-cpu" and model.thresholds.stuff_area == 0.002
    panoptic = model.infer(np.full((64, 128, 3), 200, np.uint8))
    assert (
        (panoptic.class_id[:, :62] == 1).all()
        and (panoptic.class_id[:, 66:] == 2).all()
        and panoptic.instance_id[0, 0] == 1
    )
    assert [segment.class_id for segment in panoptic.segments] == [1, 2]
    assert panoptic.segments[0].score == pytest.approx(200 / 255, abs=1e-3)


def test_an_instance_below_the_score_is_not_drawn(folder):
    assert [s.class_id for s in load_model(folder).infer(np.full((HEIGHT, WIDTH, 3), 100, np.uint8)).segments] == [2]


def test_raw_outputs_need_the_input_size(folder):
    model = load_model(folder)
    assert model.raw(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).masks.shape == (2, 28, 28)
    with pytest.raises(ValueError, match="expected uint8"):
        model.raw(np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8))
    with pytest.raises(ValueError, match="expected a uint8 image"):
        model.infer(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": 2}, "format 1"),
        ({"sha256": "0"}, "sha256 differs"),
        ({"classes": [{**CLASSES[0], "id": 3}]}, "class ids"),
        ({"thresholds": {"height": 1}}, "unknown thresholds"),
        ({"outputs": []}, "no 'scores'"),
        ({"classes": None}, "complete model card"),
        ({"input": {**INPUT, "layout": "NCHW"}}, "NHWC"),
        ({"input": {**INPUT, "name": "other"}}, "image, other"),
        ({"input": {**INPUT, "width": 96}}, "belong to the input"),
    ],
)
def test_cards_that_do_not_fit_are_refused(folder, changes, text):
    change(folder, **changes)
    with pytest.raises(ModelError, match=text):
        load_model(folder)


def test_a_graph_of_another_size_is_refused(folder):
    write_graph(folder / "model.onnx", width=96)
    change(folder, sha256=hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest())
    with pytest.raises(ModelError, match="difference in"):
        load_model(folder)


def test_missing_and_damaged_files_are_refused(folder, tmp_path_factory):
    with pytest.raises(ModelError, match="with a card"):
        load_model(tmp_path_factory.mktemp("empty"))
    (folder / "model.onnx").write_bytes(b"nonsense")
    change(folder, sha256=hashlib.sha256(b"nonsense").hexdigest())
    with pytest.raises(ModelError, match="refuses"):
        load_model(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="found none"):
        load_model(folder)
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        load_model(folder)


def test_engines_that_are_unknown_or_not_installed_are_named(folder):
    with pytest.raises(ModelError, match="no-such-engine"):
        load_model(folder, engines=("no-such-engine",))
    with pytest.raises(ModelError, match="found none .tensorrt: expected the package tensorrt"):
        load_model(folder, engines=("tensorrt",))


def test_a_missing_engine_is_passed_over_with_a_sentence(folder):
    model = load_model(folder, engines=("tensorrt", "onnxruntime-cpu"))
    assert (
        model.engine == "onnxruntime-cpu"
        and len(model.refusals) == 1
        and model.refusals[0].startswith("tensorrt: expected the package")
    )


def test_the_next_engine_takes_over_until_none_is_left(folder):
    model = load_model(folder, engines=("onnxruntime-cpu", "tensorrt", "onnxruntime-cpu"))
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    first = model.infer(image)
    assert (
        model.next_engine()
        and model.engine == "onnxruntime-cpu"
        and (model.infer(image).class_id == first.class_id).all()
    )
    assert not model.next_engine() and model.engine == ""
    with pytest.raises(EngineError, match="none left"):
        model.infer(image)


def test_a_map_merged_by_the_graph_is_taken_where_it_holds(folder):
    """Where the image fills the input and the thresholds are the card's; else the host merges."""
    outputs = write_graph(folder / "model.onnx", merged=True)
    change(folder, outputs=outputs, sha256=hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest())
    model = load_model(folder)
    image = np.full((2 * HEIGHT, 2 * WIDTH, 3), 200, np.uint8)
    panoptic = model.infer(image)
    assert (
        model.merges
        and (panoptic.instance_id[:, : WIDTH // 2] == 1).all()
        and (panoptic.class_id[:, WIDTH // 2 :] == 2).all()
    )
    assert [(s.class_id, s.instance_id, s.area, s.bbox) for s in panoptic.segments] == [
        (1, 1, HEIGHT * WIDTH, (0, 0, WIDTH // 2, 2 * HEIGHT)),
        (2, 0, 3 * HEIGHT * WIDTH, (WIDTH // 2, 0, 3 * WIDTH // 2, 2 * HEIGHT)),
    ]
    small = model.infer(image[::2, ::2])
    assert [(s.class_id, s.bbox) for s in small.segments] == [
        (1, (0, 0, WIDTH // 4, HEIGHT)),
        (2, (WIDTH // 4, 0, 3 * WIDTH // 4, HEIGHT)),
    ]
    # padded: the host draws the left half of the input
    assert model.infer(image[:, :WIDTH]).instance_id[0, WIDTH // 3] == 1
    model.thresholds = replace(model.thresholds, score=0.9)
    assert [s.class_id for s in model.infer(image).segments] == [2]


def test_classes_that_stand_for_others_are_merged_on_the_host(folder):
    outputs = write_graph(folder / "model.onnx", merged=True)
    truck = {"id": 3, "name": "truck", "isthing": 1, "color": [7, 8, 9], "merge_into": 1}
    change(
        folder,
        outputs=outputs,
        classes=[*CLASSES, truck],
        sha256=hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
    )
    model = load_model(folder)
    assert not model.merges and model.infer(np.full((HEIGHT, WIDTH, 3), 200, np.uint8)).instance_id[0, WIDTH // 3] == 1


def test_a_card_without_unknown_object_leaves_some_thing_void(folder):
    """A card may have no such class; with it, the same graph answers with a region of it."""
    path = folder / "model.onnx"
    outputs = write_graph(path, semantic=0)
    change(folder, outputs=outputs, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    assert set(np.unique(load_model(folder).infer(image).class_id)) == {0, 1}
    change(
        folder, classes=[*CLASSES, {"id": 3, "name": "unknown object", "isthing": 1, "color": [7, 8, 9], "unknown": 1}]
    )
    answer = load_model(folder).infer(image)
    assert [(s.class_id, s.instance_id, s.is_thing, s.area) for s in answer.segments] == [
        (1, 1, True, 1024),
        (3, 0, True, 1024),
    ]
