"""Recordings: rosbag2 folders and files to rectified, paired stereo frames, without ROS."""

from cups_train.recording.images import ImageSource, is_image_folder, open_images
from cups_train.recording.inspect import Inspection, inspect, open_to_train
from cups_train.recording.inspection_text import render_text
from cups_train.recording.naming import recording_names
from cups_train.recording.recording import Recording, Stamp, open_recording, open_recordings

__all__ = [
    "ImageSource",
    "Inspection",
    "Recording",
    "Stamp",
    "inspect",
    "is_image_folder",
    "open_images",
    "open_recording",
    "open_recordings",
    "open_to_train",
    "recording_names",
    "render_text",
]
