"""Names of the arrays that travel through the pipeline, and what every node has in common.

gunpowder runs with voxel size 1: a ROI is in voxels, nanometres stay outside.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

Change = Callable[[NDArray[Any], np.random.Generator], NDArray[np.float32]]

VOXEL = gp.Coordinate(1, 1, 1)
RAW = gp.ArrayKey("RAW")
LABELS = gp.ArrayKey("LABELS")
KNOWN = gp.ArrayKey("KNOWN")


def extra(name: str) -> gp.ArrayKey:
    """Key of a further array of the volumes, e.g. mitochondria."""
    return gp.ArrayKey(f"EXTRA_{name}")


def target(head: str) -> gp.ArrayKey:
    """Key of what a head learns."""
    return gp.ArrayKey(f"TARGET_{head}")


def weight(head: str) -> gp.ArrayKey:
    """Key of how much each voxel of it counts."""
    return gp.ArrayKey(f"WEIGHT_{head}")


def generator(request: gp.BatchRequest) -> np.random.Generator:
    """Random numbers of the node that received `request`; gunpowder gives each node a seed of its
    own."""
    return np.random.default_rng(request.random_seed)


class At(gp.ArraySpec):  # type: ignore[misc]
    """Where an array lies."""

    def __init__(self, roi: gp.Roi) -> None:
        super().__init__(roi=roi, voxel_size=VOXEL)

    def __deepcopy__(self, memo: dict[int, object]) -> At:
        # gunpowder copies each spec about fifty times a batch; what it holds never changes in place
        return copy.copy(self)


def array(data: NDArray[Any], roi: gp.Roi) -> gp.Array:
    """`data` (channels before space) as gunpowder carries it."""
    return gp.Array(data, At(roi))


def total(rois: Iterable[gp.Roi]) -> gp.Roi:
    """The smallest ROI that holds all."""
    first, *others = rois
    for roi in others:
        first = first.union(roi)
    return first


class Filter(gp.BatchFilter):  # type: ignore[misc]
    """A node that changes batches.  Draws from generator(request) and leaves the process's random
    state alone."""

    def set_seeds(self, request: gp.BatchRequest) -> None:
        """Nothing: gunpowder would seed numpy's and Python's global state here."""


class RawFilter(Filter):
    """A node that changes raw alone.

    change: new raw (z, y, x) of raw, which stays as it is, with random numbers to draw from
    """

    def __init__(self, change: Change) -> None:
        self.change = change

    def prepare(self, request: gp.BatchRequest) -> gp.BatchRequest:
        """Asks for raw."""
        return gp.BatchRequest({RAW: request[RAW].copy()})

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """What `change` makes of raw."""
        raw = batch[RAW]
        changed = gp.Batch()
        changed[RAW] = array(self.change(raw.data, generator(request)), raw.spec.roi)
        return changed


class Provider(gp.BatchProvider):  # type: ignore[misc]
    """A node that makes batches, or passes requests on to one of several."""

    def set_seeds(self, request: gp.BatchRequest) -> None:
        """Nothing: gunpowder would seed numpy's and Python's global state here."""
