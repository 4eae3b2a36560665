"""What a user can mend: the command line prints it as one sentence and ends with exit code 2."""

from __future__ import annotations

import reprlib


class CupsError(Exception):
    """Wrong use or bad input: what was expected, what was found, which option mends it."""


class RecordingError(CupsError):
    """A recording that cannot be read or does not hold what is needed."""


class ResultError(CupsError):
    """A result, truth or label folder that does not fit its format."""


class ModelError(CupsError):
    """A checkpoint, weights file or exported model that cannot be used."""


class GateError(CupsError):
    """The quality gate stopped a run."""


MOST_SHOWN = 200  # characters of a value in a sentence
_repr = reprlib.Repr()
_repr.maxlevel, _repr.maxstring, _repr.maxother = 3, MOST_SHOWN, MOST_SHOWN


def briefly(value: object) -> str:
    """A value from outside for a sentence, however large it is: the text of a text, else its repr."""
    text = value[: MOST_SHOWN + 1] if isinstance(value, str) else _repr.repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def first_line(error: BaseException, if_empty: str = "") -> str:
    """The first line of a library's message; `if_empty` where it says nothing."""
    return next(iter(str(error).splitlines()), if_empty)
