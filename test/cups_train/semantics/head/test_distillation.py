import pytest

from cups_train.semantics.head import distillation
from cups_train.semantics.head.correspondence import Shifts
from cups_train.semantics.head.training import crop_pool
from cups_train.semantics.head.untrained import new_head


def test_shifts_leave_the_share_of_pairs_that_attract(dense, settings):
    features, frames = dense
    network, pool = new_head(features, frames, settings, 1), crop_pool(frames)
    how = distillation.Distillation(4, "nearness", "farthest")
    found = distillation.find_shifts(network, pool, how, 1)
    assert found.own > 0 and 0 < found.depth < 1
    at = distillation.compare(network, pool.batch(16, 1, 0), how, 1, 0)
    own = distillation.likeness(at.features[:16], at.features[:16])
    assert float((own > found.own).float().mean()) == pytest.approx(distillation.ATTRACT.own, abs=0.05)
    given = Shifts(0.1, 0.2, 0.3, 0.4)
    assert (
        distillation.find_shifts(network, pool, distillation.Distillation(4, "nearness", "farthest", shifts=given), 1)
        == given
    )
