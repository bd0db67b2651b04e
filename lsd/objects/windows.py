"""Windows that overlap, in a lattice around an object, and the mean of what is predicted in them.

|<-- window -->|
          |<-- window -->|         each a stride from the next along every axis
|<-------- seen -------->|
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

# values of the heads of a window by name, (c, *shape), float32
Values = Mapping[str, NDArray[np.float32]]
Place = tuple[int, ...]


@dataclass(frozen=True)
class Lattice:
    """Places of windows, whole numbers along each axis from the first window, which is at 0.

    first:  ROI of the first window, voxels of the world
    stride: voxels from one window to the next
    limit:  nothing beyond is looked at, so windows end there
    """

    first: Roi
    stride: Coordinate
    limit: Roi

    @classmethod
    def around(
        cls,
        box: Roi,
        voxel: Coordinate,
        *,
        window: Coordinate,
        overlap: float,
        step: Coordinate,
        limit: Roi,
        room: Sequence[int] | None = None,
    ) -> Lattice:
        """With the middle of a box in that of the first window where it fits, else a voxel of the
        box; or as near to it as the limit leaves.

        overlap: share of a window that it has in common with the next one
        room:    voxels around the box that a window has about, which is then no larger than that;
                 None: windows are as large as `window`
        step:    windows begin at multiples of it, so that what a network says of a voxel does not
                 depend on the window
        """
        if room is not None:
            window = Coordinate(map(_fitted, window, box.shape, room, step))
        middle = [
            (b + e) // 2 if e - b <= n else v
            for b, e, v, n in zip(box.begin, box.end, voxel, window, strict=True)
        ]
        # what ends a voxel before the face of a window ends in sight
        inside = box.grow((1,) * box.dims, (1,) * box.dims).intersect(limit)
        begin = [
            _aligned(min(max(low, m - n // 2), max(low, high - n)), n, step, (v, b, e))
            for m, n, step, low, high, v, b, e in zip(
                middle,
                window,
                step,
                limit.begin,
                limit.end,
                voxel,
                inside.begin,
                inside.end,
                strict=True,
            )
        ]
        stride = [
            max(round(n * (1 - overlap)) // step, 1) * step
            for n, step in zip(window, step, strict=True)
        ]
        return cls(Roi(begin, window), Coordinate(stride), limit)

    def roi(self, place: Place) -> Roi:
        """The window at a place, as far as it lies within the limit."""
        return (self.first + self.stride * Coordinate(place)).intersect(self.limit)

    def beyond(self, place: Place, mask: NDArray[np.bool_], seen: Seen) -> set[Place]:
        """The places beside one at whose faces an object ends though nothing was seen beyond.

        mask: the object in what was seen
        """
        reached = set()
        for axis in range(self.first.dims):
            for side in (-1, 1):
                plane = _face(self.roi(place), axis, side)
                step = Coordinate(side * int(a == axis) for a in range(self.first.dims))
                if not self.limit.contains(plane + step):
                    continue
                ends = mask[(plane - seen.roi.begin).to_slices()] & ~seen.covers(plane + step)
                if ends.any():
                    reached.add(tuple(n + s for n, s in zip(place, step, strict=True)))
        return reached


@dataclass
class Seen:
    """What was predicted in windows, all in one box.

    windows: by their place, ROI and values of the heads
    """

    windows: dict[Place, tuple[Roi, Values]] = field(default_factory=dict)

    @property
    def roi(self) -> Roi:
        """The smallest box with all windows."""
        first, *others = (roi for roi, _ in self.windows.values())
        for other in others:
            first = first.union(other)
        return first

    @property
    def voxels(self) -> int:
        """That were predicted, those in several windows as often."""
        return sum(int(roi.size) for roi, _ in self.windows.values())

    def covers(self, roi: Roi) -> NDArray[np.bool_]:
        """Which voxels of a box lie in a window (z, y, x)."""
        covered = np.zeros(roi.shape, np.bool_)
        for window, _ in self.windows.values():
            inside = window.intersect(roi)
            if not inside.empty:
                covered[(inside - roi.begin).to_slices()] = True
        return covered

    def blended(self) -> Values:
        """The mean of all windows (c, *roi.shape), each weighed by `weights`; 0 where there is no
        window."""
        if len(self.windows) == 1:
            [(_, values)] = self.windows.values()
            return values
        box = self.roi
        total = np.zeros(box.shape, np.float32)
        _, some = next(iter(self.windows.values()))
        sums = {name: np.zeros((len(head), *box.shape), np.float32) for name, head in some.items()}
        # in one order, since sums of floats depend on it
        for place in sorted(self.windows):
            roi, values = self.windows[place]
            weight, inside = weights(roi.shape), (roi - box.begin).to_slices()
            total[inside] += weight
            for name, head in values.items():
                sums[name][:, *inside] += head * weight
        weight = np.maximum(total, np.float32(1))
        return {name: np.asarray(head / weight, np.float32) for name, head in sums.items()}


def weights(shape: Sequence[int]) -> NDArray[np.float32]:
    """How much each voxel of a window counts: the product of its distances to the nearer face along
    each axis, from 1 at a face; so a window fades out where it knows least.

    >>> weights((1, 4)).tolist()
    [[1.0, 2.0, 2.0, 1.0]]
    """
    product = np.ones((1,) * len(shape), np.float32)
    for axis, size in enumerate(shape):
        distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 1
        product = product * distance.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return np.asarray(product, np.float32)


def _fitted(most: int, size: int, room: int, step: int) -> int:
    """Voxels of a window with room around a box, in whole steps."""
    return min(most, -(-(size + 2 * room) // step) * step)


def _aligned(begin: int, size: int, step: int, held: tuple[int, int, int]) -> int:
    """The multiple of step before or behind `begin` from which on so many voxels hold most.

    held: a voxel, which comes first, and the begin and end of a box
    """
    voxel, first, end = held

    def holds(at: int) -> tuple[bool, int, int]:
        of_box = min(end, at + size) - max(first, at)
        return at <= voxel < at + size, of_box, -abs(at - begin)

    return max(begin // step * step, -(-begin // step) * step, key=holds)


def _face(roi: Roi, axis: int, side: int) -> Roi:
    """The voxels of a box at one of its faces."""
    begin, shape = list(roi.begin), list(roi.shape)
    begin[axis] = roi.begin[axis] if side < 0 else roi.end[axis] - 1
    shape[axis] = 1
    return Roi(begin, shape)
