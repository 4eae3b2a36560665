"""The merge inside the graph against the sequential rule of the host."""

import numpy as np
import pytest
import torch

from cups_ros.fusion import Letterbox, fuse
from cups_ros.merged import unpack
from cups_ros.types import Classes, PseudoClass, RawOutput, Thresholds
from cups_train.export.graph_fusion import GraphFusion, paste

HEIGHT, WIDTH = 96, 192
CLASSES = Classes(tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i)) for i in range(1, 8)))
JOINED = Classes(
    tuple(PseudoClass(i, f"c{i}", i in (2, 4), (i, i, i), {4: 2, 6: 3, 7: 3}.get(i, 0)) for i in range(1, 8))
)
UNKNOWN, JOINED_UNKNOWN = (classes.with_unknown((9, 9, 9)) for classes in (CLASSES, JOINED))
THRESHOLDS = Thresholds(score=0.3, stuff_area=0.01)


def merge_both(raw, thresholds=THRESHOLDS, classes=CLASSES):
    parts = (raw.boxes, raw.scores, raw.class_id, raw.masks, raw.semantic)
    merged = GraphFusion(classes, thresholds)(*(torch.from_numpy(part) for part in parts))
    size = raw.semantic.shape
    return fuse(raw, classes, thresholds, Letterbox(size, size)), unpack(
        merged.panoptic.numpy(), merged.segments.numpy(), classes, size
    )


def random_raw(rng, number=24, smooth=True):
    """Crowded boxes: random ones, or groups that hide each other as a network's answers do; blobs or noise as masks."""
    centre = rng.uniform((0, 0), (WIDTH, HEIGHT), (6, 2))[rng.integers(0, 6, number)] + rng.normal(0, 8, (number, 2))
    size = rng.uniform(6, 60, (number, 2))
    boxes = (
        np.concatenate([centre - size / 2, centre + size / 2], 1)
        .clip(0, (WIDTH, HEIGHT, WIDTH, HEIGHT))
        .astype(np.float32)
    )
    y, x = np.mgrid[:28, :28]
    blob = 1 / (1 + np.exp((np.hypot(x - 13.5, y - 13.5)[None] - rng.uniform(6, 18, (number, 1, 1))) / 1.5))
    masks = (blob if smooth else rng.uniform(0, 1, (number, 28, 28))).astype(np.float32)
    scores = np.sort(rng.uniform(0, 1, number).astype(np.float32))[::-1].copy()
    scores[-3:] = 0
    coarse = rng.choice([0, 1, 3, 5, 6, 7], (6, 12)).astype(np.int32)
    return RawOutput(
        boxes, scores, rng.choice([2, 4], number).astype(np.int32), masks, coarse.repeat(16, 0).repeat(16, 1)
    )


@pytest.mark.parametrize("smooth", [True, False], ids=["trained-like", "noise"])
def test_id_maps_equal_the_sequential_rule(smooth):
    different, total, instances = 0, 0, 0
    for seed in range(20):
        host, graph = merge_both(random_raw(np.random.default_rng(seed), smooth=smooth))
        different += int(((host.class_id != graph.class_id) | (host.instance_id != graph.instance_id)).sum())
        total += host.class_id.size
        instances += int(host.instance_id.max())
        if len(host.segments) == len(graph.segments):
            for a, b in zip(host.segments, graph.segments, strict=True):
                assert (a.class_id, a.instance_id, a.is_thing) == (
                    b.class_id,
                    b.instance_id,
                    b.is_thing,
                ) and a.score == pytest.approx(b.score)
                assert abs(a.area - b.area) <= max(3, 0.02 * a.area)
    assert instances > 100
    assert different / total < 1e-3, different / total


def test_classes_that_a_person_merged_are_merged_in_the_graph_too():
    for seed in range(4):
        host, graph = merge_both(random_raw(np.random.default_rng(seed)), classes=JOINED)
        assert (host.class_id != graph.class_id).mean() < 1e-3 and set(np.unique(graph.class_id)) == {0, 1, 2, 3, 5}
        assert [s.class_id for s in host.segments] == [s.class_id for s in graph.segments]


@pytest.mark.parametrize("classes", [UNKNOWN, JOINED_UNKNOWN], ids=["plain", "merged"])
def test_unknown_objects_are_one_region_in_the_graph_too(classes):
    for seed in range(6):
        host, graph = merge_both(random_raw(np.random.default_rng(seed)), classes=classes)
        assert ((host.class_id != graph.class_id) | (host.instance_id != graph.instance_id)).mean() < 1e-3
        assert [(s.class_id, s.instance_id, s.is_thing) for s in host.segments] == [
            (s.class_id, s.instance_id, s.is_thing) for s in graph.segments
        ]
        assert [s.class_id for s in graph.segments if s.is_crowd] == [8] and not (graph.class_id == 0).any()
        void, _ = merge_both(random_raw(np.random.default_rng(seed)), classes=classes.learned())
        assert (void.class_id == np.where(host.class_id == 8, 0, host.class_id)).all()


def test_few_unknown_objects_are_void_in_the_graph_too():
    semantic = np.full((HEIGHT, WIDTH), 3, np.int32)
    semantic[:8, :16] = 0  # 128 of 18432 pixels: below one in a hundred
    raw = RawOutput(
        np.zeros((4, 4), np.float32),
        np.zeros(4, np.float32),
        np.full(4, 2, np.int32),
        np.ones((4, 28, 28), np.float32),
        semantic,
    )
    host, graph = merge_both(raw, classes=UNKNOWN)
    assert (host.class_id == graph.class_id).all() and set(np.unique(graph.class_id)) == {0, 3}


def test_a_chain_of_hidden_instances_is_decided_row_after_row():
    """A hides B, which would hide C: B is dropped, so that C is drawn; D lies under C and is dropped."""
    boxes = np.array([[0, 0, 40, 40], [8, 0, 48, 40], [22, 0, 62, 40], [24, 0, 64, 40]], np.float32)
    raw = RawOutput(
        boxes,
        np.array([0.9, 0.8, 0.7, 0.6], np.float32),
        np.full(4, 2, np.int32),
        np.ones((4, 28, 28), np.float32),
        np.ones((HEIGHT, WIDTH), np.int32),
    )
    host, graph = merge_both(raw)
    assert (host.instance_id == graph.instance_id).all() and (host.class_id == graph.class_id).all()
    assert [s.bbox for s in graph.segments if s.is_thing] == [(0, 0, 40, 40), (40, 0, 22, 40)]
    assert [s.area for s in graph.segments] == [40 * 40, 22 * 40, HEIGHT * WIDTH - 62 * 40]


def test_small_stuff_is_void_and_empty_answers_are_stuff_alone():
    semantic = np.full((HEIGHT, WIDTH), 3, np.int32)
    semantic[:8, :16] = 5  # 128 of 18432 pixels: below one in a hundred
    semantic[20:30, :] = 0
    raw = RawOutput(
        np.zeros((4, 4), np.float32),
        np.zeros(4, np.float32),
        np.full(4, 2, np.int32),
        np.ones((4, 28, 28), np.float32),
        semantic,
    )
    host, graph = merge_both(raw)
    assert (host.class_id == graph.class_id).all() and set(np.unique(graph.class_id)) == {0, 3}
    assert [(s.class_id, s.area, s.bbox) for s in graph.segments] == [
        (3, HEIGHT * WIDTH - 128 - 10 * WIDTH, (0, 0, WIDTH, HEIGHT))
    ]


def test_pasting_samples_at_pixel_centres():
    """A mask whose right half is on, in a box of 8 pixels: the four right ones."""
    mask = torch.zeros(1, 28, 28)
    mask[:, :, 14:] = 1
    inside = paste(torch.tensor([[4.0, 2.0, 12.0, 6.0]]), mask, (8, 16), 0.5)[0]
    assert inside.nonzero().tolist() == [[y, x] for y in range(2, 6) for x in range(8, 12)]


def test_a_larger_image_gets_the_map_enlarged():
    merged = GraphFusion(CLASSES, THRESHOLDS)(
        *(torch.from_numpy(part) for part in vars(random_raw(np.random.default_rng(0))).values())
    )
    small = unpack(merged.panoptic.numpy(), merged.segments.numpy(), CLASSES, (HEIGHT, WIDTH))
    large = unpack(merged.panoptic.numpy(), merged.segments.numpy(), CLASSES, (2 * HEIGHT, 2 * WIDTH))
    assert (large.class_id == small.class_id.repeat(2, 0).repeat(2, 1)).all()
    assert [s.area for s in large.segments] == [4 * s.area for s in small.segments]
    assert [s.bbox for s in large.segments] == [tuple(2 * v for v in s.bbox) for s in small.segments]
