"""Point the CMake exports of the ros-* wheels at this environment: they name folders of the machine that built them.

Run once after the wheels are installed: python ros_wheels/fix_cmake.py
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from pathlib import Path

import numpy as np

RULES = (
    (re.compile(r"/opt/python/cp\d+-cp\d+/lib/python[\d.]+/site-packages/numpy/_?core/include"), np.get_include()),
    (re.compile(r"/opt/python/cp\d+-cp\d+/include/python[\d.]+"), sysconfig.get_path("include")),
)


def fix(prefix: Path) -> int:
    """Rewrite the CMake files below `prefix`/share; how many were changed."""
    count = 0
    for path in prefix.glob("share/*/cmake/*.cmake"):
        text = fixed = path.read_text()
        for pattern, folder in RULES:
            fixed = pattern.sub(lambda _, folder=folder: folder, fixed)
        if fixed != text:
            # A new file in its place: the old one may be a hard link into the package cache, shared with other
            # environments.
            part = path.with_suffix(".part")
            part.write_text(fixed)
            os.replace(part, path)
            count += 1
    return count


if __name__ == "__main__":
    print(f"{fix(Path(sys.prefix))} CMake files of the ROS wheels now name this environment's folders")
