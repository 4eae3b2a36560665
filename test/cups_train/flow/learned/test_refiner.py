"""The refinement: begins as its guess, learns without labels what a spoiled guess hides, resumes to the same bytes."""
import importlib
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cups_train.config import MotionConfig
from cups_train.errors import CupsError, ModelError
from cups_train.flow.classical import ClassicalMatcher, scene_flow
from cups_train.flow.learned.checkpoint import load_refiner, save
from cups_train.flow.learned.guess import guess
from cups_train.flow.learned.losses import census_loss, seen_in_both, smoothness
from cups_train.flow.learned.refiner import Refiner, best_displacements, fetch, match_costs
from cups_train.flow.learned.samples import load, make_batch
from cups_train.flow.learned.weights import FILE, source_facts, with_weights
from cups_train.types import StereoCamera, StereoFrame

training = importlib.import_module("cups_train.flow.learned.training")
torch.set_num_threads(1)
CAMERA = StereoCamera(192, 128, 200, 200, 95.5, 63.5, 0.2)


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(128, 300, (160, 320, 3))
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 2), 0, 255).astype(np.uint8)


def frames(count: int) -> list[StereoFrame]:
    """A flat scene: disparity 6 px, everything moves 3 px to the right and 1 px down a frame."""
    ground = texture()
    return [StereoFrame(f"{i:06d}", i, ground[20 - i:148 - i, 40 - 3 * i:232 - 3 * i], ground[20 - i:148 - i, 46 - 3 * i:238 - 3 * i], CAMERA)
            for i in range(count)]


class Recorded:
    """As much of a recording as training reads."""

    name, fingerprint = "flat", "of these frames"

    def __init__(self, count: int):
        self.all = frames(count)
        self.stamps = [SimpleNamespace(key=f.key, follows=i + 1 < count) for i, f in enumerate(self.all)]

    def stereo(self, key: str) -> StereoFrame:
        return self.all[int(key)]


def test_begins_as_its_guess():
    network = Refiner()
    guessed = torch.randn(2, 2, 61, 90)
    out = network(torch.rand(2, 3, 61, 90), torch.rand(2, 3, 61, 90), guessed, torch.zeros(2, 1, 61, 90))
    assert (out - guessed).abs().max() < 1e-5
    torch.nn.init.normal_(network.answer.weight)
    out = network(torch.rand(2, 3, 61, 90), torch.rand(2, 3, 61, 90), guessed, torch.zeros(2, 1, 61, 90))
    assert (out - guessed).abs().max() > 0.1
    assert sum(p.numel() for p in network.parameters()) < 1.5e6


def test_fetch_and_costs_find_a_shift():
    image = torch.randn(1, 1, 48, 64)
    image = torch.nn.functional.avg_pool2d(image, 3, 1, 1)
    moved = torch.roll(image, (1, 2), (2, 3))  # one down, two to the right
    there = fetch(moved, torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 48, 64))
    assert there[..., 3:45, 3:60].numpy() == pytest.approx(image[..., 3:45, 3:60].numpy(), abs=1e-4)
    costs = match_costs(image, moved)
    assert [c.shape for c in costs] == [(1, 25, 12, 16)] * 3
    assert (costs[0].argmin(1)[..., 2:-2, 2:-2] == 5 * 3 + 4).all()  # row 1, column 2 of -2..2
    best = best_displacements(costs)[0][..., 2:-2, 2:-2]
    assert best[0, 0].median() == pytest.approx(2, abs=0.2) and best[0, 1].median() == pytest.approx(1, abs=0.2)


def test_losses_prefer_the_true_flow():
    ground = torch.from_numpy(texture()).permute(2, 0, 1)[None].float() / 255
    first, second = ground[..., 10:90, 20:180], ground[..., 9:89, 17:177]  # (3, 1) px
    true = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 80, 160)
    seen = seen_in_both(true, -true)
    assert seen[..., :-1, :-3].all() and not seen[..., -3:].any()
    assert census_loss(first, second, true, seen) < 0.5 * census_loss(first, second, true + 1, seen)
    v, u = torch.meshgrid(torch.arange(80.0), torch.arange(160.0), indexing="ij")
    plane = torch.stack([0.1 * u - 0.2 * v, 0.3 * v])[None]
    assert smoothness(plane, first) < 0.0025 < smoothness(plane + torch.randn(1, 2, 80, 160), first)


def test_guess_is_the_flow_with_its_round_trip():
    frame, after = frames(2)
    matcher = ClassicalMatcher(0.15)
    matcher.hold(frame, after)
    forward, trip = guess(matcher, frame, after)
    assert np.median(forward, (0, 1)) == pytest.approx([3, 1], abs=0.1) and np.median(trip) < 0.2


def test_training_without_labels_mends_spoiled_guesses(tmp_path):
    """Thirty steps on right guesses: what is spoiled in the next thirty, and never shown, comes out better than it went in."""
    files = list(training.prepare(training.choose([Recorded(4)], tmp_path), 0.15, 0, 1))
    network = training.new_refiner(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    before, after = [], []
    for step in range(36):
        batch = make_batch([load(files[step % 3])], (64, 96), np.random.default_rng(step))
        if step < 30:
            optimizer.zero_grad()
            sum(training.step_losses(network, batch, torch.Generator().manual_seed(step)).values()).backward()
            optimizer.step()
            continue
        guessed, trip = training.spoil(batch, torch.Generator().manual_seed(step))
        with torch.no_grad():
            mended = network(batch.first, batch.second, guessed, trip)
        before.append((guessed - batch.guess).norm(dim=1).mean().item())
        after.append((mended - batch.guess).norm(dim=1).mean().item())
    assert np.mean(after) < 0.9 * np.mean(before)


def test_a_stopped_training_goes_on_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "STATE_EVERY", 2)
    monkeypatch.setattr(training, "CROP", (64, 96))
    monkeypatch.setattr(training, "worker_count", lambda _: 1)
    config = MotionConfig(flow="self", flow_steps=5)
    whole = training.train([Recorded(3)], tmp_path / "whole", config, 1, "cpu")
    draw = training.draw

    def interrupted(files, seed, step):
        if step == 3:
            raise KeyboardInterrupt
        return draw(files, seed, step)

    monkeypatch.setattr(training, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train([Recorded(3)], tmp_path / "parts", config, 1, "cpu")
    assert not (tmp_path / "parts" / FILE).exists()
    monkeypatch.setattr(training, "draw", draw)
    parts = with_weights(config, [Recorded(3)], tmp_path / "parts", 1, "cpu").flow_weights
    assert parts.read_bytes() == whole.read_bytes() and not (tmp_path / "parts" / "flow").exists()
    before = parts.stat().st_mtime_ns
    assert training.train([Recorded(3)], tmp_path / "parts", config, 1, "cpu").stat().st_mtime_ns == before


def test_scene_flow_by_the_network(tmp_path):
    path = tmp_path / FILE
    save(training.new_refiner(0), path, {"seed": 0}, ["flat"])
    now, after = frames(2)
    config = MotionConfig(flow="self", flow_weights=path)
    flow, plain = scene_flow(now, after, config), scene_flow(now, after, MotionConfig())
    good = flow.flow_ok & flow.disparity_ok
    assert good.mean() > 0.8
    assert np.median(flow.flow[good], 0) == pytest.approx([3, 1], abs=0.1) and np.median(flow.disparity[good]) == pytest.approx(6, abs=0.1)
    assert np.abs(flow.flow - plain.flow).max() < 1e-3  # untrained, it is its guess
    assert source_facts(config)["licence"] == "trained on these recordings"


def test_weights_that_do_not_fit_are_one_sentence(tmp_path):
    damaged, other = tmp_path / "damaged.safetensors", tmp_path / "other.safetensors"
    damaged.write_bytes(b"no")
    save_file({"a": torch.zeros(1)}, other, {"cups-flow-2": json.dumps({"identity": {}, "size": {"channels": 8, "updates": 1}})})
    for path in (damaged, other, tmp_path / "none.safetensors"):
        with pytest.raises(ModelError, match="motion.flow_weights") as error:
            load_refiner(path)
        assert "\n" not in str(error.value)
    with pytest.raises(CupsError, match="two frames in a row"):
        with_weights(MotionConfig(flow="self"), [Recorded(1)], tmp_path, 0, "cpu")
