"""Node of one warp: a run of elastic and simple augmentations."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp
import numpy as np

from lsd.batches.augmentations.warp import Geometric, Warp, draw
from lsd.batches.keys import KNOWN, RAW, Filter, array, generator, total


class Deform(Filter):
    """Reads all arrays through one random warp; raw is interpolated, the rest takes the nearest
    voxel.

    Each array asks for what its own points need, labels for less than raw.
    """

    def __init__(
        self, augmentations: Sequence[Geometric], *, voxel_size: Sequence[float], flat: bool = False
    ) -> None:
        self.augmentations, self.voxel_size, self.flat = augmentations, voxel_size, flat
        self.warp: Warp | None = None

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws the warp and turns the request into what it reads."""
        whole = total(wanted.roi for _, wanted in request.items())
        self.warp = draw(
            self.augmentations,
            whole,
            generator(request),
            voxel_size=self.voxel_size,
            flat=self.flat,
        )
        for _, wanted in request.items():
            wanted.roi = self.warp.source_roi(wanted.roi)

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Reads every array once."""
        assert self.warp is not None
        read = gp.Batch()
        for key, wanted in request.items():
            given = batch[key]
            if key == KNOWN and given.data.all():  # nothing to look for
                data = np.ones(wanted.roi.shape, np.bool_)
            else:
                data = self.warp.read(
                    given.data, given.spec.roi, wanted.roi, interpolate=key == RAW
                )
            read[key] = array(data, wanted.roi)
        return read
