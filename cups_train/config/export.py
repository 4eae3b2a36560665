"""Settings of the exported model."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from cups_train.config.section import Section


class ExportConfig(Section):
    """The exported model."""

    formats: tuple[Literal["onnx", "tensorrt"], ...] = Field(("onnx",), description="formats of the exported model")
    precision: Literal["fp32", "fp16", "int8"] = Field(
        "fp32", description="precision of the graph: fp16 for GPUs, int8 for CPUs"
    )
    merge: bool = Field(
        False, description="merge instances and stuff inside the graph too; faster on a GPU, slower on a CPU"
    )
    calibration: Path | None = Field(
        None, description="int8: recording or folder of images that gives the ranges of the activations"
    )
    calibration_topic: str = Field(
        "", description="int8: image topic of that recording; empty: the left camera of its stereo pair"
    )
    calibration_frames: int = Field(32, ge=1, description="int8: images taken from it, evenly spread")
    score: float = Field(0.5, ge=0, le=1, description="probability of being any thing from which an instance is drawn")
    overlap: float = Field(0.5, ge=0, le=1, description="an instance hidden for more than this share is dropped")
    stuff_area: float = Field(
        4096 / (1024 * 2048), ge=0, le=1, description="smallest segment of stuff or unknown objects, share of the image"
    )
