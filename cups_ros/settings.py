"""Every parameter of the node: name, default, text, range. The node, config/panoptic.yaml and the docs follow this
table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cups_ros.types import Thresholds

Value = bool | str | int | float
AS_MODEL = -1.0  # of a threshold: as the model's card says


@dataclass(frozen=True)
class Parameter:
    """One parameter; numbers have a closed range, some strings a choice."""

    name: str
    default: Value
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    when: str = "configure"  # when it is read: "start" | "configure" | "activate" | "image" (at once)

    def refusal(self, value: object) -> str:
        """Why a value cannot be taken; empty if it can."""
        if self.choices and value not in self.choices:
            return f"{self.name} is {value!r}, expected one of {', '.join(self.choices)}"
        if not self.is_float:
            return ""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return f"{self.name} is {value!r}, expected a number"
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            return f"{self.name} is {value:g}, expected {self.low:g} to {self.high:g}"
        return ""

    @property
    def is_float(self) -> bool:
        """Numbers with a fraction, which a whole number is taken for too (`max_rate_hz: 10`)."""
        return isinstance(self.default, float)


@dataclass(frozen=True)
class Topic:
    """One topic of the node and the QoS that it has unless parameters say otherwise."""

    name: str  # of its parameters
    topic: str  # as the node names it, before remapping
    reliability: str = "reliable"
    durability: str = "volatile"
    depth: int = 1
    subscribed: bool = False


RELIABILITY = ("best_effort", "reliable")
DURABILITY = ("volatile", "transient_local")
INPUTS = (
    Topic("image", "image", "best_effort", subscribed=True),
    Topic("camera_info", "camera_info", "best_effort", subscribed=True),
    Topic("depth", "depth", "best_effort", depth=5, subscribed=True),
)
OUTPUTS = (
    Topic("panoptic", "cups/panoptic"),
    Topic("label_info", "cups/label_info", durability="transient_local"),
    Topic("semantic", "cups/semantic"),
    Topic("instance", "cups/instance"),
    Topic("detections", "cups/detections"),
    Topic("vision_label_info", "cups/vision_label_info", durability="transient_local"),
    Topic("markers", "cups/markers"),
    Topic("overlay", "cups/overlay"),
)


def qos_parameters(topic: Topic) -> tuple[Parameter, ...]:
    """NAME_reliability, NAME_durability and NAME_depth of one topic."""
    end, when = ("subscription", "activate") if topic.subscribed else ("publisher", "configure")
    return (
        Parameter(
            f"{topic.name}_reliability",
            topic.reliability,
            f"reliability of the {end} of {topic.topic}",
            choices=RELIABILITY,
            when=when,
        ),
        Parameter(
            f"{topic.name}_durability",
            topic.durability,
            f"durability of the {end} of {topic.topic}",
            choices=DURABILITY,
            when=when,
        ),
        Parameter(
            f"{topic.name}_depth", topic.depth, f"depth of the {end} of {topic.topic} [messages]", 1, 100, when=when
        ),
    )


BEHAVIOUR = (
    Parameter("model", "", "folder of the exported model (model.onnx and model.json)"),
    Parameter("engines", "", "back ends to try, in order, with commas between; empty: all, fastest first"),
    Parameter("threads", 0, "threads of an engine on the CPU, 0: as many as the process has cores", 0, 256),
    Parameter("autostart", False, "configure and activate by itself when the process starts", when="start"),
    Parameter(
        "input_transport",
        "raw",
        "raw: sensor_msgs/Image on `image`; compressed: sensor_msgs/CompressedImage on `image/compressed`",
        choices=("raw", "compressed"),
        when="activate",
    ),
    Parameter(
        "rectify",
        False,
        "rectify images by `camera_info`; the answers then belong to the rectified image",
        when="activate",
    ),
    Parameter(
        "max_rate_hz",
        0.0,
        "images that come faster are skipped, 0: every image is taken [1/s]",
        0.0,
        1000.0,
        when="image",
    ),
    Parameter("max_megapixels", 40.0, "larger images are refused [10^6 pixels]", 0.001, 1000.0, when="image"),
    Parameter(
        "score_threshold",
        AS_MODEL,
        "instances of a lower score are not drawn, -1: as the model says",
        -1.0,
        1.0,
        when="image",
    ),
    Parameter(
        "overlap_threshold",
        AS_MODEL,
        "an instance hidden for more is dropped, -1: as the model says",
        -1.0,
        1.0,
        when="image",
    ),
    Parameter(
        "mask_threshold",
        AS_MODEL,
        "probability from which a pixel belongs to an instance, -1: as the model says",
        -1.0,
        1.0,
        when="image",
    ),
    Parameter(
        "stuff_area_threshold",
        AS_MODEL,
        "smallest segment of stuff or unknown objects, share of the image, -1: as the model says",
        -1.0,
        1.0,
        when="image",
    ),
    Parameter(
        "overlay_alpha", 0.5, "share of the class colours in cups/overlay, 0 is the image alone", 0.0, 1.0, when="image"
    ),
    Parameter("track", False, "give instances a track_id that stays the same from image to image", when="image"),
    Parameter(
        "track_min_iou",
        0.2,
        "least overlap (IoU) of a box with the one expected from its track",
        0.01,
        1.0,
        when="activate",
    ),
    Parameter("track_max_missed", 5, "images after which a track that was not seen ends", 0, 1000, when="activate"),
    Parameter(
        "depth_source",
        "none",
        "metres of each segment: none, disparity (stereo_msgs/DisparityImage) or depth (sensor_msgs/Image) on `depth`",
        choices=("none", "disparity", "depth"),
        when="activate",
    ),
    Parameter(
        "depth_tolerance_s", 0.02, "largest distance in time of an image and its depth [s]", 0.0, 1.0, when="activate"
    ),
    Parameter(
        "depth_max_m",
        80.0,
        "pixels farther away have no part in the position of a segment [m]",
        1.0,
        1000.0,
        when="image",
    ),
    Parameter("stale_after_s", 2.0, "diagnostics warn when no image came for this long [s]", 0.1, 3600.0, when="image"),
    Parameter(
        "engine_timeout_s",
        20.0,
        "an image in work for longer ends the process, so that the launch file starts it anew; 0: never [s]",
        0.0,
        3600.0,
        when="image",
    ),
)
PARAMETERS = (*BEHAVIOUR, *(parameter for topic in (*INPUTS, *OUTPUTS) for parameter in qos_parameters(topic)))


@dataclass(frozen=True)
class Live:
    """The parameters that hold from the next image on and tell how it is answered."""

    max_megapixels: float
    score_threshold: float
    overlap_threshold: float
    mask_threshold: float
    stuff_area_threshold: float
    overlay_alpha: float
    track: bool

    @classmethod
    def read(cls, value: Callable[[str], Value]) -> Live:
        """`value` gives the value of a parameter by its name."""
        return cls(**{name: value(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    def thresholds(self, model: Thresholds) -> Thresholds:
        """The model's thresholds under those that were set."""
        wanted = Thresholds(
            self.score_threshold, self.overlap_threshold, self.mask_threshold, self.stuff_area_threshold
        )
        return Thresholds(
            **{name: value if value >= 0 else getattr(model, name) for name, value in vars(wanted).items()}
        )
