"""What lies inside neurites: mitochondria, synapses with their vesicles, microtubules, endoplasmic
reticulum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsd.synthetic.capsules import Capsules, Floats, along, join
from lsd.synthetic.growth import Neurite, Path, normal, unit_vector


@dataclass(frozen=True)
class Mitochondria:
    """capsules: owned by mitochondrion; host: the neurite each lies in; axis: (n, 3) a direction
    along each."""

    capsules: Capsules
    host: list[int]
    axis: Floats


def mitochondria(neurites: list[Neurite], rng: np.random.Generator) -> Mitochondria:
    """Elongated bodies along processes that are wide enough."""
    parts: list[Capsules] = []
    host: list[int] = []
    axis: list[Floats] = []
    for neurite in neurites:
        for path in neurite.paths:
            for site in _sites(path, 52.0, 1.3, rng):
                wide = float(path.radii[site])
                stretch = _stretch(path, site, rng.uniform(100, 330), rng)
                radius = min(rng.uniform(0.45, 0.66) * wide, rng.uniform(75, 140))
                shifted = _offset(stretch, rng.uniform(0, 0.9) * max(wide - radius - 25, 0.0), rng)
                parts.append(along(shifted, np.full(len(shifted), radius), len(host)))
                host.append(neurite.owner)
                axis.append(normal(shifted[-1] - shifted[0] + np.float32(0.01)))
    return Mitochondria(join(parts), host, np.array(axis, np.float32).reshape(-1, 3))


@dataclass(frozen=True)
class Contents:
    """Owned by neurite.  walls: things that show as a dark outline; synapses: balls where its
    membrane is thick."""

    walls: Capsules
    synapses: Capsules


def contents(neurites: list[Neurite], rng: np.random.Generator) -> Contents:
    """Synapses where a process is wide, vesicles before them; microtubules and reticulum in large
    ones."""
    walls: list[Capsules] = []
    synapses: list[Capsules] = []
    for neurite in neurites:
        for path in neurite.paths:
            for site in _sites(path, 48.0, 0.6, rng):
                ball, vesicles = _synapse(path, site, neurite.owner, rng)
                synapses.append(ball)
                walls += vesicles
            walls += _tubules(path, neurite.owner, rng)
    return Contents(join(walls), join(synapses))


def _synapse(
    path: Path, site: int, owner: int, rng: np.random.Generator
) -> tuple[Capsules, list[Capsules]]:
    centre, wide = path.points[site], float(path.radii[site])
    towards = unit_vector(rng)
    spot = centre + towards * np.float32(wide)
    ball = along(spot[None], np.array([rng.uniform(60, 110)]), owner)
    vesicles = []
    for _ in range(int(rng.integers(15, 45))):
        inside = (
            centre
            + unit_vector(rng) * np.float32(rng.uniform(0, 0.8) * wide)
            + towards * np.float32(0.15 * wide)
        )
        vesicles.append(along(inside[None], np.array([rng.uniform(14, 19)]), owner))
    return ball, vesicles


def _tubules(path: Path, owner: int, rng: np.random.Generator) -> list[Capsules]:
    """Microtubules along the whole path, and pieces of wavy reticulum."""
    tubules = []
    wide = float(np.median(path.radii)) if len(path.radii) > 3 else 0.0
    for _ in range(int((wide / 45) ** 2) if wide > 60 else 0):
        shifted = _offset(path.points, rng.uniform(0, 0.75) * wide, rng)
        tubules.append(along(shifted, np.full(len(shifted), 3.0), owner))
    for site in _sites(path, 70.0, 2.5, rng):
        stretch = _stretch(path, site, rng.uniform(60, 250), rng)
        shifted = _offset(stretch, rng.uniform(0.1, 0.75) * float(path.radii[site]), rng)
        wavy = shifted + rng.standard_normal(shifted.shape, dtype=np.float32) * np.float32(12)
        tubules.append(along(wavy, rng.uniform(12, 34, len(wavy)), owner))
    return tubules


def _sites(path: Path, narrowest: float, rate: float, rng: np.random.Generator) -> list[int]:
    """Indices of points where the path is at least so wide, `rate` per micrometre of it."""
    wide = np.flatnonzero(path.radii > narrowest)
    share = len(wide) / max(len(path.radii), 1)
    count = int(rng.poisson(rate * share * path.length / 1000))
    return (
        sorted(int(site) for site in rng.choice(wide, min(count, len(wide)), replace=False))
        if len(wide)
        else []
    )


def _stretch(path: Path, site: int, half: float, rng: np.random.Generator) -> Floats:
    """The points within `half` nm of a site along the path, two at least."""
    step = max(path.length / max(len(path.points) - 1, 1), 1.0)
    reach = max(1, int(half / step))
    piece = path.points[max(site - reach, 0) : site + reach + 1]
    return piece if len(piece) > 1 else np.stack([piece[0], piece[0] + unit_vector(rng)])


def _offset(points: Floats, distance: float, rng: np.random.Generator) -> Floats:
    """The path moved sideways."""
    axis = normal(points[-1] - points[0] + np.float32(0.01))
    side = unit_vector(rng)
    return (points + np.float32(distance) * normal(side - (side * axis).sum() * axis)).astype(
        np.float32
    )
