"""The teacher looks at an image more than once."""

from __future__ import annotations

import pytest
import torch

from cups_train.network import Detections, Features, load_checkpoint
from cups_train.self_train.views import Look, detect_in_views, look, to_image, to_view, view_sizes
from cups_train.training.average import still_copy


def test_boxes_go_to_a_mirrored_view_and_back():
    view = Look(Features((), (64, 96)), mirrored=True)
    boxes = torch.tensor([[[10.0, 20, 50, 60]]])
    assert to_view(boxes, view, (128, 192)).tolist() == [[[71.0, 10, 91, 30]]]
    assert to_image(to_view(boxes, view, (128, 192)), view, (128, 192)).tolist() == boxes.tolist()


def test_views_that_disagree_about_the_kind_of_an_object_find_it_once(spec):
    network_spec = spec

    class TwoViews:
        """Each view finds something else."""

        spec = network_spec
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
