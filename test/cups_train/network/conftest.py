import pytest
import torch

from cups_train.network import NetworkSpec, Target


@pytest.fixture(autouse=True)
def same_start():
    torch.manual_seed(0)


def tiny_spec(classes, **changes):
    """A network of few channels for 64x96 images."""
    settings = {
        "backbone": "resnet18",
        "norm": "group",
        "channels": 16,
        "hidden": 16,
        "mask_convs": 1,
        "semantic_channels": 16,
        "proposals": 16,
        "detections": 8,
        **changes,
    }
    return NetworkSpec(classes, 64, 96, **settings)


@pytest.fixture
def make_tiny_spec(make_classes):
    """(things, number, settings) -> the spec of a network for so many classes."""
    return lambda things=(2, 4), number=5, **changes: tiny_spec(make_classes(things, number), **changes)


def box_target(*boxes, things=None, size=(64, 96)):
    """Rectangular objects of class index 0 (or `things`) on stuff of channel 1."""
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    semantic = torch.ones(size, dtype=torch.long)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
        semantic[mask] = 0
    return Target(
        torch.tensor(boxes, dtype=torch.float).reshape(-1, 4), torch.tensor(things or [0] * len(boxes)), masks, semantic
    )


@pytest.fixture
def make_target():
    return box_target
