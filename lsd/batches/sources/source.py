"""Where batches come from: one open volume."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd.batches.keys import KNOWN, LABELS, RAW, At, Provider, array, extra, total
from lsd.volumes.further import read_further
from lsd.volumes.volume import OpenVolume

EVERYWHERE = gp.Roi((None, None, None), (None, None, None))


class VolumeSource(Provider):
    """Provides raw, labels, what is known, and further arrays of a volume, at any ROI.

    raw: float32 in [0, 1], or uint8 in [0, 255], which takes a quarter of the memory on the way to
         the first node that
    computes with it (see nodes.unit); reflected beyond the array
    labels: uint64, reflected beyond their array as raw is, where nothing is known: targets of
         voxels within see neurons go on there, as the network does
    further arrays: reflected as labels are
    """

    def __init__(self, volume: OpenVolume, *, extras: Sequence[str] = ()) -> None:
        self.volume, self.extras = volume, {extra(name): name for name in extras}

    def setup(self) -> None:
        """Announces the arrays."""
        for key in (RAW, LABELS, KNOWN, *self.extras):
            self.provides(key, At(EVERYWHERE))

    def provide(self, request: gp.BatchRequest) -> gp.Batch:
        """Reads what is requested."""
        batch = gp.Batch()
        if RAW in request:
            batch[RAW] = array(read_raw(self.volume, request[RAW].roi), request[RAW].roi)
        for key, name in self.extras.items():
            if key in request:
                roi = request[key].roi
                batch[key] = array(read_further(self.volume, name, roi, mirrored=True), roi)
        truth = [key for key in (LABELS, KNOWN) if key in request]
        if truth:
            roi = total(request[key].roi for key in truth)
            read = self.volume.read_truth(roi, mirrored=True)
            both = dict(zip((LABELS, KNOWN), read, strict=True))
            for key in truth:
                batch[key] = array(both[key], roi).crop(request[key].roi, copy=False)
        return batch


def read_raw(volume: OpenVolume, roi: gp.Roi) -> NDArray[np.generic]:
    """Raw as it lies on disk where that is 0..255 in uint8, else in [0, 1]."""
    spec = volume.spec
    plain = (
        volume.raw.dtype == np.uint8
        and spec.raw_range in (None, (0.0, 255.0))
        and spec.sharpen is None
    )
    return volume.raw.read(roi, beyond="reflect") if plain else volume.read_raw(roi)
