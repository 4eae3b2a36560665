"""First guesses for the refinement: the classical flow of a pair, with the length of its round trip."""

from __future__ import annotations

import numpy as np

from cups_train.flow.classical import ClassicalMatcher
from cups_train.types import StereoFrame

FAR = 30.0  # px, the round trip of what was not matched at all


def guess(matcher: ClassicalMatcher, now: StereoFrame, after: StereoFrame) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 2) float32 px, and (H, W) float32 px, the round trip. The matcher must hold both frames."""
    flow = matcher.flow(now, after)
    trip = np.where(flow.sure, np.linalg.norm(flow.forward + flow.back, axis=-1), FAR)
    return flow.forward.astype(np.float32), np.minimum(trip, FAR).astype(np.float32)
