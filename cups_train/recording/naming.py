"""Names of recordings."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from cups_train.errors import RecordingError

ANONYMOUS = ("bag", "recording")


def recording_names(paths: list[Path]) -> list[str]:
    """A folder's name or a file's stem; `bag`, `recording` and equal names get their parent's name before them, until
    all differ."""
    full = [Path(os.path.abspath(path)) for path in paths]
    twice = [path for path, count in Counter(full).items() if count > 1]
    if twice:
        raise RecordingError(f"expected different recordings, found {twice[0]} given twice; give it once")
    parts = [
        [*path.parts[1:-1], path.name if path.is_dir() or path.suffix not in (".mcap", ".db3") else path.stem]
        for path in full
    ]
    depths = [2 if part[-1] in ANONYMOUS else 1 for part in parts]
    while True:
        names = ["-".join(part[-depth:]) for part, depth in zip(parts, depths, strict=True)]
        counts = Counter(names)
        longer = [
            min(depth + (counts[name] > 1), len(part)) for name, depth, part in zip(names, depths, parts, strict=True)
        ]
        if longer == depths:
            break
        depths = longer
    same = [name for name, count in counts.items() if count > 1]
    if same:  # a.mcap beside a folder a
        raise RecordingError(f"expected recordings with different names, found two named {same[0]}; rename one")
    return names
