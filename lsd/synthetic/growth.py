"""Where neurites run: branching paths of many calibres, grown one after the other into the space
that is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsd.synthetic.capsules import Capsules, Floats, along, join
from lsd.synthetic.noise import smooth_noise
from lsd.synthetic.walk import OVERLAP, Space

MARGIN = (
    120.0  # nm grown beyond the volume, so that its faces cut through neurites like any other plane
)
SPACING = 16.0  # nm between points of the coarse grid


@dataclass(frozen=True)
class Calibre:
    """One class of neurites; lengths in nm.

    radius:   smallest and largest;  share: of space occupied when the next class begins
    turn:     how strongly it meanders; wave: relative change of radius along it
    branches, spines, boutons: of these per micrometre
    """

    radius: tuple[float, float]
    share: float
    turn: float
    wave: float
    branches: float = 0.0
    spines: float = 0.0
    boutons: float = 0.0


CALIBRES = (
    Calibre(radius=(170, 250), share=0.17, turn=0.12, wave=0.12, branches=0.5, spines=3.5),
    Calibre(
        radius=(80, 140), share=0.36, turn=0.22, wave=0.25, branches=0.6, spines=1.0, boutons=0.3
    ),
    Calibre(radius=(46, 78), share=0.74, turn=0.3, wave=0.2, branches=0.35, boutons=1.2),
    Calibre(radius=(33, 48), share=0.97, turn=0.4, wave=0.15, branches=0.2, boutons=0.5),
)


@dataclass(frozen=True)
class Path:
    """Points (m, 3) and radii (m,), nm."""

    points: Floats
    radii: Floats

    @property
    def length(self) -> float:
        """Length of the path in nm."""
        return (
            float(np.sqrt((np.diff(self.points, axis=0) ** 2).sum(1)).sum())
            if len(self.points) > 1
            else 0.0
        )


@dataclass(frozen=True)
class Neurite:
    """A process: its first path and the branches and spines that leave it."""

    owner: int
    paths: tuple[Path, ...]

    @property
    def capsules(self) -> Capsules:
        """The capsules of all processes of the neurite."""
        return join([along(path.points, path.radii, self.owner) for path in self.paths])


def grow(extent: tuple[float, ...], rng: np.random.Generator) -> list[Neurite]:
    """Neurites that fill a box from 0 to `extent` (nm, z y x) and reach beyond it; owners count
    from 0."""
    origin = np.full(3, -MARGIN)
    counts = [int(np.ceil((size + 2 * MARGIN) / SPACING)) + 1 for size in extent]
    space = Space(np.full(counts, 1e4, np.float32), origin, SPACING)
    neurites: list[Neurite] = []
    for calibre in CALIBRES:
        _fill(space, calibre, min(extent), neurites, rng)
    return neurites


def _fill(
    space: Space,
    calibre: Calibre,
    narrowest: float,
    neurites: list[Neurite],
    rng: np.random.Generator,
) -> None:
    """Grows one class until it has its share of the space, or finds no more room."""
    widest = max(30.0, 0.3 * narrowest)
    reach = 1.3 * calibre.radius[1] + 20
    np.minimum(space.clearance, reach, out=space.clearance)
    failures = 0
    while failures < 25 and float((space.clearance < 0).mean()) < calibre.share:
        radius = min(float(rng.uniform(*calibre.radius)), widest)
        start = _start(space, radius, rng)
        neurite = (
            None if start is None else _neurite(space, calibre, start, radius, len(neurites), rng)
        )
        if neurite is None:
            failures += 1
            continue
        space.occupy(neurite.capsules, reach=reach)
        neurites.append(neurite)


def _start(space: Space, radius: float, rng: np.random.Generator) -> Floats | None:
    """A free point with just enough room, which packs neurites side by side; None where there is no
    room."""
    drawn = rng.integers(0, space.clearance.size, 2000)
    room = space.clearance.ravel()[drawn]
    fits = np.flatnonzero(room > radius - OVERLAP)
    if not len(fits):
        return None
    chosen = drawn[fits[np.argmin(room[fits])]]
    index = np.array(np.unravel_index(chosen, space.clearance.shape))
    return np.asarray(space.origin + index * space.spacing, np.float32)


def _neurite(
    space: Space,
    calibre: Calibre,
    start: Floats,
    radius: float,
    owner: int,
    rng: np.random.Generator,
) -> Neurite | None:
    """A process through `start`, walked in both directions, with branches and spines; None where it
    stays a stub."""
    direction = unit_vector(rng)
    least = 0.5 * min(radius, 44.0) + OVERLAP
    halves = []
    for sign in (1, -1):
        targets = _radii(calibre, radius, rng)
        halves.append(
            Path(
                *space.walk(
                    start, sign * direction, targets, turn=calibre.turn, least=least, rng=rng
                )
            )
        )
    main = Path(
        np.concatenate([halves[1].points[:0:-1], halves[0].points]),
        _even(np.concatenate([halves[1].radii[:0:-1], halves[0].radii])),
    )
    if main.length < 6 * radius:
        return None
    return Neurite(
        owner,
        (main, *_branches(space, calibre, main, least, rng), *_spines(space, calibre, main, rng)),
    )


def _radii(calibre: Calibre, radius: float, rng: np.random.Generator, steps: int = 260) -> Floats:
    """Radius wanted at each step: slow waves, and swellings (boutons) of thin processes."""
    step = min(max(0.5 * radius, 14.0), 45.0)
    targets = radius * np.clip(
        1 + calibre.wave * smooth_noise(rng, (steps,), spacing=(8,)), 0.55, 1.7
    )
    positions = np.arange(steps) * step
    for _ in range(int(rng.poisson(calibre.boutons * positions[-1] / 1000))):
        centre, half, gain = (
            rng.uniform(0, positions[-1]),
            rng.uniform(90, 190),
            rng.uniform(0.6, 1.5),
        )
        bump = np.clip(1 - ((positions - centre) / half) ** 2, 0, None)
        targets = np.maximum(targets, radius * (1 + gain * bump))
    return np.asarray(targets, np.float32)


def _even(radii: Floats) -> Floats:
    """Radii without the coarse grid's steps."""
    padded = np.pad(radii, 1, mode="edge")
    return np.asarray(0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:], np.float32)


def _branches(
    space: Space, calibre: Calibre, main: Path, least: float, rng: np.random.Generator
) -> list[Path]:
    """Thinner processes that leave the main one at an angle, into free space."""
    branches = []
    for _ in range(int(rng.poisson(calibre.branches * main.length / 1000))):
        at = int(rng.integers(0, len(main.points)))
        direction = _aside(main, at, 0.6, rng)
        targets = _radii(calibre, float(main.radii[at]) * rng.uniform(0.4, 0.8), rng)
        path = Path(
            *space.walk(
                main.points[at], direction, targets, turn=calibre.turn, least=least, rng=rng
            )
        )
        if path.length > 2.5 * float(main.radii[at]):
            branches.append(Path(path.points, _even(path.radii)))
    return branches


def _spines(space: Space, calibre: Calibre, main: Path, rng: np.random.Generator) -> list[Path]:
    """Short thin necks that end in a head."""
    spines = []
    for _ in range(int(rng.poisson(calibre.spines * main.length / 1000))):
        at = int(rng.integers(0, len(main.points)))
        body, neck = float(main.radii[at]), int(rng.integers(3, 12))
        inside = int(body // 20)
        targets = np.concatenate(
            [np.full(inside + neck, rng.uniform(26, 36)), np.full(6, rng.uniform(55, 95))]
        )
        targets[-1] *= 0.7
        points, radii = space.walk(
            main.points[at],
            _aside(main, at, 0.2, rng),
            targets.astype(np.float32),
            turn=0.25,
            least=20.0,
            rng=rng,
        )
        if len(points) > inside + 3:
            spines.append(Path(points, _even(radii)))
    return spines


def _aside(path: Path, at: int, forward: float, rng: np.random.Generator) -> Floats:
    """A direction across the path, leaning forward."""
    a, b = path.points[max(at - 1, 0)], path.points[min(at + 1, len(path.points) - 1)]
    axis = normal(b - a)
    side = unit_vector(rng)
    return normal(normal(side - (side * axis).sum() * axis) + forward * axis)


def unit_vector(rng: np.random.Generator) -> Floats:
    """A random direction."""
    return normal(rng.standard_normal(3).astype(np.float32))


def normal(vector: Floats) -> Floats:
    """The vector, with length 1."""
    return np.asarray(vector / np.sqrt((vector**2).sum() + np.float32(1e-12)), np.float32)
