"""How densely objects lie along each axis of a region, and how large they are."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsd.objects.located import Located
from lsd.spec.plurals import counted
from lsd.system.atomic import write_text

Doubles = NDArray[np.float64]

COLUMNS = ("what", "axis", "begin", "end", "unit", "objects", "density", "density_unit")
NM_PER_UM, NM_PER_MM = 1e3, 1e6


@dataclass(frozen=True, eq=False)
class Density:
    """Objects along one axis of a region, in equal slabs across it.

    axis:    "z", "y" or "x"
    edges:   (n + 1,) nm, of the slabs
    objects: (n,) int64, those whose point lies in each
    space:   cubic mm of each slab; of planes square mm
    """

    axis: str
    edges: Doubles
    objects: NDArray[np.int64]
    space: float

    @property
    def density(self) -> Doubles:
        """Objects in a cubic mm of each slab; of planes in a square mm."""
        return np.asarray(self.objects / self.space)


@dataclass(frozen=True, eq=False)
class Distribution:
    """Where the objects of a region lie, and how large they are.

    densities: along z, y and x; of planes along y and x
    sizes:     (n,) cubic um of each object in the region; of planes square um
    edges:     (m + 1,) of the sizes that are counted together, as far apart in their logarithm
    counts:    (m,) int64, objects of each
    outside:   objects whose point lies outside of the region, which count nowhere
    """

    densities: tuple[Density, ...]
    sizes: Doubles
    edges: Doubles
    counts: NDArray[np.int64]
    outside: int

    @property
    def power(self) -> str:
        """Of a length: "3", of planes "2"."""
        return str(len(self.densities))

    @property
    def density(self) -> float:
        """Objects in a cubic mm of the whole region; of planes in a square mm."""
        along = self.densities[0]
        return float(along.objects.sum() / (along.space * len(along.objects)))

    def __str__(self) -> str:
        space = self.densities[0].space * len(self.densities[0].objects)
        words = (
            f"{counted(len(self.sizes), 'object')} in {space:.4g} mm{self.power}: "
            f"{self.density:.4g} per mm{self.power}"
        )
        if len(self.sizes):
            low, middle, high = np.percentile(self.sizes, (5, 50, 95))
            words += (
                f"; median {middle:.4g} um{self.power}, mean {self.sizes.mean():.4g}, 5% below "
                f"{low:.4g}, 5% above {high:.4g}"
            )
        return words + (f"; {self.outside} outside of the region" if self.outside else "")


def distribution(
    located: Located,
    *,
    begin: Sequence[float] | None = None,
    end: Sequence[float] | None = None,
    bins: int = 20,
) -> Distribution:
    """Densities and sizes of located objects.

    begin, end: nm, z y x, of the region that was searched; None: of the box that holds all objects,
                which is smaller, so that densities are too high where objects are few
    bins:       slabs of each axis, and sizes that are told apart
    Raises ValueError for a region without extent, or none at all.
    """
    if bins < 1:
        raise ValueError(f"bins are {bins}; give 1 or more")
    low, high = _region(located, begin, end)
    inside = located.within(tuple(low), tuple(high))
    axes = "zyx"[-located.dims :]
    extent = (high - low) / NM_PER_MM
    densities = []
    for axis, name in enumerate(axes):
        edges = np.linspace(low[axis], high[axis], bins + 1)
        objects, _ = np.histogram(inside.point[:, axis], edges)
        densities.append(Density(name, edges, objects, float(extent.prod() / bins)))
    edges = _size_edges(inside.volume, bins)
    counts, _ = np.histogram(inside.volume, edges)
    outside = len(located) - len(inside)
    return Distribution(tuple(densities), inside.volume, edges, counts, outside)


def write_distribution(found: Distribution, path: str | Path) -> None:
    """Writes a distribution as CSV, a row for each slab and each range of sizes: COLUMNS.

    Slabs are in um and their densities in 1/mm3, sizes in um3 (of planes 1/mm2 and um2).
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    per_space, size_unit = f"1/mm{found.power}", f"um{found.power}"
    for along in found.densities:
        edges = (along.edges / NM_PER_UM).tolist()
        slabs = zip(edges, edges[1:], along.objects.tolist(), along.density.tolist(), strict=False)
        for first, last, objects, density in slabs:
            writer.writerow(("density", along.axis, first, last, "um", objects, density, per_space))
    edges = found.edges.tolist()
    for first, last, objects in zip(edges, edges[1:], found.counts.tolist(), strict=False):
        writer.writerow(("size", "", first, last, size_unit, objects, "", ""))
    write_text(Path(path), text.getvalue())


def _region(
    located: Located, begin: Sequence[float] | None, end: Sequence[float] | None
) -> tuple[Doubles, Doubles]:
    if not len(located) and (begin is None or end is None):
        raise ValueError("there are no objects, so nothing says where to look; give begin and end")
    low = located.begin.min(axis=0) if begin is None else np.asarray(begin, np.float64)
    high = located.end.max(axis=0) if end is None else np.asarray(end, np.float64)
    if low.shape != (located.dims,) or high.shape != low.shape or not (low < high).all():
        raise ValueError(
            f"the region goes from {low.tolist()} to {high.tolist()} nm; give begin below end, a "
            f"number for each of {', '.join('zyx'[-located.dims :])}"
        )
    return low, high


def _size_edges(sizes: Doubles, bins: int) -> Doubles:
    """Ranges of sizes, as far apart in their logarithm, that hold all of them."""
    if not len(sizes):
        return np.array([1.0, 10.0])
    low, high = float(sizes.min()), float(sizes.max())
    # one size is in the middle of a range, and rounding leaves none out
    low, high = (0.9 * low, 1.1 * high) if low == high else (low, high)
    edges = np.geomspace(low, high, bins + 1)
    edges[0], edges[-1] = low, high
    return edges
