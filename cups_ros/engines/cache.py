"""Where built plans lie, and what they are called."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from cups_ros.engines.engine import EngineError


def cache_folder() -> Path:
    """$CUPS_CACHE, else $XDG_CACHE_HOME/cups, else ~/.cache/cups; made where it is missing. Raises EngineError."""
    given, shared = os.environ.get("CUPS_CACHE"), os.environ.get("XDG_CACHE_HOME")
    folder = Path(given) if given else Path(shared or Path.home() / ".cache") / "cups"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(
            f"expected a folder for built engines in {folder}, found that it cannot be made ({error}); set CUPS_CACHE"
        ) from error
    return folder


def cached_plan(facts: dict[str, str]) -> Path:
    """File of the plan with these facts (graph, package, version, device, precision): another fact, another file."""
    text = "\n".join(f"{key}={facts[key]}" for key in sorted(facts))
    return cache_folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.plan"


def write_plan(path: Path, plan: bytes) -> None:
    """Write whole or not at all, for several nodes that build at once. Raises EngineError."""
    beside = path.with_name(f".{secrets.token_hex(6)}.{path.name}")  # process ids are not unique among machines
    try:
        beside.write_bytes(plan)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise EngineError(
            f"expected to write a built engine to {path}, found that it cannot be written ({error}); set CUPS_CACHE"
        ) from error
