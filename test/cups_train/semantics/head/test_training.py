from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from cups_train.semantics import learn_classes
from cups_train.semantics.head import distillation, training
from cups_train.semantics.head.untrained import new_head
from cups_train.training import single
from cups_train.types import Work

WORK = Work(3, 1, "cpu")


@pytest.mark.parametrize(("depth_term", "spots"), [(None, "random"), ("nearness", "farthest"), ("published", "random")])
def test_training_lowers_the_loss_and_leaves_the_features_alone(dense, tmp_path, depth_term, spots, settings):
    features, frames = dense
    before = {name: value.clone() for name, value in features.state_dict().items()}
    how = distillation.Distillation(4, depth_term, spots)
    network = new_head(features, frames, settings, 1)
    pool = training.crop_pool(frames)
    shifts = distillation.find_shifts(network, pool, how, 1)

    def loss():
        terms = [
            distillation.losses(network, distillation.compare(network, pool.batch(4, 1, i), how, 1, i), how, shifts, i)
            for i in range(5)
        ]
        assert all(set(t) == {"own", "neighbour", "random"} | ({"depth"} if depth_term else set()) for t in terms)
        return float(torch.stack([torch.stack(list(t.values())).sum() for t in terms]).detach().mean())

    first = loss()
    training.train_head(network, frames, tmp_path, how, replace(settings, steps=20), 1)
    assert loss() < first - 0.01
    for name, value in features.state_dict().items():
        torch.testing.assert_close(value, before[name])
    assert torch.linalg.norm(network.centres, dim=1).allclose(torch.ones(5))


def test_a_stopped_training_ends_with_the_same_weights(learned_head, tmp_path, street, monkeypatch, small_head):
    monkeypatch.setattr(single, "SAVE_EVERY", 1)
    good, calls = training.losses, []

    def stop(*arguments):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return good(*arguments)

    monkeypatch.setattr(training, "losses", stop)
    with pytest.raises(KeyboardInterrupt):
        learn_classes([street], tmp_path, small_head, WORK)
    assert (tmp_path / "state" / "head" / "state.pt").exists()
    monkeypatch.setattr(training, "losses", good)
    learn_classes([street], tmp_path, small_head, WORK)
    whole, resumed = load_file(learned_head / "encoder.safetensors"), load_file(tmp_path / "encoder.safetensors")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, msg=name)
