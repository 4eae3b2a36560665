"""Every parameter of the node: name, default, text, range. The node, config/panoptic.yaml and the docs follow this table."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One parameter; numbers have a closed range, some strings a choice."""

    name: str
    default: str | int | float
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def refusal(self, value: object) -> str:
        """Why a value cannot be taken; empty if it can."""
        if self.choices and value not in self.choices:
            return f"{self.name} is {value!r}, expected one of {', '.join(self.choices)}"
        return ""


RELIABILITY = ("best_effort", "reliable")

PARAMETERS = (
    Parameter("model", "", "folder of the exported model (model.onnx and model.json)"),
    Parameter("input_transport", "raw", "raw: sensor_msgs/Image on `image`; compressed: sensor_msgs/CompressedImage on `image/compressed`",
              choices=("raw", "compressed")),
    Parameter("image_reliability", "best_effort", "reliability of the image subscription", choices=RELIABILITY),
    Parameter("image_depth", 1, "depth of the image subscription [messages]", 1, 100),
    Parameter("panoptic_reliability", "reliable", "reliability of cups/panoptic", choices=RELIABILITY),
    Parameter("panoptic_depth", 1, "depth of cups/panoptic [messages]", 1, 100),
    Parameter("overlay_alpha", 0.5, "share of the class colours in cups/overlay, 0 is the image alone", 0.0, 1.0),
    Parameter("stale_after_s", 2.0, "diagnostics warn when no image came for this long [s]", 0.1, 3600.0),
)
