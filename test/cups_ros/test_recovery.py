from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cups_ros.engines import EngineError
from cups_ros.recovery import FIRST_PAUSE_S, LONGEST_PAUSE_S, EngineFailure, LastingModel
from cups_ros.types import Classes, Panoptic, PseudoClass, Thresholds

IMAGE = np.zeros((2, 2, 3), np.uint8)
LOOSE = Thresholds(0.1, 0.2, 0.3, 0.4)


class TwoEngines:
    """A model with a GPU and a CPU; the engines named in `broken` fail."""

    name, classes, input_size = "two", Classes((PseudoClass(1, "road", False, (0, 0, 0)),)), (2, 2)

    def __init__(self, broken: set[str]) -> None:
        self.broken, self.left, self.engine, self.thresholds = broken, ["cpu"], "gpu", Thresholds()

    def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
        if self.engine in self.broken:
            raise EngineError(f"{self.engine} is gone\nsecond line")
        return lambda: Panoptic(np.ones((2, 2), np.uint8), np.zeros((2, 2), np.uint16))

    def next_engine(self) -> bool:
        self.engine = self.left.pop(0) if self.left else ""
        return bool(self.engine)

    def close(self) -> None:
        self.engine = ""


def test_the_next_engine_takes_over_and_then_the_first_is_opened_again() -> None:
    broken: set[str] = set()
    loads: list[int] = []

    def load() -> TwoEngines:
        loads.append(1)
        return TwoEngines(broken)

    lasting = LastingModel(load, clock=lambda: 7.0)
    assert (
        lasting.start(IMAGE, LOOSE)().class_id.all()
        and lasting.model.thresholds == LOOSE
        and lasting.thresholds == Thresholds()
    )
    broken.add("gpu")
    with pytest.raises(EngineFailure, match=r"^engine gpu failed \(gpu is gone\); cpu took its place after 0.0 s$"):
        lasting.start(IMAGE, LOOSE)
    assert lasting.start(IMAGE, LOOSE)().class_id.all() and len(loads) == 1
    first = lasting.model
    broken.add("cpu")
    broken.discard("gpu")
    with pytest.raises(EngineFailure, match=r"^engine cpu failed \(cpu is gone\); gpu took its place"):
        lasting.start(IMAGE, LOOSE)
    assert first.engine == "", "its memory is given back before another is opened"
    assert (
        lasting.start(IMAGE, LOOSE)().class_id.all()
        and len(loads) == 2
        and lasting.model.thresholds == LOOSE
        and not lasting.recovering
    )


def test_a_model_that_cannot_be_opened_is_tried_again_after_growing_pauses() -> None:
    now, fails, attempts = [0.0], [False], []

    def load() -> TwoEngines:
        attempts.append(now[0])
        if fails[0]:
            raise ValueError("no memory")
        return TwoEngines({"gpu", "cpu"} if len(attempts) < 2 else set())

    lasting = LastingModel(load, clock=lambda: now[0])
    with pytest.raises(EngineFailure, match="cpu took its place"):
        lasting.start(IMAGE, LOOSE)
    fails[0] = True
    with pytest.raises(EngineFailure, match=r"could not be opened again \(no memory\)"):
        lasting.start(IMAGE, LOOSE)
    lasting.model.engine, lasting.model.broken = "", {""}  # what a model without an engine is
    with pytest.raises(EngineFailure, match=f"it is opened again in {FIRST_PAUSE_S:.1f} s"):
        lasting.start(IMAGE, LOOSE)
    for _ in range(6):
        now[0] += 1.001 * LONGEST_PAUSE_S
        with pytest.raises(EngineFailure, match="could not be opened again"):
            lasting.start(IMAGE, LOOSE)
    assert len(attempts) == 8
    fails[0] = False
    now[0] += 1.001 * LONGEST_PAUSE_S
    with pytest.raises(EngineFailure, match="gpu took its place"):
        lasting.start(IMAGE, LOOSE)
    assert lasting.start(IMAGE, LOOSE)().class_id.all()


def test_what_is_wrong_with_one_image_is_not_the_engines_fault() -> None:
    class Picky(TwoEngines):
        def start(self, image: np.ndarray) -> Callable[[], Panoptic]:
            raise ValueError("expected another shape")

    lasting = LastingModel(lambda: Picky(set()))
    with pytest.raises(ValueError, match="another shape"):
        lasting.start(IMAGE, LOOSE)
    assert lasting.model.engine == "gpu"
