"""The merge of instances and stuff, on maps worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from cups_ros.fusion import Letterbox, areas, fuse, letterbox, panoptic_from_maps
from cups_ros.types import Classes, KnownInstance, Panoptic, PseudoClass, RawOutput, Thresholds

ROAD, CAR, SKY = (
    PseudoClass(1, "road", False, (128, 64, 128)),
    PseudoClass(2, "car", True, (0, 0, 142)),
    PseudoClass(3, "sky", False, (70, 130, 180)),
)
CLASSES = Classes((ROAD, CAR, SKY))
SAME = Letterbox((8, 16), (8, 16))


def raw(boxes, scores, semantic, kinds=None):
    count = len(boxes)
    return RawOutput(
        np.array(boxes, np.float32).reshape(count, 4),
        np.array(scores, np.float32),
        np.array(kinds or [2] * count, np.int32),
        np.ones((count, 28, 28), np.float32),
        np.asarray(semantic, np.int32),
    )


def sky_over_road():
    semantic = np.ones((8, 16), np.int32)
    semantic[:4] = 3
    return semantic


def test_an_instance_covers_stuff_and_stuff_keeps_the_rest():
    answer = fuse(raw([[2, 2, 6, 6]], [0.9], sky_over_road()), CLASSES, Thresholds(stuff_area=0), SAME)
    assert (answer.class_id[2:6, 2:6] == 2).all() and (answer.instance_id[2:6, 2:6] == 1).all()
    areas = {s.class_id: s.area for s in answer.segments}
    assert areas == {2: 16, 3: 64 - 8, 1: 64 - 8}
    assert [s.bbox for s in answer.segments if s.is_thing] == [(2, 2, 4, 4)]


def test_the_better_score_wins_and_a_hidden_instance_is_dropped():
    boxes, scores = [[0, 0, 8, 8], [0, 0, 4, 8], [6, 0, 12, 8]], [0.6, 0.9, 0.7]
    answer = fuse(raw(boxes, scores, sky_over_road()), CLASSES, Thresholds(stuff_area=0), SAME)
    things = [s for s in answer.segments if s.is_thing]
    # 0.9 takes columns 0-3, 0.7 takes 6-11; of the 0.6 box (0-7) only columns 4-5 are free: 25 % visible, dropped
    assert [(round(s.score, 1), s.area) for s in things] == [(0.9, 32), (0.7, 48)]
    assert answer.instance_id[0].tolist() == [1] * 4 + [0] * 2 + [2] * 6 + [0] * 4


def test_low_scores_small_stuff_and_uncovered_things_stay_void():
    semantic = sky_over_road()
    semantic[6:, :2] = 0  # "some thing" without an instance
    semantic[:1, :1] = 1  # one pixel of road in the sky joins the road segment
    answer = fuse(raw([[2, 2, 6, 6]], [0.4], semantic), CLASSES, Thresholds(stuff_area=0.5), SAME)
    assert answer.segments == () and (answer.class_id == 0).all()


def test_padding_rows_are_never_drawn():
    answer = fuse(
        raw([[2, 2, 6, 6], [8, 2, 12, 6]], [0.1, 0.0], sky_over_road()),
        CLASSES,
        Thresholds(score=0.0, stuff_area=0),
        SAME,
    )
    assert [s.bbox for s in answer.segments if s.is_thing] == [(2, 2, 4, 4)]


def test_a_letterboxed_answer_lies_where_the_image_lies():
    image = np.zeros((40, 160, 3), np.uint8)
    canvas, view = letterbox(image, (32, 64))
    assert canvas.shape == (32, 64, 3) and view.content_size == (16, 64)
    assert (canvas[16:] == (124, 116, 104)).all() and (canvas[:16] == 0).all()
    semantic = np.ones((32, 64), np.int32)
    semantic[16:] = 3  # in the padding: never seen
    answer = fuse(raw([[0, 0, 32, 16]], [0.9], semantic), CLASSES, Thresholds(), view)
    assert answer.class_id.shape == (40, 160)
    assert (answer.class_id[:, :80] == 2).all() and (answer.class_id[:, 80:] == 1).all()


def test_the_mask_is_sampled_at_pixel_centres():
    mask = np.zeros((1, 28, 28), np.float32)
    mask[0, :, :14] = 1  # the left half of the box
    output = RawOutput(
        np.array([[4, 0, 12, 8]], np.float32), np.array([1], np.float32), np.array([2]), mask, sky_over_road()
    )
    assert fuse(output, CLASSES, Thresholds(), SAME).instance_id[3].tolist() == [0] * 4 + [1] * 4 + [0] * 8


@pytest.mark.parametrize("size", [(8, 16), (21, 43), (5, 9)])
def test_areas_and_boxes_are_those_of_the_maps(size):
    """Whatever the size of the image: counted again pixel by pixel. Two instances cut the borders of the stuff."""
    semantic = np.random.default_rng(1).choice([0, 1, 3], (8, 16), p=[0.1, 0.6, 0.3])
    answer = fuse(
        raw([[0, 0, 16, 2], [3, 4, 9, 8]], [0.9, 0.8], semantic),
        CLASSES,
        Thresholds(stuff_area=0),
        Letterbox(size, (8, 16)),
    )
    assert [s.class_id for s in answer.segments] == [2, 2, 1, 3]
    for s in answer.segments:
        rows, columns = np.nonzero((answer.class_id == s.class_id) & (answer.instance_id == s.instance_id))
        assert (s.area, s.bbox) == (rows.size, (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1))


def test_more_instances_than_a_byte_tells_apart():
    boxes = [[x, y, x + 1, y + 1] for y in range(20) for x in range(16)]
    answer = fuse(
        raw(boxes, np.linspace(1, 0.6, 320), np.zeros((20, 16))),
        CLASSES,
        Thresholds(stuff_area=0),
        Letterbox((20, 16), (20, 16)),
    )
    assert (
        (answer.instance_id.ravel() == np.arange(1, 321)).all()
        and (answer.class_id == 2).all()
        and len(answer.segments) == 320
    )


def test_areas_are_exact_beyond_what_a_float_counts(monkeypatch):
    monkeypatch.setattr("cups_ros.fusion.EXACT_COUNT", 16)
    map_ = np.random.default_rng(0).integers(0, 300, (20, 30)).astype(np.uint16)
    assert (areas(map_, 300) == np.bincount(map_.ravel(), minlength=300)).all()


def test_maps_become_segments_and_things_without_instance_become_void():
    kinds = np.array([[1, 1, 2, 2], [3, 2, 2, 2]], np.uint8)
    instances = np.array([[9, 0, 5, 5], [0, 0, 5, 0]], np.uint16)
    answer = panoptic_from_maps(kinds, instances, {5: KnownInstance(2, 0.25, 77), 9: KnownInstance(1)}, CLASSES)
    assert answer.class_id.tolist() == [[1, 1, 2, 2], [3, 0, 2, 0]]
    assert answer.instance_id.tolist() == [[0, 0, 5, 5], [0, 0, 5, 0]]
    rows = [(s.class_id, s.instance_id, s.score, s.area, s.track_id) for s in answer.segments]
    assert rows == [(2, 5, 0.25, 3, 77), (1, 0, 1.0, 2, 0), (3, 0, 1.0, 1, 0)]


def test_an_instance_has_the_class_that_is_known_of_it_whatever_its_pixels_say():
    kinds, instances = np.array([[1, 1, 2, 3, 3]], np.uint8), np.array([[5, 5, 5, 6, 0]], np.uint16)
    answer = panoptic_from_maps(kinds, instances, {5: KnownInstance(2), 6: KnownInstance(1)}, CLASSES)
    assert answer.class_id.tolist() == [[2, 2, 2, 1, 3]] and answer.instance_id.tolist() == [[5, 5, 5, 0, 0]]
    with pytest.raises(KeyError):
        panoptic_from_maps(kinds, instances, {5: KnownInstance(2)}, CLASSES)


def test_maps_of_the_wrong_type_are_refused():
    with pytest.raises(ValueError, match="uint8 and uint16"):
        Panoptic(np.zeros((2, 2), np.int64), np.zeros((2, 2), np.uint16))


def test_a_merged_class_takes_the_one_that_stands_for_it():
    """Class 3 is merged into 1, car 4 into car 2: one stuff segment, small parts of which count together, and cars of
    one class."""
    classes = Classes(
        (ROAD, CAR, PseudoClass(3, "wet road", False, (1, 1, 1), 1), PseudoClass(4, "van", True, (2, 2, 2), 2))
    )
    answer = fuse(
        raw([[2, 2, 6, 6], [8, 2, 12, 6]], [0.9, 0.8], sky_over_road(), [4, 2]),
        classes,
        Thresholds(stuff_area=0.7),
        SAME,
    )
    assert [(s.class_id, s.instance_id, s.area) for s in answer.segments] == [(2, 1, 16), (2, 2, 16), (1, 0, 96)]
    assert set(np.unique(answer.class_id)) == {1, 2}
    maps = panoptic_from_maps(
        np.array([[1, 3, 4, 4]], np.uint8), np.array([[0, 0, 5, 0]], np.uint16), {5: KnownInstance(4)}, classes
    )
    assert maps.class_id.tolist() == [[1, 1, 2, 0]] and [(s.class_id, s.area) for s in maps.segments] == [
        (2, 1),
        (1, 2),
    ]
    assert Classes.from_json(classes.to_json()) == classes and classes.unmerged().merge_table().tolist() == [
        0,
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize("target", [2, 3, 4, 9])
def test_only_an_unmerged_class_of_the_same_kind_stands_for_another(target):
    with pytest.raises(ValueError, match="merge_into of class 3"):
        Classes(
            (
                ROAD,
                CAR,
                PseudoClass(3, "wet road", False, (1, 1, 1), target),
                PseudoClass(4, "snow", False, (2, 2, 2), 1),
            )
        )


WITH_UNKNOWN = CLASSES.with_unknown((9, 9, 9))


def test_some_thing_without_an_instance_is_one_region_of_unknown_objects():
    """Two patches of "some thing", over one of which an instance lies: what is left of both is one segment, a crowd of
    things."""
    semantic = sky_over_road()
    semantic[1:3, 1:5] = semantic[6:, 10:14] = 0
    answer = fuse(raw([[0, 0, 3, 8]], [0.9], semantic), WITH_UNKNOWN, Thresholds(stuff_area=0), SAME)
    assert [(s.class_id, s.instance_id, s.is_thing, s.is_crowd, s.area, s.bbox) for s in answer.segments] == [
        (2, 1, True, False, 24, (0, 0, 3, 8)),
        (1, 0, False, False, 44, (3, 4, 13, 4)),
        (3, 0, False, False, 48, (3, 0, 13, 4)),
        (4, 0, True, True, 12, (3, 1, 11, 7)),
    ]
    assert (
        (answer.class_id[1:3, 3:5] == 4).all()
        and (answer.class_id[6:, 10:14] == 4).all()
        and (answer.instance_id == (answer.class_id == 2)).all()
    )
    void = fuse(raw([[0, 0, 3, 8]], [0.9], semantic), CLASSES, Thresholds(stuff_area=0), SAME)
    assert (
        void.class_id == np.where(answer.class_id == 4, 0, answer.class_id)
    ).all() and void.segments == answer.segments[:3]


def test_the_limit_of_stuff_holds_for_unknown_objects():
    semantic = sky_over_road()
    semantic[6:, :4] = 0  # 8 of 128 pixels
    limits = {
        limit: fuse(raw([], [], semantic), WITH_UNKNOWN, Thresholds(stuff_area=limit), SAME)
        for limit in (8 / 128, 9 / 128)
    }
    assert [[s.class_id for s in answer.segments] for answer in limits.values()] == [[1, 3, 4], [1, 3]]
    assert (limits[9 / 128].class_id[6:, :4] == 0).all()


def test_thing_pixels_of_labels_without_an_instance_are_unknown_objects():
    kinds, instances = (
        np.array([[1, 1, 2, 2], [3, 2, 2, 0]], np.uint8),
        np.array([[9, 0, 5, 5], [0, 0, 5, 0]], np.uint16),
    )
    answer = panoptic_from_maps(kinds, instances, {5: KnownInstance(2), 9: KnownInstance(1)}, WITH_UNKNOWN)
    assert answer.class_id.tolist() == [[1, 1, 2, 2], [3, 4, 2, 0]] and answer.instance_id.tolist() == [
        [0, 0, 5, 5],
        [0, 0, 5, 0],
    ]
    assert [(s.class_id, s.instance_id, s.is_thing, s.area) for s in answer.segments if s.is_thing] == [
        (2, 5, True, 3),
        (4, 0, True, 1),
    ]
    assert [s.class_id for s in answer.segments if s.is_crowd] == [4]


def test_networks_learn_no_unknown_objects():
    assert WITH_UNKNOWN.things == CLASSES.things == (2,) and WITH_UNKNOWN.stuff == CLASSES.stuff == (1, 3)
    assert (WITH_UNKNOWN.unknown, WITH_UNKNOWN.regions, WITH_UNKNOWN.is_thing(4)) == (4, (1, 3, 4), True)
    assert (CLASSES.unknown, CLASSES.regions) == (0, (1, 3)) and WITH_UNKNOWN.learned() == CLASSES
    row = {"id": 4, "name": "unknown object", "isthing": 1, "color": [9, 9, 9], "unknown": 1}
    assert (
        WITH_UNKNOWN.to_json() == [*CLASSES.to_json(), row]
        and Classes.from_json(WITH_UNKNOWN.to_json()) == WITH_UNKNOWN
    )


UNKNOWN = PseudoClass(4, "x", True, (1, 1, 1), unknown=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((replace(UNKNOWN, isthing=False),), "expected one class of unknown objects"),
        ((replace(UNKNOWN, merge_into=2),), "merge_into of class 4"),
        ((UNKNOWN, PseudoClass(5, "y", True, (1, 1, 1))), "a thing after all others, found [4]"),
        ((UNKNOWN, replace(UNKNOWN, id=5)), "found [4, 5]"),
        ((replace(UNKNOWN, unknown=False, merge_into=5), replace(UNKNOWN, id=5)), "merge_into of class 4"),
    ],
)
def test_unknown_object_is_the_last_class_and_merges_with_none(more, message):
    with pytest.raises(ValueError) as caught:
        Classes((ROAD, CAR, SKY, *more))
    assert message in str(caught.value)
