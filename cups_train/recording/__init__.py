"""Recordings: rosbag2 folders and files to rectified, paired stereo frames, without ROS."""
from cups_train.recording.recording import Recording, Stamp, open_recording, open_recordings

__all__ = ["Recording", "Stamp", "open_recording", "open_recordings"]
