"""A stereo recording as rectified pairs: streamed, or one frame at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cups_train.config.recording import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.geometry.se3 import inverse, transform
from cups_train.recording.bag import COMPRESSED, deserialize, fetch, first_message, header_stamp, read_index
from cups_train.recording.calibration import Calibration, Rectification, rectification, rectify, stereo_camera
from cups_train.recording.decode import decode_image
from cups_train.recording.naming import recording_names
from cups_train.recording.odometry import read_trajectory
from cups_train.recording.pairing import PairIndex, find_steps, nearest, pair_stamps
from cups_train.recording.stored import TopicIndex
from cups_train.recording.streaming import stream_pairs
from cups_train.recording.topics import CameraTopics, StereoTopics, choose_stereo, frame_id
from cups_train.types import StereoCamera, StereoFrame

LEAST_SIDE = 32  # px


@dataclass(frozen=True)
class Stamp:
    """One stereo pair of a recording."""

    key: str  # six digits
    stamp_ns: int  # of the left image
    follows: bool  # the next key is its t+1


@dataclass(frozen=True)
class ImageReader:
    """One camera's topic and how its images become rectified."""

    path: Path
    topic: str
    type: str
    size: tuple[int, int] | None  # (height, width) that every image must have
    how: Rectification | None
    rectified: bool = field(default=True, repr=False)  # as recorded

    def decode(self, data: bytes) -> np.ndarray:
        """CDR bytes to (H, W, 3) uint8 RGB, rectified. Raises RecordingError that names topic and stamp."""
        image = decode_image(data, self.type, self.topic)
        if self.size and image.shape[:2] != self.size:
            raise RecordingError(
                f"expected images of {self.size[1]}x{self.size[0]} on {self.topic}, found "
                f"{image.shape[1]}x{image.shape[0]} "
                f"at stamp {header_stamp(data)} ns; `--left` and `--right` name topics of one size"
            )
        return rectify(image, self.how)

    def image_at(self, log_ns: int, stamp_ns: int) -> np.ndarray:
        """The image (H, W, 3) uint8 RGB, found by the file's index."""
        return self.decode(fetch(self.path, self.topic, log_ns, stamp_ns))


@dataclass(frozen=True, eq=False)
class Recording:
    """Rectified, paired stereo frames. Pickles small: the file is opened again where frames are read."""

    name: str
    path: Path
    camera: StereoCamera  # of the rectified left image
    step_ns: int  # median time between kept pairs
    fingerprint: str
    left_reader: ImageReader
    right_reader: ImageReader
    index: PairIndex
    follows: np.ndarray  # (N,) bool

    def __len__(self) -> int:
        return int(self.index.number.size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "stamps"}

    @cached_property
    def stamps(self) -> tuple[Stamp, ...]:
        """All kept pairs in order of the left stamp."""
        index = self.index
        return tuple(
            Stamp(f"{number:06d}", int(stamp), bool(follows))
            for number, stamp, follows in zip(index.number, index.left_stamp, self.follows, strict=True)
        )

    def frames(self) -> Iterator[StereoFrame]:
        """Every kept pair once, in order; a few encoded images are held at most."""
        for pair in stream_pairs(self.path, self.index, self.left_reader.topic, self.right_reader.topic):
            yield self._frame(pair.row, self.left_reader.decode(pair.left), self.right_reader.decode(pair.right))

    def pairs(self) -> Iterator[tuple[StereoFrame, StereoFrame | None]]:
        """Every kept frame once, with its t+1, or None at a gap and at the end."""
        now: StereoFrame | None = None
        for row, after in enumerate(self.frames()):
            if now is not None:
                yield now, after if self.follows[row - 1] else None
            now = after
        if now is not None:
            yield now, None

    def left(self, key: str) -> np.ndarray:
        """(H, W, 3) uint8 RGB, the rectified left image of one key."""
        row = self.row(key)
        return self.left_reader.image_at(int(self.index.left_log[row]), int(self.index.left_stamp[row]))

    def stereo(self, key: str) -> StereoFrame:
        """One rectified pair."""
        row = self.row(key)
        right = self.right_reader.image_at(int(self.index.right_log[row]), int(self.index.right_stamp[row]))
        return self._frame(row, self.left(key), right)

    def ego_prior(self, key: str, other: str) -> np.ndarray | None:
        """(4, 4) m: pose of the left camera at frame `other` in its frame at `key`, by odometry or tf of the recording;
        None without them."""
        trajectory = read_trajectory(
            self.path, frame_id(self.path, self.left_reader.topic, self.left_reader.type).lstrip("/")
        )
        if trajectory is None:
            return None
        step = trajectory.step(*(int(self.index.left_stamp[self.row(k)]) for k in (key, other)))
        if step is None or self.left_reader.how is None:
            return step
        turn = transform(np.array(self.left_reader.how.lens.r).reshape(3, 3), np.zeros(3))  # raw to rectified camera
        return turn @ step @ inverse(turn)

    def row(self, key: str) -> int:
        """Place of a key among the kept pairs. Raises RecordingError where there is none."""
        row = int(np.searchsorted(self.index.number, int(key))) if key.isdigit() else len(self)
        if row >= len(self) or self.index.number[row] != int(key):
            first, last = self.stamps[0].key, self.stamps[-1].key
            raise RecordingError(
                f"expected a frame {key} in {self.path}, found {len(self)} frames from {first} to {last}; "
                "`-o recording.stride` and the topic options must be those of the first run"
            )
        return row

    def _frame(self, row: int, left: np.ndarray, right: np.ndarray) -> StereoFrame:
        return StereoFrame(f"{self.index.number[row]:06d}", int(self.index.left_stamp[row]), left, right, self.camera)


def open_recording(path: Path, config: RecordingConfig, name: str | None = None) -> Recording:
    """Choose the topics, read the calibration, pair the stamps. Raises RecordingError in one sentence."""
    path = Path(path)
    topics = choose_stereo(path, config)
    sizes = [image_size(path, camera) for camera in (topics.left, topics.right)]
    left, right = (
        calibrated_size(camera, size) for camera, size in zip((topics.left, topics.right), sizes, strict=True)
    )
    if sizes[0] != sizes[1]:
        raise RecordingError(
            f"expected left and right of one size, found {sizes[0][1]}x{sizes[0][0]} on {topics.left.image} and "
            f"{sizes[1][1]}x{sizes[1][0]} on {topics.right.image}; `--left` and `--right` name a pair of one size"
        )
    camera = stereo_camera(left, right, config.baseline)
    index = pair_index(path, topics, config).strided(config.stride)
    step, follows = find_steps(index.left_stamp, index.left_order, config.stride, config.max_gap)
    target = left.target()
    sides = (topics.left, left), (topics.right, right)
    first, second = (
        ImageReader(path, topic.image, topic.type, sizes[0], rectification(calibration, rectified, target), rectified)
        for topic, calibration in sides
        for rectified in [is_rectified(calibration, topic.image, config)]
    )
    name = name or recording_names([path])[0]
    return Recording(
        name,
        path,
        camera,
        step,
        _fingerprint(name, path, camera, (first, second), index),
        first,
        second,
        index,
        follows,
    )


def is_rectified(calibration: Calibration, image_topic: str, config: RecordingConfig) -> bool:
    """As recorded: what the settings say, else the topic and its camera_info."""
    return calibration.is_rectified(image_topic) if config.rectified is None else config.rectified


def open_recordings(paths: list[Path], config: RecordingConfig) -> list[Recording]:
    """Several recordings with names that differ."""
    names = recording_names([Path(path) for path in paths])
    return [open_recording(Path(path), config, name) for path, name in zip(paths, names, strict=True)]


def pair_index(path: Path, topics: StereoTopics, config: RecordingConfig) -> PairIndex:
    """All stereo pairs. Raises RecordingError where there are fewer than two."""
    names = topics.left.image, topics.right.image
    times = read_index(path, names)
    left, right = (times[name] for name in names)
    slop = round(config.pair_slop_ms * 1e6)
    index = pair_stamps(left, right, slop)
    if index.number.size > 1:
        return index
    if max(left.stamp_ns.size, right.stamp_ns.size) > 1 and not left.stamp_ns.any() and not right.stamp_ns.any():
        raise RecordingError(
            f"expected header stamps on {names[0]} and {names[1]} in {path}, found 0 in every message; "
            "let the driver stamp its images"
        )
    if index.number.size == 1:
        raise RecordingError(
            f"expected at least two stereo pairs in {path}, found only one stereo pair "
            f"({_counts(names, left, right)}); "
            "record longer, or raise `-o recording.pair_slop_ms`"
        )
    raise RecordingError(
        f"expected stereo pairs with stamps at most {config.pair_slop_ms:g} ms apart in {path}, "
        f"found none ({_counts(names, left, right)}, nearest {_nearest_ms(left, right)} ms apart); "
        "raise `-o recording.pair_slop_ms`, or record synchronised cameras"
    )


def image_size(path: Path, camera: CameraTopics) -> tuple[int, int]:
    """(height, width) of the first image of a topic."""
    data = first_message(path, camera.image)[1]
    if camera.type == COMPRESSED:
        image = decode_image(data, camera.type, camera.image)
        return checked_size((int(image.shape[0]), int(image.shape[1])), camera.image)
    try:
        message = deserialize(data, camera.type)
    except ValueError as error:
        raise RecordingError(
            f"expected an image on {camera.image} at stamp {header_stamp(data)} ns, "
            f"found one that cannot be decoded: {error}"
        ) from error
    return checked_size((int(message.height), int(message.width)), camera.image)


def checked_size(size: tuple[int, int], where: str) -> tuple[int, int]:
    """`size` (height, width). Raises RecordingError where an image is too small for anything to be seen in it."""
    if min(size) < LEAST_SIDE:
        raise RecordingError(
            f"expected images of at least {LEAST_SIDE} px a side on {where}, found {size[1]}x{size[0]}; record larger "
            "ones"
        )
    return size


def calibrated_size(camera: CameraTopics, size: tuple[int, int]) -> Calibration:
    """The calibration for images of `size` (height, width). Raises RecordingError where it is for another size."""
    calibration = camera.calibration
    if calibration is None:
        raise ValueError(f"{camera.image} was chosen without a calibration")
    if not calibration.width:
        return replace(calibration, height=size[0], width=size[1])
    if size == (calibration.whole.height, calibration.whole.width):  # told of binning, but sends all pixels
        return replace(calibration, **vars(calibration.whole))
    if (calibration.height, calibration.width) != size:
        raise RecordingError(
            f"expected images of {calibration.width}x{calibration.height} on {camera.image} as "
            f"{calibration.topic} says, "
            f"found {size[1]}x{size[0]}; `--left-info` and `--right-info` name the camera_info of these images"
        )
    return calibration


def _counts(names: tuple[str, str], left: TopicIndex, right: TopicIndex) -> str:
    return f"{left.stamp_ns.size} images on {names[0]}, {right.stamp_ns.size} on {names[1]}"


def _nearest_ms(left: TopicIndex, right: TopicIndex) -> str:
    if not left.stamp_ns.size or not right.stamp_ns.size:
        return "unknown"
    among = np.unique(right.stamp_ns)
    return f"{np.abs(among[nearest(left.stamp_ns, among)] - left.stamp_ns).min() / 1e6:.1f}"


def _fingerprint(
    name: str, path: Path, camera: StereoCamera, readers: tuple[ImageReader, ImageReader], index: PairIndex
) -> str:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    sizes = [(file.name, file.stat().st_size) for file in files if file.suffix in (".mcap", ".db3")]
    lenses = [replace(reader, path=Path()) for reader in readers]
    digest = hashlib.sha256(repr((name, sizes, camera, lenses)).encode())
    for array in vars(index).values():
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]
