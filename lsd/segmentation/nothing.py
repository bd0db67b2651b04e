"""Why a volume was segmented into nothing, and how many segments there are where there is
something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from funlib.geometry import Roi

from lsd.blockwise.on_disk.grid import tile
from lsd.segmentation.decoders.decoder import Decoder, Seen
from lsd.segmentation.kernels.nearest import unit
from lsd.segmentation.kernels.prediction import Offsets, Prediction, range_of
from lsd.spec import Segment
from lsd.volumes.array import Array
from lsd.volumes.volume import OpenVolume

# voxels an axis that are read at once
_BLOCK = 256


def highest_id(array: Array) -> int:
    """Of a segmentation: the number of its segments, where they are named 1..n."""
    return max(int(array.read(roi).max(initial=0)) for roi in _parts(array.roi))


def why(
    arrays: Mapping[str, Array],
    neighborhoods: Mapping[str, Offsets | None],
    decoder: Decoder,
    settings: Segment,
    *,
    mask: OpenVolume | None,
) -> str:
    """What leaves nothing of predicted heads, in a few words."""
    low, high, strongest, inside = 1.0, 0.0, 0.0, 0
    first = next(iter(arrays.values()))
    for roi in _parts(first.roi):
        heads = {
            name: Prediction(
                np.asarray(array.read(roi)),
                neighborhoods[name],
                range_of(array.source.handle.attrs),
            )
            for name, array in arrays.items()
        }
        kept = np.ones(roi.shape, np.bool_) if mask is None else mask.read_known(roi)
        inside += int(np.count_nonzero(kept))
        low = min(low, *(float(unit(head.values.min())) for head in heads.values()))
        high = max(high, *(float(unit(head.values.max())) for head in heads.values()))
        strength = decoder.strength(heads, settings) * kept
        strongest = max(strongest, float(strength.max(initial=0)))
    if not inside:
        return "the mask is empty there; unset segment.use_mask, or correct labels_mask"
    return decoder.why_nothing(Seen(low, high, strongest, first.dtype), settings)


def _parts(roi: Roi) -> Iterator[Roi]:
    none = (0,) * roi.dims
    return (
        block.write
        for block in tile(
            roi, [min(_BLOCK, n) for n in roi.shape], step=(1,) * roi.dims, context=(none, none)
        )
    )
