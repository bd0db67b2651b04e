"""Several movements as one map from output voxels to input points, so that raw is interpolated
once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.batches.augmentations import sampling
from lsd.batches.augmentations.motion import Motion


@dataclass(frozen=True)
class Warp:
    """Where each voxel of an output ROI is read.

    roi:    output voxels that the warp is known for
    nodes:  input points (3, grid z, y, x) at every `step`-th voxel from the beginning of roi,
            linear in between
    shifts: for each axis of the output the displacement (n, 3) of each of its sections
    """

    roi: Roi
    nodes: NDArray[np.float64]
    step: tuple[int, int, int]
    shifts: sampling.Tables

    def source_roi(self, roi: Roi) -> Roi:
        """The input ROI that `roi` is read from."""
        nodes = self.nodes
        moved = np.zeros((2, 3))
        for axis, (begin, shape) in enumerate(
            zip(roi.begin - self.roi.begin, roi.shape, strict=True)
        ):
            nodes = _between(nodes, axis + 1, self._corners(axis, begin, shape))
            shift = self.shifts[axis][begin : begin + shape]
            moved += np.stack([shift.min(axis=0), shift.max(axis=0)])
        # nodes are float64, points float32: a point may come out beyond by its rounding
        low = np.floor(nodes.min(axis=(1, 2, 3)) + moved[0] + 1e-3)
        high = np.ceil(nodes.max(axis=(1, 2, 3)) + moved[1] - 1e-3)
        return Roi(Coordinate(low.astype(int)), Coordinate((high - low + 1).astype(int)))

    def read(
        self, data: NDArray[Any], data_roi: Roi, roi: Roi, *, interpolate: bool
    ) -> NDArray[Any]:
        """Output voxels of `roi` from `data`, which covers data_roi; float32 where interpolated
        (uint8 / 255), else as data."""
        out = np.empty(roi.shape, np.float32 if interpolate else data.dtype)
        begin = roi.begin - self.roi.begin
        nodes = self.nodes - np.reshape(data_roi.begin, (3, 1, 1, 1))
        z, y, x = (
            np.ascontiguousarray(shift[first : first + size])
            for shift, first, size in zip(self.shifts, begin, roi.shape, strict=True)
        )
        sample = sampling.sample_linear if interpolate else sampling.sample_nearest
        sample(np.ascontiguousarray(data), nodes, self.step, tuple(begin), (z, y, x), out)
        if interpolate and data.dtype == np.uint8:
            out *= np.float32(1 / 255)
        return out

    def _corners(self, axis: int, begin: int, shape: int) -> NDArray[np.float64]:
        """Positions, in steps, between which the warp is linear along an axis: both ends and the
        nodes inside."""
        first, last = begin / self.step[axis], (begin + shape - 1) / self.step[axis]
        return np.unique([first, *np.arange(np.ceil(first), last), last])


def _between(nodes: NDArray[np.float64], axis: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    left = at.astype(int)
    right = np.minimum(left + 1, nodes.shape[axis] - 1)
    part = (at - left).reshape([-1 if a == axis else 1 for a in range(nodes.ndim)])
    below = nodes.take(left, axis=axis)
    return np.asarray(below + (nodes.take(right, axis=axis) - below) * part)


def draw_warp(
    draws: Sequence[Callable[[np.random.Generator], Motion]],
    roi: Roi,
    rng: np.random.Generator,
    *,
    every: int,
) -> Warp:
    """A random warp of `roi`: movements in the order in which they would be applied to the data.

    draws: each draws one of them;  every: voxels between nodes.
    Input points count from the beginning of the input.  Only the last one that goes between voxels
    may displace sections (see `GeometricAugmentation.joins`).
    """
    step = _grid_step(every, roi.shape)
    grid = [
        np.arange(0, size + every - 1, every) for size, every in zip(roi.shape, step, strict=True)
    ]
    centre: tuple[float, ...] = tuple((size - 1) / 2 for size in roi.shape)
    points = np.stack(np.meshgrid(*grid, indexing="ij")) - np.reshape(centre, (3, 1, 1, 1))
    axes: tuple[int, ...] = (0, 1, 2)
    shifts = [np.zeros((size, 3)) for size in roi.shape]
    for drawn in reversed(draws):
        motion = drawn(rng)
        points, centre, axes = motion.before(points), motion.source(centre), motion.source(axes)
        shifts = [motion.displacements(shift) for shift in shifts]
        moved = motion.sections(roi.shape[axes[0]])
        if moved is not None:
            shifts[axes[0]] += moved
    points += np.reshape(centre, (3, 1, 1, 1))
    z, y, x = (shift.astype(np.float32) for shift in shifts)
    return Warp(roi, points, step, (z, y, x))


def _grid_step(every: int, shape: Sequence[int]) -> tuple[int, int, int]:
    """Voxels between nodes along each axis, which may be short."""
    z, y, x = (min(every, max(size - 1, 1)) for size in shape)
    return z, y, x
