"""Stage 3: the teacher's rules on hand-made numbers, and the loop on toy frames."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cups_ros.types import Classes, PseudoClass
from cups_train.config import SelfTrainConfig
from cups_train.network import Detections, Features, NetworkSpec, build_network, load_checkpoint, save_checkpoint
from cups_train.published import self_labels as published
from cups_train.recording import Stamp
from cups_train.self_train import self_train
from cups_train.self_train.self_labels import LabelRule, self_label, semantic_labels
from cups_train.self_train.teacher import momentum_for
from cups_train.self_train.threshold import HeldThreshold, Watch
from cups_train.self_train.views import Consensus, Look, detect_in_views, look, to_image, to_view, view_sizes
from cups_train.training.average import follow, still_copy
from cups_train.training.journal import Journal
from cups_train.types import StereoCamera, StereoFrame, Work

CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (40 * i, 90, 255 - 40 * i)) for i in range(1, 5)))
SPEC = NetworkSpec(CLASSES, 64, 128, "resnet18", "group", 16, 16, 1, 16, 16, 8)
SHORT = SelfTrainConfig(
    steps=4,
    batch=2,
    rois=16,
    scales=(0.75, 1.0),
    instance_score=0.05,
    checkpoint_every=2,
    pictures_every=4,
    copy_paste=2,
    jitter=(1.0, 1.0),
    lr=1e-3,
    validate_every=2,
    validation_frames=2,
)
WORK = Work(5, 1, "cpu")


@dataclass(frozen=True, eq=False)
class ToyRecording:
    name: str = "toy"
    fingerprint: str = "toy"
    stamps: tuple[Stamp, ...] = field(default_factory=lambda: tuple(Stamp(f"{n:06d}", n, True) for n in range(3)))

    def stereo(self, key: str) -> StereoFrame:
        left = ToyRecording.left(self, key)
        return StereoFrame(
            key, int(key), left, np.roll(left, -2, axis=1), StereoCamera(100, 180, 90.0, 90.0, 90.0, 50.0, 0.5)
        )

    def left(self, key: str) -> np.ndarray:
        return np.random.default_rng(int(key)).integers(0, 256, (10, 20, 3), dtype=np.uint8).repeat(10, 0).repeat(9, 1)


class Killed(Exception):
    pass


class MortalRecording(ToyRecording):
    """The same images, but the training is killed where it reads those of the fourth step."""

    def left(self, key: str) -> np.ndarray:
        reads.append(key)
        if len(reads) > 3 * SHORT.batch + SHORT.validation_frames:
            raise Killed
        return super().left(key)


reads: list[str] = []


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A random network whose heads are bold enough to find something."""
    network = build_network(SPEC, seed=3)
    with torch.no_grad():
        for head in network.box_heads:
            head.cls_score.weight.mul_(30)
        network.mask_head.predictor.weight.mul_(100)
    path = tmp_path_factory.mktemp("start") / "checkpoint.safetensors"
    save_checkpoint(network, path)
    return path


def test_the_two_rules_of_semantic_labels():
    columns = [(0.6, 0.3, 0.1), (0.2, 0.5, 0.3), (0.29, 0.2, 0.51), (0.28, 0.24, 0.24), (0.29, 0.26, 0.2)]
    probabilities = torch.tensor(columns).T.reshape(3, 1, 5)
    assert semantic_labels(probabilities[:, :, :2], 0.5).tolist() == [[0, 1]]
    assert semantic_labels(probabilities, 0.5).tolist() == [[0, 1, 2, 255, 255]]
    assert published.semantic_labels(probabilities, 0.5).tolist() == [[0, 1, 2, 255, 1]]


def test_self_label_draws_sure_instances_without_overlap():
    boxes = torch.tensor([[4.0, 4, 24, 24], [14, 4, 34, 24], [40, 4, 60, 24]])
    found = Detections(boxes, torch.tensor([0.95, 0.9, 0.6]), torch.tensor([1, 0, 0]))
    teacher = Consensus(found, torch.ones(3, 28, 28), torch.zeros(3, 32, 64))
    semantic = np.full((32, 64), 2, np.uint8)
    image = np.zeros((32, 64, 3), np.uint8)
    for unsure, ignored in ((0.7, 0), (0.65, 0), (0.5, 400)):
        sample = self_label(image, teacher, semantic, LabelRule(CLASSES, 0.7, unsure, ignore_unknown=True))
        assert sample.thing.tolist() == [1, 0]
        assert np.bincount(sample.instance.ravel()).tolist() == [32 * 64 - 600, 400, 200]
        assert (sample.semantic[4:24, 40:60] == (255 if ignored else 2)).all()  # the third is unsure
        assert np.count_nonzero(sample.semantic == 255) == ignored  # as published: instances do not force their pixels
    thing_pixels = semantic.copy()
    thing_pixels[:, :60] = 0  # over the first two instances and much else
    for ignore in (True, False):
        sample = self_label(image, teacher, thing_pixels, LabelRule(CLASSES, 0.7, 0.7, ignore_unknown=ignore))
        assert (sample.semantic[sample.instance > 0] == thing_pixels[sample.instance > 0]).all()
        assert (sample.semantic[(sample.instance == 0) & (thing_pixels == 0)] == (255 if ignore else 0)).all()


def test_momentum():
    student, teacher = (build_network(SPEC, seed=seed) for seed in (1, 2))
    with torch.no_grad():
        for network, value in ((student, 1.0), (teacher, 0.0)):
            for parameter in network.parameters():
                parameter.fill_(value)
    student.backbone.requires_grad_(False)
    for _ in range(7):
        follow(teacher, student, 0.999)
    assert torch.allclose(teacher.semantic_head.predictor.bias, torch.tensor(1 - 0.999**7), atol=1e-7)
    assert next(teacher.backbone.parameters()).abs().max() == 0
    assert momentum_for(1500, None) == pytest.approx(0.999) and momentum_for(60, None) ** 60 == pytest.approx(
        0.999**1500
    )
    assert momentum_for(60, 0.5) == 0.5


def test_boxes_go_to_a_mirrored_view_and_back():
    view = Look(Features((), (64, 96)), mirrored=True)
    boxes = torch.tensor([[[10.0, 20, 50, 60]]])
    assert to_view(boxes, view, (128, 192)).tolist() == [[[71.0, 10, 91, 30]]]
    assert to_image(to_view(boxes, view, (128, 192)), view, (128, 192)).tolist() == boxes.tolist()


def test_views_that_disagree_about_the_kind_of_an_object_find_it_once():
    class TwoViews:
        """Each view finds something else."""

        spec = SPEC
        found = [
            (
                torch.tensor([[[10.0, 10, 50, 50], [60, 10, 90, 40]]]),
                torch.tensor([[0.8, 0.3]]),
                torch.tensor([[0, 1]]),
            ),
            (torch.tensor([[[78.0, 10, 118, 50], [2, 2, 30, 30]]]), torch.tensor([[0.9, 0.0]]), torch.tensor([[1, 0]])),
        ]

        def detect(self, features):
            return Detections(*self.found.pop(0))

    views = [Look(Features((), (64, 128)), mirrored) for mirrored in (False, True)]
    (found,) = detect_in_views(TwoViews(), views, (64, 128), 0.2)
    assert found.boxes.tolist() == [[10, 10, 50, 50], [60, 10, 90, 40]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.3]) and found.thing.tolist() == [1, 1]


def test_a_mirrored_image_gets_mirrored_answers(start):
    network = still_copy(load_checkpoint(start))
    image = torch.rand(1, 3, 64, 128, generator=torch.Generator().manual_seed(0))
    sizes = view_sizes((64, 128), (1.0, 1.5))
    assert sizes == [(64, 128), (96, 192)]
    plain, mirrored = (look(network, x, sizes, 0.05)[0] for x in (image, image.flip(-1)))
    assert plain.semantic.shape == (3, 64, 128)
    assert torch.allclose(plain.semantic, mirrored.semantic.flip(-1), atol=1e-4)
    assert len(plain.found.boxes) == len(mirrored.found.boxes) > 0
    x1, y1, x2, y2 = mirrored.found.boxes.unbind(-1)
    assert torch.allclose(plain.found.boxes, torch.stack([128 - x2, y1, 128 - x1, y2], dim=-1), atol=1e-2)
    assert torch.allclose(plain.masks, mirrored.masks.flip(-1), atol=1e-3)
    assert (plain.found.scores[:-1] >= plain.found.scores[1:]).all() and plain.found.scores.min() > 0.05


def test_only_heads_change_and_a_killed_run_ends_like_one_that_was_not(start, tmp_path, monkeypatch):
    whole = (
        self_train([ToyRecording()], start, tmp_path / "whole", SHORT, WORK).parent
        / "state"
        / "000004"
        / "student.safetensors"
    )
    before, after = load_file(start), load_file(whole)
    changed = {name.split(".")[0] for name in before if digest(before[name]) != digest(after[name])}
    assert (
        changed <= {"rpn", "box_heads", "mask_head", "semantic_head"}
        and {"rpn", "box_heads", "semantic_head"} <= changed
    )
    norms = [name for name in before if name.startswith("semantic_head.levels") and before[name].dim() == 1]
    assert norms and all(torch.equal(before[name], after[name]) for name in norms)

    with pytest.raises(Killed):
        self_train([MortalRecording()], start, tmp_path / "killed", SHORT, WORK)
    assert [p.name for p in (tmp_path / "killed" / "state").iterdir()] == ["000002"]
    resumed = load_file(
        self_train([ToyRecording()], start, tmp_path / "killed", SHORT, WORK).parent
        / "state"
        / "000004"
        / "student.safetensors"
    )
    kept = [load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in after)
    assert all(torch.equal(after[name], resumed[name]) for name in after)
    rows = [json.loads(line) for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4] and {"instances", "ignored", "score"} <= rows[0].keys()
    assert sum(row["instances"] for row in rows) > 0
    teacher = load_file(tmp_path / "whole" / "state" / "000004" / "teacher.safetensors")
    moved = teacher["semantic_head.predictor.weight"]
    assert not torch.equal(moved, before["semantic_head.predictor.weight"]) and not torch.equal(
        moved, after["semantic_head.predictor.weight"]
    )


def digest(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def test_no_steps_give_the_start_back(start, tmp_path):
    done = self_train([ToyRecording()], start, tmp_path, SHORT.model_copy(update={"steps": 0}), WORK)
    before, after = load_file(start), load_file(done)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_teacher_that_finds_nothing_is_named(tmp_path):
    watch = Watch(Journal(tmp_path, 40), steps=40)
    for instances in (1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0):
        watch.look(instances)
    assert not (tmp_path / "train.log").exists()
    for _ in range(20):
        watch.look(0)
    assert (tmp_path / "train.log").read_text().count("no instance in 8 steps") == 1


def test_the_threshold_sinks_with_the_scores_but_never_rises():
    threshold = HeldThreshold(first=4)
    assert [threshold.hold([[0.9, 0.75, 0.4], [0.8]], 0.7) for _ in range(2)] == [0.7, 0.7]
    assert threshold.rate == 1.5
    again = HeldThreshold(**json.loads(json.dumps(threshold.to_json())))
    for held in (threshold, again):
        gammas = [held.hold([[0.6, 0.45, 0.1], [0.5]], 0.7) for _ in range(40)]
        assert gammas[-1] == 0.45  # 1.5 an image: 0.6, 0.5 and 0.45 in two images
        assert all(later <= earlier for earlier, later in zip(gammas, gammas[1:], strict=False))
        assert held.hold([[0.2], []] * 32, 0.7) == 0.35  # not below half
        assert held.hold([[0.99] * 9] * 64, 0.7) == 0.7
    assert [HeldThreshold(first=2).hold([[], []], 0.7), HeldThreshold(first=0).hold([[]], 0.7)] == [0.7, 0.7]
