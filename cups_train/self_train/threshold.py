"""The score from which a teacher's instance is a label, and a watch over how many there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from cups_train.training.journal import Journal

MOST_FIRST = 64  # images
LOWEST = 0.5  # of the settings' score
NONE_IN_A_ROW = 50  # steps without any instance that are worth a warning


@dataclass(eq=False)
class HeldThreshold:
    """Keeps the instances an image at what they were in the first images, where the teacher's scores sink.

    A student that is taught with few labels gives lower scores, the teacher follows, and labels become fewer still. So
    the threshold falls with the scores: it is the score of that row among the last images' rows which keeps the first
    images' rate.
    """

    first: int  # images that set the rate; so many of the last ones set the threshold
    scores: list[list[float]] = field(default_factory=list)  # of the last images
    seen: int = 0  # images
    rate: float = 0.0  # instances an image in the first images, at the settings' score

    def hold(self, scores: list[list[float]], usual: float) -> float:
        """Take the scores of the next images; the threshold for them, between usual / 2 and usual."""
        if self.seen < self.first:
            counted = sum(score >= usual for image in scores for score in image)
            self.rate = (self.rate * self.seen + counted) / (self.seen + len(scores))
        self.seen += len(scores)
        self.scores = [*self.scores, *scores][-max(1, self.first) :]
        if self.seen <= self.first:
            return usual
        ranked = sorted((score for image in self.scores for score in image), reverse=True)
        wanted = round(self.rate * len(self.scores))
        held = ranked[min(wanted, len(ranked)) - 1] if wanted and ranked else usual
        return min(usual, max(held, LOWEST * usual))

    def to_json(self) -> dict[str, object]:
        return {"first": self.first, "scores": self.scores, "seen": self.seen, "rate": self.rate}


@dataclass(eq=False)
class Watch:
    """Says in the log where the teacher has stopped to find anything."""

    journal: Journal
    steps: int
    empty: int = 0  # steps in a row without an instance

    def look(self, instances: int) -> None:
        """Take one step's number of instances; once in a row of empty steps, a line in the log."""
        self.empty = 0 if instances else self.empty + 1
        if self.empty == max(2, min(NONE_IN_A_ROW, self.steps // 5)):
            self.journal.text(
                f"the teacher has found no instance in {self.empty} steps: stage 3 teaches stuff only; "
                "a lower self_train.instance_score or a longer stage 2 mends it"
            )
