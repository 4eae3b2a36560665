"""Files are written beside their place and renamed, so that a killed program leaves none half-written."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cups_ros.decoding import compressed_size
from cups_train.errors import CupsError, ResultError

MAX_MEGAPIXELS = 200.0  # of a picture: a larger one is a mistake or a bomb


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a path beside `path`, then rename it into place. Folders are made, links followed; what is no
    plain file (a device, a pipe) is written to."""
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        return write(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        write(temporary)
        if temporary.is_file():
            temporary.chmod(0o666 & ~_umask())  # some libraries write files for their owner alone
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """There is no way to read it but to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def beside(path: Path) -> Path:
    """A hidden name in the same folder that no other program takes: process ids are not unique among machines."""
    return path.with_name(f".{secrets.token_hex(6)}.{path.name}")


def check_file(file: Path | None, option: str, own: set[str]) -> None:
    """Raises CupsError where a file to write cannot be made, or is there and not one of ours: JSON with the keys
    `own`."""
    there = next((place for place in (file, *file.parents) if place.exists()), None) if file else None
    if there is not None and there.is_dir() == (there == file):
        kind = "the folder" if there == file else "the file"
        raise CupsError(f"expected a file that can be written for {option}, found {kind} {there}; name another")
    if file is not None and file.is_file() and file.stat().st_size and not own <= read_object(file).keys():
        raise CupsError(
            f"expected a new file for {option} or one that it has written before, found another's {file}; name another"
        )


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode(errors="backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    def write(beside: Path) -> None:
        beside.write_bytes(data)

    write_atomically(path, write)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value) + "\n")


def read_json(path: Path) -> Any:
    """Raises ResultError, with the path, where the file is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))  # editors of Windows put a mark in front
    except FileNotFoundError:
        raise ResultError(f"expected a file {path}, found none") from None
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise ResultError(
            f"expected JSON in {path}, found a damaged file ({error}); delete it and make it again"
        ) from error


def read_object(path: Path) -> dict[str, Any]:
    """What a file of ours that can be made again says; nothing where it is missing or damaged."""
    try:
        found = read_json(path)
    except ResultError:
        return {}
    return found if isinstance(found, dict) else {}


def write_image(path: Path, image: np.ndarray) -> None:
    """(H, W) uint8/uint16 or (H, W, 3) uint8 RGB to PNG or JPEG by the ending; PNG in the fastest compression."""
    pixels = image[..., ::-1] if image.ndim == 3 else image
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, 92]
    done, data = cv2.imencode(path.suffix, np.ascontiguousarray(pixels), options)
    if not done:
        raise ValueError(f"cannot encode {image.dtype} {image.shape} as {path.suffix}")
    write_bytes(path, data.tobytes())


def read_image(path: Path) -> np.ndarray:
    """A PNG or JPEG as stored: (H, W) uint8/uint16, or (H, W, 3) uint8 RGB. Raises ResultError."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    if refusal := oversize(data):
        raise ResultError(f"expected {refusal}, in {path}")
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise ResultError(f"expected an image in {path}, found {'a damaged file' if path.exists() else 'none'}")
    return np.ascontiguousarray(image[..., 2::-1]) if image.ndim == 3 else image


def oversize(data: np.ndarray) -> str:
    """What to say of a PNG or JPEG, (N,) uint8, that is too large to be decoded, by its head; empty if it is not."""
    height, width = compressed_size(data) or (0, 0)
    if height * width <= MAX_MEGAPIXELS * 1e6:
        return ""
    return f"a picture of at most {MAX_MEGAPIXELS:g} megapixels, found {width}x{height}"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
