"""Where packages and message types are found."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path


class PackageNotFound(Exception):
    """No prefix holds the package."""


def package_prefix(name: str) -> str:
    """The folder below which `share/NAME` and `lib/NAME` lie. Raises PackageNotFound."""
    prefixes = [p for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p] or [sys.prefix]
    for prefix in prefixes:
        if Path(prefix, "share/ament_index/resource_index/packages", name).exists():
            return prefix
    raise PackageNotFound(f"package '{name}' not found, searched: {', '.join(prefixes)}")


def interface(name: str) -> type:
    """The class of `sensor_msgs/msg/Image` and the like."""
    package, kind, message = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), message)
