"""Instances and classes in the messages of vision_msgs, where that package is installed."""

from __future__ import annotations

from types import ModuleType

from std_msgs.msg import Header

from cups_ros.types import Classes, Panoptic, Segment

MISSING = (
    "vision_msgs is not installed: cups/detections and cups/vision_label_info are not published; install "
    "ros-$ROS_DISTRO-vision-msgs for them"
)


def vision_msgs() -> ModuleType | None:
    """vision_msgs.msg of version 4 (Humble and newer), None where it is not installed."""
    try:
        import vision_msgs.msg
    except ImportError:
        return None
    return vision_msgs.msg if hasattr(vision_msgs.msg, "LabelInfo") else None  # type: ignore[no-any-return]


def detections_message(kinds: ModuleType, panoptic: Panoptic, header: Header) -> object:
    """The instances of a panoptic map -> vision_msgs/Detection2DArray.

    `id` is the track's where there is one, else the instance's; `class_id` is the number that vision_msgs/LabelInfo
    explains.
    """
    things = [segment for segment in panoptic.segments if segment.is_instance]
    return kinds.Detection2DArray(header=header, detections=[_detection(kinds, segment, header) for segment in things])


def label_info_message(kinds: ModuleType, classes: Classes, threshold: float, header: Header) -> object:
    """The classes -> vision_msgs/LabelInfo; class_id is the value in cups/semantic."""
    return kinds.LabelInfo(
        header=header,
        threshold=threshold,
        class_map=[kinds.VisionClass(class_id=c.id, class_name=c.name) for c in classes],
    )


def _detection(kinds: ModuleType, segment: Segment, header: Header) -> object:
    x, y, width, height = segment.bbox
    detection = kinds.Detection2D(header=header, id=str(segment.track_id or segment.instance_id))
    detection.bbox.center.position.x, detection.bbox.center.position.y = x + width / 2, y + height / 2
    detection.bbox.size_x, detection.bbox.size_y = float(width), float(height)
    result = kinds.ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = str(segment.class_id), float(segment.score)
    detection.results = [result]
    return detection
