"""Stereo pairs of a recording in one pass over its file, still encoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cups_train.recording.bag import fetch, stream
from cups_train.recording.pairing import PairIndex

HELD = 12  # encoded images of one side that wait for their partner or their turn while streaming


class EncodedPair(NamedTuple):
    """One stereo pair as the file has it."""

    row: int  # of the PairIndex
    left: bytes  # CDR
    right: bytes  # CDR


def stream_pairs(path: Path, index: PairIndex, left: str, right: str) -> Iterator[EncodedPair]:
    """Every pair in order of the rows. At most HELD encoded images of a side wait; what comes later
    is fetched again."""
    orders = (left, index.left_order), (right, index.right_order)
    rows = {topic: {int(order): row for row, order in enumerate(places)} for topic, places in orders}
    held: dict[str, dict[int, bytes]] = {left: {}, right: {}}
    seen = {left: -1, right: -1}
    due = 0
    for topic, _, data in stream(path, (left, right)):
        seen[topic] += 1
        row = rows[topic].get(seen[topic])
        if row is None or row < due:
            continue
        held[topic][row] = bytes(data)
        while due in held[left] and due in held[right] or max(map(len, held.values())) > HELD:
            yield EncodedPair(due, *take_pair(path, index, due, held, left, right))
            due += 1
    for row in range(due, index.number.size):
        yield EncodedPair(row, *take_pair(path, index, row, held, left, right))


def take_pair(
    path: Path, index: PairIndex, row: int, held: dict[str, dict[int, bytes]], left: str, right: str
) -> tuple[bytes, bytes]:
    """The encoded images of a pair, left and right: of those held, which then go, or fetched from the file."""
    first, second = held[left].pop(row, None), held[right].pop(row, None)
    return (
        first or fetch(path, left, int(index.left_log[row]), int(index.left_stamp[row])),
        second or fetch(path, right, int(index.right_log[row]), int(index.right_stamp[row])),
    )
