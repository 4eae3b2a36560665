"""What keeps the time of an image even: memory that is kept, short turns of threads, a garbage collector with little to
look through. No ROS."""

from __future__ import annotations

import ctypes
import gc
import logging
import sys

import cv2

logger = logging.getLogger(__name__)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h
KEPT_BYTES = 1 << 29  # of freed memory, at most
LARGEST_KEPT_BLOCK = 1 << 25  # the most that glibc allows
SWITCH_INTERVAL_S = 2e-4


def keep_memory() -> None:
    """Have the allocator keep freed blocks of up to 32 MB instead of giving them back, for the whole process.

    Every map and message has some MB. As glibc comes, it gives such blocks back at once and gets them anew, page by
    page: a third of the time that an image takes besides its engine. Without glibc nothing is changed.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        logger.info("no mallopt in this C library: memory is given back after every image")
        return
    if not (mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BLOCK) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)):
        logger.info("mallopt refuses to keep memory: it is given back after every image")


def give_memory_back() -> None:
    """Give back what is freed and kept, also between blocks in use: an engine that is opened anew would find no room in
    the gaps of the last one."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return  # nothing is kept without glibc
    trim(0)


def take_short_turns() -> None:
    """Have a Python thread that is woken wait for the others for 0.2 ms instead of 5 ms, for the whole process.

    OpenCV gets one thread: each of its calls here takes less than 1 ms, and on a busy machine waiting for its other
    threads takes longer.
    """
    cv2.setNumThreads(1)
    sys.setswitchinterval(min(SWITCH_INTERVAL_S, sys.getswitchinterval()))


def spare_collector() -> None:
    """Take all objects that live now out of the sight of the garbage collector: what it finds later is of the images.

    Those of the time before are looked through once more: else what was in use then and lies in a circle would never be
    freed.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
