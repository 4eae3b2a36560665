"""Folders that commands write into. A hidden mark says which command made what is in one: that alone is ever replaced,
and only by a finished result. Hidden files are nobody's business here: they are neither refused nor touched."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cups_train.errors import CupsError, ResultError
from cups_train.files import beside, read_json, write_json
from cups_train.lock import locked

MARK = ".cups.json"
VERSION = 1
NEW = "new"  # a result that is being made
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\..+")  # as `files.beside` names them


@dataclass(frozen=True)
class Mark:
    """What a folder says of itself."""

    kind: str  # the command that made it
    files: frozenset[str]  # its files, relative; one that ends with / is a folder with all that is in it


def check_output(out: Path, kind: str, option: str = "--out", force: bool = False) -> None:
    """Raises CupsError where `out` is no folder that can be made, or holds what `kind` did not make.

    `force`: things of others may lie there; they stay as they are.
    """
    there = next(place for place in (out, *out.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise CupsError(f"expected {option} {out} to be a new folder, found the file {there}; name another folder")
    mark = read_mark(out)
    if mark is not None and mark.kind != kind:
        raise CupsError(
            f"expected {option} {out} to be a new folder or made by {kind}, found a result of {mark.kind}; name "
            "another folder"
        )
    foreign = [] if force else foreign_files(out, mark)
    if foreign:
        raise CupsError(
            f"expected {option} {out} to be a new folder or an earlier result of {kind} alone, found {foreign[0]} "
            "there; name another folder (--force writes beside what others left, and stops before it replaces it)"
        )


def read_mark(out: Path) -> Mark | None:
    """None where there is none, or none of this version."""
    try:
        row = read_json(out / MARK)
        return Mark(str(row["kind"]), frozenset(map(str, row["files"]))) if row["version"] == VERSION else None
    except (ResultError, KeyError, TypeError, NotADirectoryError):
        return None


def foreign_files(out: Path, mark: Mark | None) -> list[str]:
    """What lies in `out` and is not of its mark, sorted."""
    return sorted(name for name in files_in(out) if not _ours(name, mark))


def files_in(folder: Path) -> Iterator[str]:
    """Relative names of all files, links and empty folders but hidden ones."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "."]
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in (*files, *links):
            if name[0] != ".":
                yield os.path.relpath(os.path.join(place, name), folder)
        if not folders and not files and place != str(folder):
            yield os.path.relpath(place, folder)


def claim(out: Path, kind: str, names: Iterable[str]) -> None:
    """Say before they are written that these files are this command's; those of before stay its own."""
    mark, names = read_mark(out), frozenset(names)
    if mark is None or not names <= mark.files:
        _write_mark(out, Mark(kind, names | (mark.files if mark else frozenset())))


@contextmanager
def replacing(out: Path, kind: str, keep: Iterable[str] = ()) -> Iterator[Path]:
    """A hidden folder to write a result into. When it is whole it takes the place of the earlier result in `out`, whose
    other files go; until then, and where the work fails, that one stays as it was.

    `keep`: names of earlier files that are part of the new result too. Raises CupsError where another's file has the
    name of a new one.
    """
    out = out.resolve()
    with locked(out):
        remove_temporaries(out)
        new = beside(out / NEW)
        new.mkdir()
        try:
            yield new
            _take_place(out, new, kind, frozenset(keep))
        finally:
            shutil.rmtree(new, ignore_errors=True)


def remove_temporaries(folder: Path) -> None:
    """What killed commands have left half-written in `folder` itself; the caller holds its lock."""
    for path in folder.glob(".*"):
        if _TEMPORARY.fullmatch(path.name):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_own(out: Path, names: Iterable[str]) -> None:
    """Remove these files, and the folders that are empty then."""
    for name in names:
        path = out / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        while (path := path.parent) != out and path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _take_place(out: Path, new: Path, kind: str, keep: frozenset[str]) -> None:
    mark, names = read_mark(out) or Mark(kind, frozenset()), frozenset(files_in(new))
    for name in sorted(names):
        place = out / name
        above = next(folder for folder in place.parents if folder.exists())
        room = above.is_dir() and above.resolve().is_relative_to(out)
        if not room or (os.path.lexists(place) and not _ours(name, mark)):
            raise CupsError(
                f"expected room for {name} in {out}, found another's there, which is left as it is; name another folder"
            )
    _write_mark(out, Mark(kind, mark.files | names))
    # what names the other files lies at the top: it goes first and comes last
    remove_own(out, (name for name in mark.files - keep if "/" not in name))
    for name in sorted(names, key=lambda name: ("/" not in name, name)):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(new / name, out / name)
    remove_own(out, mark.files - keep - names)
    _write_mark(out, Mark(kind, names | (mark.files & keep)))


def _ours(name: str, mark: Mark | None) -> bool:
    return mark is not None and (name in mark.files or any(f[-1] == "/" and name.startswith(f) for f in mark.files))


def _write_mark(out: Path, mark: Mark) -> None:
    write_json(out / MARK, {"kind": mark.kind, "version": VERSION, "files": sorted(mark.files)})
