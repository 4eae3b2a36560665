"""Which topics of a recording are the stereo pair or the single camera."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cups_train.config.recording import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.recording.bag import CAMERA_INFO, COMPRESSED, IMAGE, Topic, deserialize, first_message, list_topics
from cups_train.recording.calibration import Calibration, baseline, calibration_from_message

OPTIONS = "`--left`, `--right`, `--left-info` and `--right-info` name them"
DEPTH = re.compile(r"(^|[/_])depth([/_]|$)|disparity", re.IGNORECASE)
DEPTH_ENCODINGS = ("16UC1", "32FC1", "mono16")
SHOWN = 4  # reasons in a sentence
TRANSPORT = re.compile(r"/(compressed|image_transport|republished)$")


@dataclass(frozen=True)
class CameraTopics:
    """One camera: its images and its camera_info."""

    image: str
    type: str
    calibration: Calibration | None
    reason: str = ""  # why there is no calibration


@dataclass(frozen=True)
class StereoTopics:
    """The chosen pair; both have a calibration."""

    left: CameraTopics
    right: CameraTopics


def choose_stereo(path: Path, config: RecordingConfig) -> StereoTopics:
    """The pair that the options name, or the only one that fits. Raises RecordingError with the topics and the
    options."""
    topics = list_topics(path)
    images = image_topics(path, topics, (config.left, config.right))
    _check_named(path, topics, config)
    if len(images) < 2:
        found = f"one camera, {images[0].name}" if images else "no image topic"
        raise RecordingError(
            f"expected a left and a right image topic in {path}, found {found} ({listing(topics)}); {OPTIONS}"
        )
    lefts = [config.left] if config.left else [topic.name for topic in images if topic.name != config.right]
    rights = [config.right] if config.right else [topic.name for topic in images if topic.name != config.left]
    infos = {config.left: config.left_info, config.right: config.right_info}
    cameras = {
        name: _camera(path, topics, name, infos.get(name, ""), name in infos) for name in dict.fromkeys(lefts + rights)
    }
    if config.left and config.right:
        return StereoTopics(cameras[config.left], cameras[config.right])
    return _only_pair(path, topics, [cameras[name] for name in lefts], [cameras[name] for name in rights])


def choose_camera(path: Path, config: RecordingConfig) -> CameraTopics:
    """The image topic that `--left` names, or the only one; its calibration is None where the recording has none."""
    topics = list_topics(path)
    images = image_topics(path, topics, (config.left, config.right))
    _check_named(path, topics, config)
    if not config.left and len(images) != 1:
        raise RecordingError(
            f"expected one image topic in {path}, found {len(images)} ({listing(topics)}); "
            "`--left` names the one to read"
        )
    return _camera(path, topics, config.left or images[0].name, config.left_info, needed=bool(config.left_info))


def image_topics(path: Path, topics: tuple[Topic, ...], named: tuple[str, ...] = ()) -> list[Topic]:
    """Topics with images, raw or compressed; depth maps are left out, unless an option names them."""
    return [
        topic
        for topic in topics
        if topic.type in (IMAGE, COMPRESSED) and topic.count and (topic.name in named or not _is_depth(path, topic))
    ]


def _is_depth(path: Path, topic: Topic) -> bool:
    """Its own name says so, or its namespace and its encoding: a camera may be called a depth camera."""
    if re.search(r"compressed_?depth|theora", topic.name, re.IGNORECASE):
        return True
    parent, _, leaf = TRANSPORT.sub("", topic.name).rpartition("/")
    if DEPTH.search(leaf):
        return True
    if not DEPTH.search(parent):
        return False
    try:
        return image_encoding(first_message(path, topic.name)[1], topic.type).startswith(DEPTH_ENCODINGS)
    except (RecordingError, ValueError):
        return True


def image_encoding(data: bytes, message_type: str) -> str:
    """The encoding of a raw image, the format of a compressed one, as the message names it."""
    message = deserialize(data, message_type)
    return str(message.format if message_type == COMPRESSED else message.encoding)


def listing(topics: tuple[Topic, ...]) -> str:
    """`topics there: /a (Image, 12), ...`: what a message shows."""
    return "topics there: " + ", ".join(
        f"{topic.name} ({topic.type.rsplit('/', 1)[-1]}, {topic.count})" for topic in topics
    )


def _check_named(path: Path, topics: tuple[Topic, ...], config: RecordingConfig) -> None:
    there = {topic.name: topic for topic in topics}
    for option in ("left", "right", "left_info", "right_info"):
        allowed = (CAMERA_INFO,) if option.endswith("info") else (IMAGE, COMPRESSED)
        name = getattr(config, option)
        flag = "--" + option.replace("_", "-")
        if name and name not in there:
            raise RecordingError(
                f"expected the topic {name} in {path}, found none of that name ({listing(topics)}); `{flag}` names it"
            )
        if name and there[name].type not in allowed:
            raise RecordingError(
                f"expected {' or '.join(allowed)} on {name}, found {there[name].type}; "
                f"`{flag}` names another topic ({listing(topics)})"
            )
        if name and not there[name].count:
            raise RecordingError(
                f"expected messages on {name} in {path}, found none; `{flag}` names another topic ({listing(topics)})"
            )
    if config.left and config.left == config.right:
        raise RecordingError(
            f"expected two topics, found {config.left} as left and right; `--left` and `--right` name them"
        )


def _camera(path: Path, topics: tuple[Topic, ...], image: str, info: str, needed: bool) -> CameraTopics:
    message_type = next(topic.type for topic in topics if topic.name == image)
    name = info or find_info(path, topics, image)
    if not name:
        reason = (
            f"expected a camera_info of {image} in {path}, found none that belongs to it ({listing(topics)}); {OPTIONS}"
        )
        if needed:
            raise RecordingError(reason)
        return CameraTopics(image, message_type, None, reason)
    try:
        return CameraTopics(image, message_type, read_calibration(path, name))
    except RecordingError as error:
        if needed:
            raise
        return CameraTopics(image, message_type, None, str(error))  # an uncalibrated camera is no candidate


def read_calibration(path: Path, topic: str) -> Calibration:
    """The first CameraInfo of a topic. Raises RecordingError where it is not calibrated."""
    try:
        message = deserialize(first_message(path, topic)[1], CAMERA_INFO)
    except ValueError as error:
        raise RecordingError(
            f"expected a CameraInfo on {topic} in {path}, found one that cannot be read: {error}"
        ) from error
    return calibration_from_message(message, topic)


def find_info(path: Path, topics: tuple[Topic, ...], image: str) -> str:
    """The camera_info topic of an image topic: beside it by name, else the only free one with its frame_id; "" where
    there is none."""
    infos = [topic.name for topic in topics if topic.type == CAMERA_INFO and topic.count]
    beside = _info_beside(infos, image)
    if beside:
        return beside
    message_type = next(topic.type for topic in topics if topic.name == image)
    frame = frame_id(path, image, message_type)
    taken = {_info_beside(infos, topic.name) for topic in image_topics(path, topics)}  # a pair may share one frame_id
    same = [name for name in infos if frame and name not in taken and frame_id(path, name, CAMERA_INFO) == frame]
    return same[0] if len(same) == 1 else ""


def _info_beside(infos: list[str], image: str) -> str:
    """The camera_info whose name has most in common with the image's: of image_raw_color that is camera_info_raw_color,
    else camera_info_raw, else camera_info."""
    topic = TRANSPORT.sub("", image)
    parent, _, leaf = topic.rpartition("/")
    beside = [name for name in infos if name.rpartition("/")[0] in (parent, topic)]
    before, _, after = leaf.partition("image") if "image" in leaf else ("", "", "")
    words = after.split("_")
    names = [f"{before}camera_info{'_'.join(words[:count])}" for count in range(len(words), 0, -1)]
    for name in (f"{topic}/camera_info", *(f"{parent}/{name}" for name in (*names, "camera_info"))):
        if name in beside:
            return name
    return beside[0] if len(beside) == 1 else ""


def frame_id(path: Path, topic: str, message_type: str) -> str:
    """The frame that the first message of a topic names; "" where it cannot be read."""
    try:
        return str(deserialize(first_message(path, topic)[1], message_type).header.frame_id)
    except ValueError:
        return ""


def _only_pair(
    path: Path, topics: tuple[Topic, ...], lefts: list[CameraTopics], rights: list[CameraTopics]
) -> StereoTopics:
    cameras = list(dict.fromkeys(lefts + rights))
    reasons = list(dict.fromkeys(camera.reason for camera in cameras if camera.reason))
    if not any(camera.calibration for camera in cameras):
        raise RecordingError(" | ".join(reasons[:SHOWN]))
    pairs = [StereoTopics(left, right) for left in lefts for right in rights if _fits(left, right)]
    if not pairs and len(cameras) == 2:
        pairs = [_two_cameras(*cameras)]
    alike = [pair for pair in pairs if _shape(pair.left) == _shape(pair.right)]
    pairs = alike or pairs
    if len(pairs) == 1:
        _check_sides(pairs[0])
        return pairs[0]
    found = "; ".join(f"{pair.left.image} + {pair.right.image}" for pair in pairs) if pairs else "none"
    raise RecordingError(
        f"expected one stereo pair with camera_info in {path}, found {found} ({listing(topics)}); {OPTIONS}"
        + "".join(f" | {reason}" for reason in reasons[:SHOWN])
    )


def _two_cameras(first: CameraTopics, second: CameraTopics) -> StereoTopics:
    """The only two cameras, though they do not fit well: what is wrong with them is told when the pair is opened."""
    for camera in (first, second):
        if camera.calibration is None:
            raise RecordingError(camera.reason)
    assert first.calibration is not None and second.calibration is not None
    swapped = baseline(first.calibration, second.calibration) < 0
    return StereoTopics(second, first) if swapped else StereoTopics(first, second)


def _shape(camera: CameraTopics) -> tuple[str, str]:
    """What the topics of one pair have in common: type and the name without its sides and numbers."""
    return camera.type, re.sub(r"left|right|\d+", "", camera.image)


def _fits(left: CameraTopics, right: CameraTopics) -> bool:
    a, b = left.calibration, right.calibration
    if a is None or b is None or left.image == right.image:
        return False
    return baseline(a, b) > 1e-4 and abs(a.p[0] - b.p[0]) < 0.01 * a.p[0] and abs(a.p[6] - b.p[6]) < 0.01 * a.p[0]


def _check_sides(pair: StereoTopics) -> None:
    """A sign error in P must not swap the cameras in silence."""
    if "right" in pair.left.image and "left" in pair.right.image:
        raise RecordingError(
            f"expected a negative P[3] on the camera_info of {pair.left.image}, found left and right swapped: by P "
            "the camera of "
            f"{pair.right.image} stands to the right; correct camera_info, or `--left` and `--right` name the pair"
        )
