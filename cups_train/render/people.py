"""People on foot and on two wheels: a body and limbs, each limb a rigid part that swings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.render.quads import Paint, Quads, box, circle, hinge, join, prism, ring
from cups_train.render.textures import Rgb

PARTS = 7  # body, two thighs, two shanks, two arms


COATS = (
    (1.3, 0.25, 0.22),
    (0.25, 0.35, 0.9),
    (0.2, 0.55, 0.3),
    (1.5, 1.45, 1.35),
    (0.22, 0.22, 0.24),
    (1.3, 1.0, 0.3),
    (0.75, 0.65, 0.5),
    (0.6, 0.3, 0.6),
)
TROUSERS = ((0.25, 0.3, 0.5), (0.2, 0.2, 0.22), (0.7, 0.62, 0.5), (0.45, 0.45, 0.47), (0.4, 0.28, 0.2))
SKINS = ((1.5, 1.15, 0.95), (1.2, 0.85, 0.65), (0.7, 0.45, 0.32))
HAIRS = ((0.25, 0.17, 0.1), (0.1, 0.1, 0.1), (0.8, 0.6, 0.3), (0.75, 0.75, 0.75))


@dataclass(frozen=True)
class Clothes:
    """Textures and colours of one person."""

    cloth: int
    skin_texture: int
    coat: Rgb
    trousers: Rgb
    skin: Rgb
    hair: Rgb


def random_clothes(rng: np.random.Generator, cloth: int, skin_texture: int) -> Clothes:
    choice = [options[int(rng.integers(len(options)))] for options in (COATS, TROUSERS, SKINS, HAIRS)]
    return Clothes(cloth, skin_texture, *choice)


def person(look: Clothes, height: float, lean: float = 0.0) -> list[Quads]:
    """Quads of the seven parts, each in its own frame: body standing on the ground, limbs hanging from their joint."""
    k = height / 1.75
    coat, skin, hair = Paint(look.cloth, look.coat), Paint(look.skin_texture, look.skin), Paint(look.cloth, look.hair)
    trousers, shoe = Paint(look.cloth, look.trousers), Paint(look.cloth, (0.15, 0.13, 0.12))
    chest = prism(ring(0.2 * k, 0.34 * k, 0.82 * k), ring(0.22 * k, 0.42 * k, 1.45 * k, (lean * k, 0.0)), coat, coat)
    neck = (lean * 1.1 * k, 0.0)
    head = prism(circle(0.07 * k, 1.44 * k, 6, neck), circle(0.1 * k, 1.6 * k, 6, neck), skin)
    crown = prism(circle(0.105 * k, 1.6 * k, 6, neck), circle(0.075 * k, 1.76 * k, 6, neck), hair, hair)
    thigh = prism(ring(0.13 * k, 0.13 * k, -0.45 * k), ring(0.17 * k, 0.16 * k, 0.0), trousers)
    shank = join(
        [
            prism(ring(0.1 * k, 0.1 * k, -0.42 * k), ring(0.13 * k, 0.13 * k, 0.0), trousers),
            box((0.26 * k, 0.1 * k, 0.08 * k), (0.06 * k, 0, -0.47 * k), shoe),
        ]
    )
    arm = join(
        [
            prism(ring(0.08 * k, 0.08 * k, -0.6 * k), ring(0.11 * k, 0.1 * k, 0.0), coat),
            box((0.08 * k, 0.07 * k, 0.1 * k), (0, 0, -0.7 * k), skin),
        ]
    )
    return [join([chest, head, crown]), thigh, thigh, shank, shank, arm, arm]


def walking(height: float, phase: float, stride: float) -> np.ndarray:
    """Poses (7, 4, 4) of the parts in the person's frame; `stride` is the swing of the thighs [rad], 0 stands."""
    k = height / 1.75
    poses = [np.eye(4)]
    shanks, arms = [], []
    for side, shift in ((1.0, 0.0), (-1.0, np.pi)):
        swing = stride * np.sin(phase + shift)
        bend = -stride * 0.9 * max(0.0, np.cos(phase + shift)) - 0.05
        hip = hinge((0.0, side * 0.095 * k, 0.86 * k), swing)
        poses.append(hip)
        shanks.append(hip @ hinge((0.0, 0.0, -0.42 * k), bend))
        arms.append(hinge((0.0, side * 0.26 * k, 1.42 * k), -0.8 * swing))
    return np.stack(poses + shanks + arms)


def riding(height: float, phase: float, saddle: float) -> np.ndarray:
    """Poses (7, 4, 4) of a cyclist's parts: the body sits on the saddle [m], feet turn with the pedals (phase in rad;
    constant = no pedalling)."""
    k = height / 1.75
    seat = np.eye(4)
    seat[:3, 3] = (-0.22, 0.0, saddle - 0.82 * k)
    poses, shanks, arms = [seat], [], []
    for side, shift in ((1.0, 0.0), (-1.0, np.pi)):
        lift = 0.95 + 0.32 * np.sin(phase + shift)
        hip = hinge((-0.2, side * 0.095 * k, saddle + 0.04), lift)
        poses.append(hip)
        shanks.append(hip @ hinge((0.0, 0.0, -0.43 * k), -lift - 0.15 + 0.25 * np.cos(phase + shift)))
        arms.append(hinge((0.02, side * 0.22 * k, saddle + 0.56 * k), 0.85))
    return np.stack(poses + shanks + arms)
