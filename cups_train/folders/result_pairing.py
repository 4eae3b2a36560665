"""Which result belongs to which image of the truth."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping

from cups_train.errors import ResultError
from cups_train.folders.result_index import FrameEntry, FrameKey, ResultIndex
from cups_train.folders.result_values import shown

CITYSCAPES = re.compile(r"(?<=\d)_(leftImg8bit|gtFine|gtCoarse)[A-Za-z0-9_]*$")  # after CITY_SEQUENCE_FRAME


def paired(result: ResultIndex, truth: ResultIndex) -> dict[FrameKey, FrameEntry]:
    """The result of every image of the truth, by the key of the truth.

    By file name; where names differ by image_id, as panopticapi does, unless the ids only count (0, 1, 2, ...), as
    those of our own results; else by the name of the image in the names of Cityscapes. Raises ResultError where images
    have no result, or name and image_id say different things.
    """
    by_name = _matches(result, truth, lambda key, frame: key)
    by_id = _matches(result, truth, lambda key, frame: (key[0], frame.image_id)) if _name_images(result, truth) else {}
    if len(by_id) == len(by_name) == len(truth.frames):
        _check_agreement(by_name, by_id, result)
    by_image = _matches(result, truth, lambda key, frame: (key[0], _image_of(key[1])))
    for found in (by_name, by_id, by_image):
        if len(found) == len(truth.frames):
            return {key: result.frames[of] for key, of in found.items()}
    missing = sorted(set(truth.frames) - set(by_name))
    position, name = missing[0]
    raise ResultError(
        f"expected a result for each of the {len(truth.frames)} images of {truth.name}, "
        f"found none for {len(missing)} in {result.name}, first {name} of folder {position + 1} "
        f"(folders joined by commas are paired by position)"
    )


def _matches(
    result: ResultIndex, truth: ResultIndex, word: Callable[[FrameKey, FrameEntry], Hashable]
) -> dict[FrameKey, FrameKey]:
    """Key of the truth -> key of the one result with the same word."""
    found: Mapping[Hashable, list[FrameKey]] = defaultdict(list)
    for key, frame in result.frames.items():
        found[word(key, frame)].append(key)
    words = {key: word(key, frame) for key, frame in truth.frames.items()}
    return {key: found[said][0] for key, said in words.items() if said in found and len(found[said]) == 1}


def _name_images(*indices: ResultIndex) -> bool:
    """Do the ids of all name images? Those that run from 0 or 1 name nothing."""
    for index in indices:
        for position in {key[0] for key in index.frames}:
            ids = {frame.image_id for key, frame in index.frames.items() if key[0] == position}
            if ids in ({*range(len(ids))}, {*range(1, len(ids) + 1)}):
                return False
    return True


def _check_agreement(
    by_name: Mapping[FrameKey, FrameKey], by_id: Mapping[FrameKey, FrameKey], result: ResultIndex
) -> None:
    for key, of in by_name.items():
        if by_id[key] != of:
            raise ResultError(
                f"expected name and image_id to tell the same image, found that {key[1]} of the truth has the name of "
                f"image {shown(result.frames[of].image_id)} and the id of {by_id[key][1]} in {result.name}"
            )


def _image_of(name: str) -> str:
    """The image that a file name of Cityscapes is about; other names without their ending."""
    return CITYSCAPES.sub("", name.rsplit("/", 1)[-1].rsplit(".", 1)[0])
