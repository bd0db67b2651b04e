"""What the heads of a stage learn, from labels as they are after augmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.batches import keys
from lsd.batches.keys import KNOWN, LABELS, At, Filter, array, extra
from lsd.targets.target import compute, target_kind


class HeadTargets(Filter):
    """Adds target and weights (1 where it is known) of every head, each computed from the labels
    around that it needs."""

    def __init__(
        self, heads: Mapping[str, spec.Head], *, voxel_size: Sequence[float], dims: int
    ) -> None:
        self.heads, self.voxel_size, self.dims = heads, tuple(voxel_size)[-dims:], dims
        self.kinds = {name: target_kind(head.target) for name, head in heads.items()}

    def setup(self) -> None:
        """Announces the targets."""
        for name in self.heads:
            for key in (keys.target(name), keys.weight(name)):
                self.provides(key, At(self.spec[LABELS].roi))

    def prepare(self, request: gp.BatchRequest) -> gp.BatchRequest:
        """Asks for labels, with the widest context of all heads."""
        needed = gp.BatchRequest()
        for name, kind in self.kinds.items():
            roi = request[keys.target(name)].roi
            margin = self.margin(name)
            for key in (LABELS, KNOWN, *map(extra, kind.arrays())):
                grown = roi.grow(margin, margin)
                needed[key] = At(needed[key].roi.union(grown) if key in needed else grown)
        return needed

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Computes every head on its own crop."""
        computed = gp.Batch()
        for name in self.heads:
            roi = request[keys.target(name)].roi
            values, weights = self._compute(name, batch, roi)
            computed[keys.target(name)], computed[keys.weight(name)] = (
                array(values, roi),
                array(weights, roi),
            )
        return computed

    def margin(self, head: str) -> gp.Coordinate:
        """Voxels of labels (z, y, x) around the output that a head needs."""
        context = self.kinds[head].context(self.voxel_size)
        return gp.Coordinate((0,) * (3 - self.dims) + tuple(context))

    def _compute(
        self, head: str, batch: gp.Batch, roi: gp.Roi
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Target and weights (c, z, y, x) at `roi`."""
        margin = self.margin(head)
        grown = roi.grow(margin, margin)
        labels, known = (self._flat(batch[key].crop(grown).data) for key in (LABELS, KNOWN))
        arrays = {
            name: self._flat(batch[extra(name)].crop(grown).data)
            for name in self.kinds[head].arrays()
        }
        values, mask = compute(
            self.heads[head].target,
            labels,
            known=known,
            arrays=arrays,
            voxel_size=self.voxel_size,
        )
        inside = (
            slice(None),
            *(slice(m, m + size) for m, size in zip(margin, roi.shape, strict=True)),
        )[-self.dims :]
        values, mask = values[(slice(None), *inside)], mask[(slice(None), *inside)]
        shape = (-1, *roi.shape)
        return np.ascontiguousarray(values).reshape(shape), mask.astype(np.float32).reshape(shape)

    def _flat(self, data: NDArray[np.generic]) -> NDArray[np.generic]:
        """An array without its z axis, for 2D networks."""
        return np.ascontiguousarray(data[0] if self.dims == 2 else data)


def extras(heads: Mapping[str, spec.Head]) -> list[str]:
    """Arrays of the volumes, other than labels, that these heads learn from."""
    return sorted({name for head in heads.values() for name in target_kind(head.target).arrays()})
