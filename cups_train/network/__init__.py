"""Panoptic Cascade Mask R-CNN."""

from cups_train.network.box_heads import Detections
from cups_train.network.checkpoint import load_checkpoint, read_checkpoint_metadata, save_checkpoint
from cups_train.network.model import Features, PanopticNetwork, RawTensors
from cups_train.network.spec import LossOptions, NetworkSpec, Target, input_size, make_spec, to_step
from cups_train.network.weights import build_network

__all__ = [
    "Detections",
    "Features",
    "LossOptions",
    "NetworkSpec",
    "PanopticNetwork",
    "RawTensors",
    "Target",
    "build_network",
    "input_size",
    "load_checkpoint",
    "make_spec",
    "read_checkpoint_metadata",
    "save_checkpoint",
    "to_step",
]
