"""What imaging adds: uneven gain, blur, noise; and for serial sections contrast, displacement and
damage of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsd.synthetic.capsules import Floats
from lsd.synthetic.noise import Noise, gaussian_blur, smooth_noise


@dataclass(frozen=True)
class Imaging:
    """blur: sigma in voxels an axis; noise: grey values; shot: grey values of noise per root of a
    grey value."""

    blur: tuple[float, float, float]
    noise: float
    shot: float


def image(value: Floats, imaging: Imaging, voxel_size: tuple[float, ...], noise: Noise) -> Floats:
    """Grey values as a microscope records them (z, y, x).  noise: of the same grid"""
    far = tuple(450 / size for size in voxel_size)
    value = value * (1 + 0.07 * noise.smooth(far)) + 5 * noise.smooth(far)
    value = gaussian_blur(value.astype(np.float32), imaging.blur)
    white = noise.white()
    spread = imaging.noise + imaging.shot * np.sqrt(np.clip(value, 0, None))
    return np.asarray(value + spread * gaussian_blur(white, (0, 0.5, 0.5)), np.float32)


def displacements(sections: int, largest: float, rng: np.random.Generator) -> Floats:
    """How far each section lies from where it should (sections, 2), y and x, in units of
    `largest`."""
    return np.clip(0.6 * rng.standard_normal((sections, 2)), -1.5, 1.5).astype(
        np.float32
    ) * np.float32(largest)


def damage(value: Floats, rng: np.random.Generator) -> Floats:
    """Sections of different contrast and brightness; stains, scratches, folds; now and then a bad
    or a missing one."""
    done = [_section(section, rng) for section in value]
    return np.stack(done).astype(np.float32)


def _section(value: Floats, rng: np.random.Generator) -> Floats:
    kinds, chances = (
        ("stain", "scratch", "fold", "faint", "dark", "missing"),
        (0.12, 0.1, 0.05, 0.02, 0.03, 0.012),
    )
    value = (value - 140) * np.float32(1 + 0.1 * rng.standard_normal()) + np.float32(
        140 + 11 * rng.standard_normal()
    )
    happens = {kind: rng.random() < chance for kind, chance in zip(kinds, chances, strict=True)}
    if happens["stain"]:
        value = value - 70 * _blob(value.shape, rng)
    if happens["scratch"]:
        value = value + np.float32(rng.choice([-45, 45])) * np.clip(
            1.5 - _from_line(value.shape, rng) / 1.2, 0, 1
        )
    if happens["fold"]:
        value = value - 130 * np.clip(
            1.3 - _from_line(value.shape, rng) / max(3.0, 0.015 * value.shape[1]), 0, 1
        )
    if happens["faint"]:
        value = 170 + (value - 140) * np.float32(0.4)
    if happens["dark"]:
        value = value - 45
    return np.zeros_like(value) if happens["missing"] else value


def _blob(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """A ragged spot (y, x), 0..1."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    cy, cx, radius = (
        rng.uniform(0, shape[0]),
        rng.uniform(0, shape[1]),
        rng.uniform(0.03, 0.12) * min(shape),
    )
    squared = ((y - cy) ** 2 + (x - cx) ** 2) / radius**2
    ragged = 1 - squared + 0.35 * smooth_noise(rng, shape, spacing=(6.0, 6.0))
    return np.asarray(np.clip(ragged, 0, 1), np.float32)


def _from_line(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Distance in voxels from a random, slightly wavy line (y, x)."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    a, b = rng.standard_normal(2)
    length = np.sqrt(a * a + b * b)
    line = (
        a * (y - rng.uniform(0.1, 0.9) * shape[0]) + b * (x - rng.uniform(0.1, 0.9) * shape[1])
    ) / length
    wavy = line + 1.5 * smooth_noise(rng, shape, spacing=(40.0, 40.0))
    return np.asarray(np.abs(wavy), np.float32)
