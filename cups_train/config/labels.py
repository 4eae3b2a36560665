"""Settings of stage 1c: pseudo labels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from cups_train.config.section import Section


class LabelConfig(Section):
    """Stage 1c: alignment, thing/stuff split, quality gate."""

    split: Literal["lift", "published"] = Field(
        "lift",
        description="rule of the split: `lift`, or the published one, which compares a class with "
        "the mean of all classes and counts all pixels of all frames",
    )
    psi: float = Field(
        2.16,
        gt=0,
        description="a class is a thing from this many times the share that all pixels have inside moving objects; "
        "`split: published`: that the classes have on average",
    )
    likeness: float = Field(
        3.0,
        ge=0,
        description="how far the counts of a class reach to classes that look like it, times the usual squared "
        "distance of the nearest class; 0: each class is judged by itself (published)",
    )
    min_instances: int = Field(
        5,
        ge=0,
        description="fewest moving objects that make a thing class; of few objects one in fifty, at least two; "
        "0: any (published)",
    )
    votes: Literal["things", "published"] = Field(
        "things",
        description="without kinds: what names an object: `things`, the thing classes of its "
        "pixels together, or the published vote, which the first class loses where it is even",
    )
    thing_vote: float = Field(
        0.2,
        ge=0,
        le=1,
        description="without kinds: share of an object's pixels from which thing classes name it; "
        "1: the most frequent class does (published)",
    )
    things: tuple[int, ...] = Field((), description="ids of the thing classes; empty: found by motion")
    kinds: int = Field(
        24,
        ge=0,
        le=128,
        description="groups of moving objects, by size, speed and looks, of which kinds are joined; 0: the votes "
        "of an object's pixels name it (published)",
    )
    movers: int = Field(
        8,
        ge=1,
        le=128,
        description="most kinds of movers: they name objects and what is parked, and are among semantics.classes",
    )
    standing: bool = Field(
        True,
        description="parts of thing classes that do not move are instances too, such as parked cars, where their size "
        "is that of moving objects of their kind (published: false)",
    )
    trim: bool = Field(
        True,
        description="moving objects lose what lies on the ground, such as shadows, or at another distance "
        "(published: false)",
    )
    cut: tuple[tuple[int, ...], ...] = Field(
        (),
        description="groups of clusters that are classes of stuff of their own, whatever evidence joined them to; "
        "names.html shows the numbers, e.g. [[12, 40], [7]]",
    )
    border: float = Field(0.025, ge=0, lt=0.5, description="columns at each side without instances, share of the width")
    min_moving_frames: float = Field(0.02, ge=0, le=1, description="gate: least share of frames with a moving object")
    max_class_share: float = Field(
        0.6, gt=0, le=1, description="gate: largest share of all pixels that one class may take"
    )

    @model_validator(mode="after")
    def _in_force(self) -> LabelConfig:
        """A published rule that would pass over a setting is refused beside it: what config.yaml says is what runs."""
        if self.split == "published" and (self.likeness or self.min_instances):
            raise ValueError(
                f"labels.split published with labels.likeness {self.likeness:g} and labels.min_instances "
                f"{self.min_instances}, of which "
                "that rule knows nothing (set both to 0)"
            )
        if self.votes == "published" and (self.kinds or self.thing_vote < 1):
            raise ValueError(
                f"labels.votes published with labels.kinds {self.kinds} and labels.thing_vote {self.thing_vote:g}, "
                "of which that vote "
                "knows nothing (set them to 0 and 1)"
            )
        return self
