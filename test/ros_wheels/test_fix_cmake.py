from __future__ import annotations

import importlib.util
import os
import sysconfig
from pathlib import Path

import numpy as np

SCRIPT = Path(__file__).parents[2] / "ros_wheels/fix_cmake.py"


def test_folders_are_replaced_and_the_package_cache_is_left_alone(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("fix_cmake", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = 'set(a "/opt/python/cp311-cp311/include/python3.11;/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include")\n'
    cached, installed = tmp_path / "cached.cmake", tmp_path / "share/std_msgs/cmake/export.cmake"
    installed.parent.mkdir(parents=True)
    cached.write_text(text)
    os.link(cached, installed)
    assert module.fix(tmp_path) == 1
    assert installed.read_text() == f'set(a "{sysconfig.get_path("include")};{np.get_include()}")\n'
    assert cached.read_text() == text
    assert module.fix(tmp_path) == 0
