"""One object at a point: seen in one window, and in more where it reaches the window's face."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.objects.seeds import Seed
from lsd.objects.windows import Lattice, Place, Seen, Values

# values of the heads in a box
Look = Callable[[Roi], Values]
# labels (z, y, x) of what was seen in a box; of the mask, where something was
Decode = Callable[[Values, Roi, NDArray[np.bool_]], NDArray[np.uint64]]


@dataclass(frozen=True, eq=False)
class Instance:
    """An object, or none where all of `mask` is 0.

    roi, mask: its voxels (*roi.shape), bool
    windows:   that were looked at; predicted: voxels in them
    cut:       whether it goes on where nothing was looked at: at the limit, or behind so many
               windows
    """

    roi: Roi
    mask: NDArray[np.bool_]
    windows: int
    predicted: int
    cut: bool

    @property
    def voxels(self) -> int:
        """How many it has."""
        return int(np.count_nonzero(self.mask))


def instance_at(
    seed: Seed, lattice: Lattice, *, look: Look, decode: Decode, most: int, region: Roi
) -> Instance:
    """The object at a seed.

    look, decode: what a network says in a window, and the objects of what it said
    most:         windows at most
    region:       of the volume: what ends at its border is whole
    """
    seen, wanted = Seen(), {(0,) * lattice.first.dims}
    while True:
        for place in sorted(wanted):
            roi = lattice.roi(place)
            seen.windows[place] = (roi, look(roi))
        box = seen.roi
        labels = decode(seen.blended(), box, seen.covers(box))
        mask = _object_of(seed, labels, box)
        wanted = _reached(lattice, mask, seen)
        if not wanted or len(seen.windows) + len(wanted) > most:
            break
    cut = bool(wanted) or _ends(mask, box, lattice.limit, region)
    return Instance(box, mask, len(seen.windows), seen.voxels, cut)


def _object_of(seed: Seed, labels: NDArray[np.uint64], box: Roi) -> NDArray[np.bool_]:
    """That which has the seed's voxel, or else, of its box, the one whose voxel is nearest to
    it."""
    label = labels[tuple(seed.voxel - box.begin)] if box.contains(seed.voxel) else np.uint64(0)
    if label == 0:
        label = _nearest(seed, labels, box)
    return np.asarray((labels == label) & (label > 0))


def _nearest(seed: Seed, labels: NDArray[np.uint64], box: Roi) -> np.uint64:
    near = seed.box.intersect(box)
    if near.empty:
        return np.uint64(0)
    part = labels[(near - box.begin).to_slices()]
    places = np.argwhere(part)
    if not len(places):
        return np.uint64(0)
    away = ((places - np.array(seed.voxel - near.begin)) ** 2).sum(axis=1)
    return np.uint64(part[tuple(places[int(away.argmin())])])


def _reached(lattice: Lattice, mask: NDArray[np.bool_], seen: Seen) -> set[Place]:
    """Places of windows yet to be looked at."""
    if not mask.any():
        return set()
    reached = set[Place]().union(*(lattice.beyond(place, mask, seen) for place in seen.windows))
    return reached - set(seen.windows)


def _ends(mask: NDArray[np.bool_], box: Roi, limit: Roi, region: Roi) -> bool:
    """Whether an object touches a face of the limit beyond which the volume goes on."""
    for axis in range(box.dims):
        sides = ((0, limit.begin, region.begin), (-1, limit.end, region.end))
        for index, at, end in sides:
            edge = box.begin[axis] if index == 0 else box.end[axis]
            touches = at[axis] == edge and at[axis] != end[axis]
            if touches and np.take(mask, index, axis=axis).any():
                return True
    return False
