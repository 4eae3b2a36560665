"""One command at a time writes into a folder; the system lets go of a killed one's hold."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cups_train.errors import CupsError

LOCK = ".lock"
_held: set[Path] = set()
WITHOUT = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}  # file systems that keep no locks


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder`, which is made where it is missing and goes again where it stays empty. Raises CupsError, with the
    holder, where another command holds it. What this process holds already, it may hold again."""
    folder = folder.resolve()
    if folder in _held:
        yield
        return
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    handle = _take(path)
    _held.add(folder)
    try:
        os.truncate(handle, 0)
        os.write(handle, json.dumps(_holder()).encode())
        yield
    finally:
        _held.discard(folder)
        path.unlink(missing_ok=True)
        os.close(handle)
        if new and not any(folder.iterdir()):
            folder.rmdir()


def _take(path: Path) -> int:
    """An open, locked file that still has its name: the one before may have been removed by its holder meanwhile."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 1000).decode(errors="replace")
            os.close(handle)
            raise CupsError(
                f"expected {path.parent} to be free, found that another command writes there ({_said(who)}); wait for "
                "it to end, or stop it"
            ) from None
        except OSError as error:
            if error.errno not in WITHOUT:
                os.close(handle)
                raise
        try:
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                return handle
        except FileNotFoundError:
            pass
        os.close(handle)


def _holder() -> dict[str, object]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join(sys.argv[1:2]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _said(text: str) -> str:
    try:
        row = json.loads(text)
        return f"{row['command']}, process {row['pid']} on {row['host']}, since {row['since']}"
    except (ValueError, KeyError, TypeError):
        return "it has not said who it is"
