"""How results are scored: which true class a pseudo class is taken for, and what void costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Matching = Literal["strict", "hungarian", "majority"]
VoidRule = Literal["official", "published"]
UnknownRule = Literal["void", "class"]  # what a predicted crowd region is: unknown objects

MATCHINGS: tuple[Matching, ...] = ("strict", "hungarian", "majority")  # in the order in which they are shown
TITLES: dict[Matching, str] = {"strict": "strict", "hungarian": "published protocol", "majority": "majority"}
MEANINGS: dict[Matching, str] = {
    "strict": "one pseudo class a true class, those left over are void: what a user meets",
    "hungarian": "one to one first, those left over go to the true class that they cover most",
    "majority": "every pseudo class goes to the true class that it covers most",
}


@dataclass(frozen=True)
class Protocol:
    """One way to score."""

    matching: Matching
    void: VoidRule = "official"


PROTOCOLS = {  # by their key in metrics.json
    "strict": Protocol("strict"),
    "official": Protocol("hungarian"),
    "published": Protocol("hungarian", "published"),
    "majority": Protocol("majority"),
}
