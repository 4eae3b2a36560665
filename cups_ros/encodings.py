"""Encodings of raw images: how their pixels lie, and what makes RGB of them. OpenCV only."""

from __future__ import annotations

import cv2

CHANNELS = {
    "rgb8": 3,
    "bgr8": 3,
    "8UC3": 3,
    "rgba8": 4,
    "bgra8": 4,
    "8UC4": 4,
    "mono8": 1,
    "8UC1": 1,
    "yuv422": 2,
    "uyvy": 2,
    "yuv422_yuy2": 2,
    "yuyv": 2,
    "yvyu": 2,
    "bayer_rggb8": 1,
    "bayer_bggr8": 1,
    "bayer_gbrg8": 1,
    "bayer_grbg8": 1,
}
MONO16 = ("mono16", "16UC1")
TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "8UC3": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "8UC4": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "8UC1": cv2.COLOR_GRAY2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "uyvy": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUY2,
    "yuyv": cv2.COLOR_YUV2RGB_YUY2,
    "yvyu": cv2.COLOR_YUV2RGB_YVYU,
    "bayer_rggb8": cv2.COLOR_BayerRGGB2RGB,
    "bayer_bggr8": cv2.COLOR_BayerBGGR2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGBRG2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGRBG2RGB,
}
SHARED_COLOUR = ("yuv422", "uyvy", "yuv422_yuy2", "yuyv", "yvyu")  # by two neighbours in a row
# 16 bits a channel, and what they are with 8
WORDS = {
    **dict.fromkeys(MONO16, "mono8"),
    **{"rgb16": "rgb8", "bgr16": "bgr8", "rgba16": "rgba8", "bgra16": "bgra8", "16UC3": "8UC3", "16UC4": "8UC4"},
    **{f"bayer_{pattern}16": f"bayer_{pattern}8" for pattern in ("rggb", "bggr", "gbrg", "grbg")},
}
# brightness first, then colours of half the rows and columns
PLANES = {
    "nv12": cv2.COLOR_YUV2RGB_NV12,
    "nv21": cv2.COLOR_YUV2RGB_NV21,
    "i420": cv2.COLOR_YUV2RGB_I420,
    "yuv420": cv2.COLOR_YUV2RGB_I420,
    "yv12": cv2.COLOR_YUV2RGB_YV12,
}
ENCODINGS = (*CHANNELS, *WORDS, *PLANES)
OTHER_NAMES = {
    **{"rgb": "rgb8", "bgr": "bgr8", "rgba": "rgba8", "bgra": "bgra8", "rgb888": "rgb8", "bgr888": "bgr8"},
    **{"mono": "mono8", "gray": "mono8", "grey": "mono8", "gray8": "mono8", "grey8": "mono8", "y8": "mono8"},
    **{"gray16": "mono16", "grey16": "mono16", "y16": "mono16", "yuv422_uyvy": "uyvy", "yuv422_yuyv": "yuyv"},
    **{"yuyv422": "yuyv", "uyvy422": "uyvy", "yuy2": "yuyv", "yuv420p": "i420", "yuv420sp": "nv12"},
}
BY_SMALL_NAME = OTHER_NAMES | {name.lower(): name for name in ENCODINGS}


def plain_encoding(name: str) -> str:
    """One spelling: drivers write RGB8, 8uc3, gray; a name that nobody knows stays."""
    return BY_SMALL_NAME.get(name.strip("\0 ").lower(), name)
