"""The workshop: stereo recordings go in, a panoptic model learned without labels comes out."""

__version__ = "0.1.0"
