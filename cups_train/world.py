"""What the world does to a command, in one sentence: no leave, no room, no memory, and what libraries make of it."""

from __future__ import annotations

import errno
import os
import re
import sys

from cups_train.errors import briefly, first_line

AGAIN = "the same command goes on where it stopped"
_FULL = re.compile(r"No space left|code: 28\b|failed writing file|unexpected pos \d+|\[enforce fail .*written", re.I)
_LARGE = re.compile(r"File too large|code: 27\b", re.I)
_MEMORY = re.compile(
    r"out of memory|can't allocate|cannot allocate|insufficient memory|bad_alloc|unable to allocate", re.I
)


def sentence_of(error: BaseException) -> str | None:
    """What was expected, what was found, what mends it; None where the fault is ours."""
    if isinstance(error, OSError):
        return _of_system(error)
    if isinstance(error, MemoryError):
        return _memory(error)
    if isinstance(error, RecursionError):
        return "expected input of a reasonable depth, found it nested too deeply; look at the settings and JSON files"
    if isinstance(error, UnicodeError):
        return f"expected names and text in UTF-8, found others ({briefly(first_line(error))}); rename the file"
    return _of_library(error)


def _of_system(error: OSError) -> str:
    place = briefly(str(error.filename)) if error.filename is not None else "a file or the output"
    reason = error.strerror or first_line(error, type(error).__name__)
    if isinstance(error, BrokenPipeError):
        return "expected a reader of the output, found it gone"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"expected leave to use {place}, found none ({reason}); change its rights, or name another"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"expected room for {place}, found none left ({reason}); make room, and {AGAIN}"
    if error.errno == errno.EFBIG:
        return f"expected to write {place}, found it larger than a file may be; see `ulimit -f`, and {AGAIN}"
    if error.errno == errno.ENAMETOOLONG:
        return f"expected a name that the file system takes, found {place} too long; shorten it"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"expected to open {place}, found too many files open; lower `-o workers=N` or raise `ulimit -n`"
    if error.errno == errno.ENOMEM:
        return _memory(error)
    return f"expected to read or write {place}, found that the system cannot ({reason}); mend that, and {AGAIN}"


def _memory(error: BaseException) -> str:
    return (
        f"expected enough memory, found none left ({briefly(first_line(error, 'out of memory'))}); lower "
        f"`-o workers=N` or the sizes in the settings, and {AGAIN}"
    )


def _of_library(error: BaseException) -> str | None:
    """Theirs wear any type: torch, OpenCV and safetensors have one each for all that happens."""
    if type(error).__module__.split(".")[0] in ("cups_train", "cups_ros") or isinstance(error, AssertionError):
        return None
    text = str(error)
    if _MEMORY.search(text):
        return _memory(error)
    if _FULL.search(text):
        return f"expected room for a file, found none left ({briefly(first_line(error))}); make room, and {AGAIN}"
    if _LARGE.search(text):
        return f"expected to write a file, found it larger than one may be; see `ulimit -f`, and {AGAIN}"
    return None


def open_streams() -> None:
    """Where the caller has closed stdin, stdout or stderr, the next file would take its number and its text; and text
    that the locale has no letters for is written in escapes."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """What could not be printed shall not be tried again at the end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
