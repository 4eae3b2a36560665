"""The textures of everything that stands still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cups_train.render import facades
from cups_train.render.textures import (
    TextureBuilder,
    asphalt,
    bricks,
    clouds,
    grass,
    leaves,
    plain,
    railing,
    slabs,
    worn_paint,
)


@dataclass(frozen=True, eq=False)
class StreetTextures:
    """Numbers of textures in the bank."""

    asphalt: int
    cobbles: int
    slabs: int
    kerb: int
    paint: int
    fronts: tuple[int, ...]
    plaster: int
    roof: int
    bricks: int
    leaves: tuple[int, ...]
    hedge: int
    bark: int
    grass: int
    railing: int
    metal: int
    signs: tuple[int, ...]
    lights: tuple[int, ...]  # red, amber, green
    clouds: int


def street_textures(bank: TextureBuilder, rng: np.random.Generator) -> StreetTextures:
    """Draw all of them."""
    greens = [(92, 132, 48), (70, 118, 52), (118, 138, 58)]
    lights = [bank.add(facades.traffic_light(lit)) for lit in range(3)]
    return StreetTextures(
        asphalt=bank.add(asphalt(rng)),
        cobbles=bank.add(slabs(rng, (98, 94, 92), 16)),
        slabs=bank.add(slabs(rng, (148, 144, 138))),
        kerb=bank.add(plain(rng, (162, 160, 156))),
        paint=bank.add(worn_paint(rng)),
        fronts=tuple(bank.add(facades.front(rng)) for _ in range(10)),
        plaster=bank.add(plain(rng, (176, 164, 150), 256, 9)),
        roof=bank.add(bricks(rng, (126, 74, 60), 16)),
        bricks=bank.add(bricks(rng, (146, 92, 72), 16)),
        leaves=tuple(bank.add(leaves(rng, hue)) for hue in greens for _ in range(2)),
        hedge=bank.add(leaves(rng, (66, 104, 44), 128, 2600, False)),
        bark=bank.add(plain(rng, (104, 84, 66), 64, 16)),
        grass=bank.add(grass(rng)),
        railing=bank.add(railing(rng)),
        metal=bank.add(plain(rng, (104, 108, 110), 64, 6)),
        signs=tuple(bank.add(s) for s in facades.signs()),
        lights=tuple(lights),
        clouds=bank.add(clouds(rng)),
    )
