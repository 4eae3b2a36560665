import math

import pytest
import torch
from torchvision.ops import batched_nms, box_iou, nms

from cups_train.network.boxes import (
    choose,
    clip,
    decode,
    encode,
    iou,
    level_anchors,
    pyramid_anchors,
    share_inside,
    suppress,
)


def random_boxes(number, side, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(number, 2, generator=generator) * side
    return torch.cat([corner, corner + 1 + torch.rand(number, 2, generator=generator) * side / 3], dim=1)


def test_anchors_of_one_cell_have_their_area_and_ratios():
    anchors = level_anchors((2, 3), 4, 32.0)
    assert anchors.shape == (18, 4)
    width, height = 32 / math.sqrt(0.5), 32 * math.sqrt(0.5)
    assert anchors[0].tolist() == pytest.approx([-width / 2, -height / 2, width / 2, height / 2])
    assert anchors[1].tolist() == [-16, -16, 16, 16]
    assert anchors[3 * 4 + 1].tolist() == [4 - 16, 4 - 16, 4 + 16, 4 + 16]  # row 1, column 1


def test_anchors_double_their_side_from_level_to_level():
    levels = pyramid_anchors([(1, 1)] * 5, 10.0)
    assert [float(level[1, 2] * 2) for level in levels] == [10, 20, 40, 80, 160]


def test_decode_is_the_inverse_of_encode():
    boxes, targets = random_boxes(50, 100, 1), random_boxes(50, 100, 2)
    weights = (20.0, 20.0, 10.0, 10.0)
    assert torch.allclose(decode(boxes, encode(boxes, targets, weights), weights), targets, atol=1e-3)


def test_decode_by_hand():
    moved = decode(
        torch.tensor([[10.0, 10.0, 30.0, 50.0]]), torch.tensor([[1.0, 0.5, math.log(2), 100.0]]), (1, 1, 1, 1)
    )[0].tolist()
    # growth limited to 1000/16
    assert moved == pytest.approx([40 - 20, 50 - 40 * 62.5 / 2, 40 + 20, 50 + 40 * 62.5 / 2])


def test_clip_holds_boxes_inside_the_image():
    assert clip(torch.tensor([[-3.0, 2.0, 120.0, 70.0]]), (64, 96)).tolist() == [[0, 2, 96, 64]]


def test_iou_equals_torchvision():
    assert torch.allclose(
        iou(random_boxes(20, 50, 1), random_boxes(30, 50, 2)),
        box_iou(random_boxes(20, 50, 1), random_boxes(30, 50, 2)),
        atol=1e-6,
    )


def greedy(boxes, threshold):
    overlaps, kept = box_iou(boxes, boxes), []
    for row in range(len(boxes)):
        if all(overlaps[row, other] <= threshold for other in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.65])
@pytest.mark.parametrize("seed", range(4))
def test_suppress_equals_greedy_and_torchvision(threshold, seed):
    boxes = random_boxes(300, 120, seed)
    kept = suppress(boxes, torch.zeros(300, dtype=torch.long), threshold).nonzero()[:, 0].tolist()
    assert kept == greedy(boxes, threshold)
    assert kept == nms(boxes, torch.arange(300, 0, -1).float(), threshold).tolist()


def test_suppress_keeps_groups_apart_and_batches():
    boxes, groups = random_boxes(200, 60, 5), torch.arange(200) % 3
    scores = torch.arange(200, 0, -1).float()
    kept = suppress(torch.stack([boxes, boxes.flip(0)]), torch.stack([groups, groups.flip(0)]), 0.5)
    assert kept[0].nonzero()[:, 0].tolist() == batched_nms(boxes, scores, groups, 0.5).tolist()
    assert kept[1].nonzero()[:, 0].tolist() == batched_nms(boxes.flip(0), scores, groups.flip(0), 0.5).tolist()


def test_suppress_follows_a_chain():
    """A kills B, so B does not kill C: C lives."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [3, 0, 13, 10], [6, 0, 16, 10]])
    assert suppress(boxes, torch.zeros(3, dtype=torch.long), 0.5).tolist() == [True, False, True]


def test_empty_boxes_neither_live_nor_kill():
    boxes = torch.tensor([[5.0, 5, 5, 9], [0, 0, 10, 10]])
    assert suppress(boxes, torch.zeros(2, dtype=torch.long), 0.5).tolist() == [False, True]


def test_choose_takes_kept_rows_in_order_then_fills_up():
    assert choose(torch.tensor([[False, True, False, True]]), 3).tolist() == [[1, 3, 0]]


def test_share_inside_by_hand():
    mask = torch.zeros(10, 10, dtype=torch.bool)
    mask[2:6, 4:8] = True
    boxes = torch.tensor([[4.0, 2, 8, 6], [0, 0, 10, 10], [6, 2, 20, 6], [0, 7, 3, 9]])
    assert share_inside(boxes, mask).tolist() == pytest.approx([1, 0.16, 0.5, 0])
