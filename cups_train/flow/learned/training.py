"""Train the refinement on recordings without labels: resumable to the same bytes, from scratch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from cups_train.config import MotionConfig
from cups_train.device import torch_device
from cups_train.errors import CupsError
from cups_train.files import read_object, write_json
from cups_train.flow.learned.checkpoint import read_identity, save
from cups_train.flow.learned.losses import census_loss, imitation, seen_in_both, smoothness
from cups_train.flow.learned.refiner import Refiner, fetch
from cups_train.flow.learned.weights import FILE
from cups_train.flow.learned.windows import Batch, Window, choose, load, make_batch, prepare
from cups_train.progress import progress
from cups_train.recording import Recording
from cups_train.training.loop import train
from cups_train.training.optimise import Optimisation, cosine
from cups_train.training.randomness import generator, torch_generator
from cups_train.training.single import SingleTraining
from cups_train.types import Work

ADVICE = "take -o motion.flow=classical"
LR, CLIP = 1e-3, 1.0
PAIRS, CROP = 1, (160, 256)  # pairs a step, and their size in px
SMOOTH, IMITATE = 0.5, 0.2  # weights beside the census loss
UNSEEN = 0.1  # weight of the census where the round trip fails: most of it is hidden, some of it is a wrong guess
INNER = 0.6  # size of the imitating crop against the whole one
SPOILED, SPOIL_PX = 6, 8.0  # blobs in which the student's guess is spoiled, and by how much


def train_flow(recordings: Sequence[Recording], folder: Path, config: MotionConfig, work: Work) -> Path:
    """Write FOLDER/flow.safetensors; a stopped training goes on from FOLDER/flow, which is removed at the end. The same
    settings keep the file.

    Raises CupsError where no recording has two frames in a row.
    """
    path, state = folder / FILE, folder / "flow"
    identity = {
        "seed": work.seed,
        "steps": config.flow_steps,
        "max_disparity": config.max_disparity,
        "recordings": [r.fingerprint for r in recordings],
    }
    if path.is_file() and read_identity(path) == identity:
        return path
    if read_object(state / "key.json") != identity:
        shutil.rmtree(state, ignore_errors=True)
        write_json(state / "key.json", identity)
    pairs = choose(recordings, state)
    if not pairs:
        raise CupsError(
            "expected two frames in a row to train motion.flow = self on, found none; record more, or take `-o "
            "motion.flow=classical`"
        )
    files = list(progress(prepare(pairs, config.max_disparity, work), "guesses of flow", len(pairs)))
    network = new_refiner(work.seed).to(torch_device(work.device))
    learn(network, files, config.flow_steps, work.seed, state)
    save(network, path, identity, [r.name for r in recordings])
    shutil.rmtree(state)
    return path


def new_refiner(seed: int) -> Refiner:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Refiner()


def learn(network: Refiner, files: Sequence[Path], steps: int, seed: int, state: Path) -> None:
    """Train in place; STATE holds where it stands and the journal."""
    optimiser = torch.optim.Adam(network.parameters(), lr=LR)
    network.train()
    training = FlowTraining(network, Optimisation(optimiser, CLIP, ADVICE), state, steps, files, seed)
    train(training, training.plan("flow network"))
    network.eval()


@dataclass(eq=False)
class FlowTraining(SingleTraining[Batch]):
    """Trains a refiner on prepared windows."""

    files: Sequence[Path]
    seed: int

    def batches(self, start: int) -> Iterator[tuple[int, Batch]]:
        yield from ((step, draw(self.files, self.seed, step)) for step in range(start, self.steps))

    def losses(self, step: int, batch: Batch) -> dict[str, Tensor]:
        refiner = cast(Refiner, self.network)
        device = next(refiner.parameters()).device
        return step_losses(refiner, batch.to(device), torch_generator(device, self.seed, "spoil", step))

    def rate(self, step: int) -> float:
        return cosine(step, self.steps, LR)


def draw(files: Sequence[Path], seed: int, step: int) -> Batch:
    """The batch of one step; it depends on seed and step alone."""
    rng = generator(seed, "flow", step)
    windows: list[Window] = [load(files[int(i)]) for i in rng.integers(0, len(files), PAIRS)]
    return make_batch(windows, CROP, rng)


def step_losses(network: Refiner, batch: Batch, rng: torch.Generator) -> dict[str, Tensor]:
    """The weighted losses of one batch of windows (B, 3, H, W); each is one number."""
    flow = network(batch.first, batch.second, batch.guess, batch.trip)
    half = len(flow) // 2
    other = torch.cat([flow[half:], flow[:half]])
    seen = seen_in_both(flow, other)
    weight = seen.float() + UNSEEN * (~seen & (fetch(torch.ones_like(flow[:, :1]), flow.detach()) > 0.999))
    return {
        "census": census_loss(batch.first, batch.second, flow, weight),
        "smooth": SMOOTH * smoothness(flow, batch.first),
        "imitation": IMITATE * _imitate(network, batch, flow, seen, rng),
    }


def _imitate(network: Refiner, batch: Batch, teacher: Tensor, seen: Tensor, rng: torch.Generator) -> Tensor:
    """See less (an inner part, and a guess that is spoiled here and there) and say the same.

    teacher: (B, 2, h, w) px; seen: (B, 1, h, w) bool -> a loss ().
    """
    height, width = (int(INNER * size) // 8 * 8 for size in teacher.shape[-2:])
    top, left = ((whole - part) // 2 for whole, part in zip(teacher.shape[-2:], (height, width), strict=True))
    part = batch.crop(top, left, height, width)
    guess, trip = spoil(part, rng)
    student = network(part.first, part.second, guess, trip)
    cut = (..., slice(top, top + height), slice(left, left + width))
    return imitation(student, teacher[cut], seen[cut])


def spoil(batch: Batch, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """The batch's guess and round trip with smooth blobs of error, as where matching fails; half of the blobs are
    noticed by the round trip.

    (B, 2, h, w) and (B, 1, h, w) px.
    """
    count, _, height, width = batch.guess.shape
    device = batch.guess.device

    def uniform(*shape: int) -> Tensor:
        """(*shape) in [0, 1)."""
        return torch.rand(*shape, generator=rng, device=device)

    v, u = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    guess, trip = batch.guess.clone(), batch.trip.clone()
    for _ in range(SPOILED):
        y, x = uniform(count, 1, 1, 1) * height, uniform(count, 1, 1, 1) * width
        rows, columns = (0.05 + 0.2 * uniform(count, 1, 1, 1)) * height, (0.05 + 0.2 * uniform(count, 1, 1, 1)) * width
        blob = torch.exp(-((((v - y) / rows) ** 2 + ((u - x) / columns) ** 2) ** 2))
        shift = SPOIL_PX * torch.randn(count, 2, 1, 1, generator=rng, device=device)
        guess = guess + blob * shift
        noticed = (uniform(count, 1, 1, 1) < 0.5).float()
        trip = trip + noticed * blob * shift.norm(dim=1, keepdim=True)
    return guess, trip
