"""What a recording holds, and whether it can be trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cups_train.config.recording import RecordingConfig
from cups_train.errors import RecordingError
from cups_train.picks import evenly_spaced
from cups_train.recording.bag import (
    CAMERA_INFO,
    COMPRESSED,
    IMAGE,
    Topic,
    first_message,
    list_topics,
    read_index,
)
from cups_train.recording.calibration import Calibration
from cups_train.recording.judging import Pair, Sampled, Verdict, judge_pictures, rows_are_off
from cups_train.recording.naming import recording_names
from cups_train.recording.recording import Recording, is_rectified, open_recording, open_recordings
from cups_train.recording.stored import TopicIndex
from cups_train.recording.topics import CameraTopics, choose_stereo, image_encoding
from cups_train.recording.tracking import corner_motion, row_offset
from cups_train.types import StereoCamera

SAMPLES = 6  # pairs looked at
STANDING_PX = 0.5  # median way of the corners at 1280 px image width below which the car stands
PAIRED_WARN = 0.9


@dataclass(frozen=True)
class TopicReport:
    """One topic; times are None where the messages have no header or are fewer than two."""

    name: str
    type: str
    count: int
    rate_hz: float | None
    jitter_ms: float | None  # standard deviation of the steps, gaps left out
    gaps: int | None  # steps longer than `max_gap` medians
    longest_gap_s: float | None
    duplicates: int | None  # messages with the stamp of another
    backwards: int | None  # messages with a stamp before their predecessor's


@dataclass(frozen=True)
class CameraReport:
    """One camera of the pair."""

    topic: str
    encoding: str
    rectified: bool  # as recorded
    calibration: Calibration


@dataclass(frozen=True)
class Inspection:
    """The answer of `inspect`."""

    path: Path
    name: str
    duration_s: float
    topics: tuple[TopicReport, ...]
    cameras: tuple[CameraReport, ...]  # left, right; empty without a pair
    camera: StereoCamera | None
    images: tuple[int, int]  # left, right
    pairs: int
    step_ms: float
    following: int  # pairs that have a t+1
    row_offset_px: float | None  # median |dy| of corners between left and right
    standing: float | None  # share of the sampled steps in which the car stands
    motion_px: float | None  # median way of the corners from t to t+1
    warnings: tuple[str, ...]
    problem: str | None  # why it cannot be trained on, and what mends it


def inspect(path: Path, config: RecordingConfig) -> Inspection:
    """Read all headers and look at a few pairs. Raises RecordingError where the recording cannot be opened at all."""
    path = Path(path)
    topics = list_topics(path)
    stamped = [topic.name for topic in topics if topic.type in (IMAGE, COMPRESSED, CAMERA_INFO) and topic.count]
    times = read_index(path, stamped)
    duration = _duration(times)
    reports = tuple(_report(topic, times.get(topic.name), duration, config.max_gap) for topic in topics)
    name = recording_names([path])[0]
    try:
        chosen = choose_stereo(path, config)
        recording = open_recording(path, config)
        cameras = tuple(_camera(path, camera, config) for camera in (chosen.left, chosen.right))
        seen = look_at_samples(recording)
    except RecordingError as error:
        return Inspection(path, name, duration, reports, (), None, (0, 0), 0, 0.0, 0, None, None, None, (), str(error))
    images = times[chosen.left.image].stamp_ns.size, times[chosen.right.image].stamp_ns.size
    verdict = judge(recording, config, seen)
    lefts = next(topic for topic in reports if topic.name == chosen.left.image)
    stamps = _judge_stamps(int(recording.index.number[-1]) + 1, min(images), lefts)
    return Inspection(
        path,
        name,
        duration,
        reports,
        cameras,
        recording.camera,
        images,
        len(recording),
        recording.step_ns / 1e6,
        int(recording.follows.sum()),
        seen.off_px,
        seen.standing,
        seen.motion_px,
        (*stamps, *verdict.warnings),
        verdict.problem,
    )


def look_at_samples(recording: Recording) -> Sampled:
    """Track corners of SAMPLES pairs, from left to right and from t to t+1."""
    rows = evenly_spaced(len(recording), SAMPLES)
    offsets, ways = [], []
    for row in rows:
        now = recording.stereo(recording.stamps[row].key)
        offsets.append(row_offset(now.left, now.right))
        if recording.stamps[row].follows:
            ways.append(corner_motion(now.left, recording.left(recording.stamps[row + 1].key)))
    seen = [offset for offset in offsets if offset is not None]
    moved = [way for way in ways if way is not None]
    still = STANDING_PX * recording.camera.width / 1280
    return Sampled(
        float(np.median([offset.distance for offset in seen])) if seen else None,
        float(np.median([offset.disparity for offset in seen])) if seen else None,
        float(np.mean([way < still for way in moved])) if moved else None,
        float(np.median(moved)) if moved else None,
    )


def judge(recording: Recording, config: RecordingConfig, seen: Sampled) -> Verdict:
    """The one judge of what the pictures say: `inspect` shows it, and what trains obeys it."""
    rectified = recording.left_reader.rectified and recording.right_reader.rectified
    other = None
    if config.rectified is None and rows_are_off(seen, recording.camera):
        changed = config.model_copy(update={"rectified": not rectified})
        other = look_at_samples(open_recording(recording.path, changed, recording.name))
    pair = Pair(
        recording.left_reader.topic, recording.right_reader.topic, recording.camera, config.baseline > 0, rectified
    )
    verdict = judge_pictures(pair, seen, other)
    if not recording.follows.any():
        return Verdict(
            verdict.warnings,
            "expected pairs that follow each other, found none: record at a steady rate, or raise `-o "
            "recording.max_gap`",
        )
    return verdict


def open_to_train(paths: list[Path], config: RecordingConfig) -> list[Recording]:
    """Several recordings that can be trained on. Raises RecordingError where `inspect` says that one cannot, or two are
    the same files: a link, or a folder and a file in it."""
    recordings = open_recordings(paths, config)
    _check_all_differ(paths)
    for recording in recordings:
        problem = judge(recording, config, look_at_samples(recording)).problem
        if problem is not None:
            raise RecordingError(f"{recording.path} cannot be trained on: {problem}")
    return recordings


def _check_all_differ(paths: list[Path]) -> None:
    seen: dict[Path, Path] = {}
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in (file.resolve() for file in inside if file.suffix in (".mcap", ".db3")):
            if file in seen:
                raise RecordingError(
                    f"expected every recording once, found {seen[file]} and {path}, which hold the same file "
                    f"{file.name}; leave one out"
                )
            seen[file] = path


def _judge_stamps(pairs: int, images: int, lefts: TopicReport) -> list[str]:
    warnings = []
    if pairs < PAIRED_WARN * images:
        warnings.append(
            f"only {pairs} of {images} images have a partner: synchronise the cameras, or raise `-o "
            "recording.pair_slop_ms`"
        )
    if lefts.gaps:
        warnings.append(
            f"{lefts.gaps} gap(s) in {lefts.name}, the longest {lefts.longest_gap_s:.2f} s: "
            "frames before a gap have no t+1"
        )
    if lefts.duplicates or lefts.backwards:
        warnings.append(
            f"{lefts.duplicates} equal and {lefts.backwards} backward stamps in {lefts.name}: of equal ones the "
            "first counts"
        )
    return warnings


def _camera(path: Path, camera: CameraTopics, config: RecordingConfig) -> CameraReport:
    if camera.calibration is None:
        raise ValueError(f"{camera.image} was chosen without a calibration")
    encoding = image_encoding(first_message(path, camera.image)[1], camera.type)
    return CameraReport(
        camera.image, encoding, is_rectified(camera.calibration, camera.image, config), camera.calibration
    )


def _duration(times: dict[str, TopicIndex]) -> float:
    """Seconds between the first and the last message with a header, by the time of recording."""
    logs = [index.log_ns for index in times.values() if index.log_ns.size]
    return (max(int(log.max()) for log in logs) - min(int(log.min()) for log in logs)) / 1e9 if logs else 0.0


def _report(topic: Topic, index: TopicIndex | None, duration: float, max_gap: float) -> TopicReport:
    if index is None or index.stamp_ns.size < 2:
        rate = (topic.count - 1) / duration if topic.count > 1 and duration > 0 else None
        return TopicReport(topic.name, topic.type, topic.count, rate, None, None, None, None, None)
    order = np.diff(index.stamp_ns)
    steps = np.diff(np.unique(index.stamp_ns)) / 1e9
    duplicates = index.stamp_ns.size - np.unique(index.stamp_ns).size
    if not steps.size:
        return TopicReport(
            topic.name, topic.type, topic.count, None, None, None, None, duplicates, int((order < 0).sum())
        )
    step = float(np.median(steps))
    long = steps > max_gap * step
    return TopicReport(
        topic.name,
        topic.type,
        topic.count,
        1 / step,
        float(steps[~long].std() * 1e3),
        int(long.sum()),
        float(steps.max()) if long.any() else 0.0,
        duplicates,
        int((order < 0).sum()),
    )
