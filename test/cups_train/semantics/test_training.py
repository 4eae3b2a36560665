import pytest
import torch
from safetensors.torch import load_file

from cups_train.files import read_image
from cups_train.semantics import learn_classes, phases, training
from cups_train.training import single
from cups_train.types import Work

WORK = Work(3, 1, "cpu")


def test_training_leaves_the_model_and_a_contact_sheet(trained, street, small_classes):
    assert (trained / "encoder.safetensors").is_file() and read_image(trained / "classes.jpg").ndim == 3
    assert not (trained / "state").exists()
    before = (trained / "encoder.safetensors").stat().st_mtime_ns
    learn_classes([street], trained, small_classes, WORK)
    assert (trained / "encoder.safetensors").stat().st_mtime_ns == before


def test_a_stopped_training_ends_with_the_same_weights(trained, tmp_path, street, monkeypatch, small_classes):
    monkeypatch.setattr(single, "SAVE_EVERY", 1)
    good = phases.class_losses

    def stopping(weights):
        losses, calls = good(weights), []

        def stop(encoder, batch):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return losses(encoder, batch)

        return stop

    monkeypatch.setattr("cups_train.semantics.training.class_losses", stopping)
    with pytest.raises(KeyboardInterrupt):
        learn_classes([street], tmp_path, small_classes, WORK)
    monkeypatch.setattr("cups_train.semantics.training.class_losses", good)
    learn_classes([street], tmp_path, small_classes, WORK)
    whole, resumed = load_file(trained / "encoder.safetensors"), load_file(tmp_path / "encoder.safetensors")
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, msg=name)


def test_other_settings_do_not_go_on_from_a_stopped_training(tmp_path, street, small_classes):
    (tmp_path / "state" / "views").mkdir(parents=True)
    (tmp_path / "state" / "key.json").write_text('{"seed": 4}')
    (tmp_path / "state" / "views" / "state.pt").write_text("of another training")
    learn_classes([street], tmp_path, small_classes.model_copy(update={"steps": 1, "cluster_steps": 1}), WORK)
    assert (tmp_path / "encoder.safetensors").is_file()


def test_long_recordings_are_prepared_by_as_many_processes_as_asked_for(tmp_path, street, small_classes, monkeypatch):
    monkeypatch.setattr(training, "WORTH_PROCESSES", 3)
    asked = []

    def prepare_all(chosen, height, seed, workers):
        asked.append(workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "prepare_all", prepare_all)
    for frames, workers in ((3, 1), (3, 5), (2, 5)):
        few = type(street)(frames=frames)
        with pytest.raises(KeyboardInterrupt):
            learn_classes([few], tmp_path / f"{frames}_{workers}", small_classes, Work(3, workers, "cpu"))
    assert asked == [1, 5, 1]  # two frames are done before a process has started
