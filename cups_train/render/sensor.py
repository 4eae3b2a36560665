"""From ideal colours to what a camera gives."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Sensor:
    """One camera's faults."""

    gain: np.ndarray  # (3,) float32 factor on R, G, B
    blur: float  # px, deviation
    noise: float  # grey levels in the dark
    grain: float  # further noise, share of the square root of the brightness
    vignette: np.ndarray  # (H, W, 1) float32


def stereo_sensors(rng: np.random.Generator, height: int, width: int) -> tuple[Sensor, Sensor]:
    """Two cameras: the right one has another gain (up to 5 %) and tint."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    radius = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width / 2) ** 2
    vignette = (1 - 0.09 * radius)[..., None].astype(np.float32)
    blur, noise, grain = float(rng.uniform(0.4, 0.5)), float(rng.uniform(0.7, 1.2)), float(rng.uniform(0.08, 0.14))
    gain = np.float32(1 + rng.uniform(-0.05, 0.05)) * (1 + rng.uniform(-0.015, 0.015, 3)).astype(np.float32)
    return Sensor(np.ones(3, np.float32), blur, noise, grain, vignette), Sensor(gain, blur, noise, grain, vignette)


def expose(image: np.ndarray, sensor: Sensor, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 0..255 -> uint8 RGB with blur, vignette, gain and noise that grows with brightness."""
    seen = cv2.GaussianBlur(image, (3, 3), sensor.blur)
    seen *= sensor.vignette * sensor.gain
    deviation = sensor.noise + sensor.grain * np.sqrt(np.maximum(seen, 0))
    seen += deviation * rng.standard_normal(seen.shape, dtype=np.float32)
    return np.clip(seen + 0.5, 0, 255).astype(np.uint8)
