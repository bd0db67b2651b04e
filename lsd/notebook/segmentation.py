"""A segmentation from affinities, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import for_dims
from lsd.notebook.settings import chosen
from lsd.segmentation.decode import decode
from lsd.segmentation.kernels.nearest import checked
from lsd.spec import NEAREST, Segment

# fields of lsd.spec.Segment that are of volumes on disk, and of blocks
ON_DISK = (
    "affinities", "thresholds", "use_mask", "block", "context", "edge_context", "agglomeration",
    "revision", "levels", "workers",
)  # fmt: skip
SETTINGS = tuple(name for name in Segment.model_fields if name not in ON_DISK)


def segment(
    affs: NDArray[Any],
    *,
    neighborhood: Sequence[Sequence[int]] | None = None,
    threshold: float = 0.5,
    mask: NDArray[Any] | None = None,
    decoder: Any = "watershed",
    **settings: Any,
) -> NDArray[np.uint64]:
    """Segments of `affs` (c, z, y, x): uint64 (z, y, x), 0 where there is none; in 2D (c, y, x).

    affs:         floats in 0..1, or uint8 (0..255); 1: both voxels are of the same neuron
    neighborhood: offset in voxels of each channel, (z, y, x); None: a voxel and the one before it
                  along z, y and x, in this order (of two channels of a 3D volume: along y and x,
                  every section on its own)
    threshold:    fragments are joined up to this score, 0 (none) to 1 (all that touch)
    mask:         (z, y, x), 0 where there is to be no segment
    decoder:      "watershed": fragments, then agglomeration; "mutex": the mutex watershed, which
                  wants long-range offsets, has no threshold, and needs the package mwatershed
    settings:     any other field of lsd.spec.Segment that decides about values: scoring
                  ("hist_quant_75" is the paper's), caution, fragments (fields of
                  lsd.spec.Fragments), mutex (fields of lsd.spec.Mutex); as in
                  fragments={"min_seed_distance": 6, "boundaries": "affinity"}

    A segment is named by its smallest fragment.  Neither array is changed.  Raises ValueError for
    affinities that are none, offsets that do not fit the channels, and settings that are none.

    >>> import lsd, numpy
    >>> labels = numpy.full((16, 16, 33), 3)
    >>> labels[:, :, 16], labels[:, :, 17:] = 0, 7
    >>> offsets = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    >>> affs, _ = lsd.affinities(labels, offsets)
    >>> segments = lsd.segment(affs, threshold=0.5)
    >>> segments.shape, len(numpy.unique(segments))
    ((16, 16, 33), 2)
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold is a score, 0 to 1, got {threshold}")
    affs = np.asarray(affs)
    offsets = _nearest(affs) if neighborhood is None else [tuple(step) for step in neighborhood]
    asked = chosen(Segment(), {"decoder": decoder, **settings}, allowed=SETTINGS)
    decoded = decode(checked(affs, offsets), offsets, asked, mask=mask)
    return decoded.segmentation(threshold).astype(np.uint64, copy=False)


def _nearest(affs: NDArray[Any]) -> Sequence[Sequence[int]]:
    """The offsets of affinities that are of the nearest voxels alone."""
    axes = affs.ndim - 1
    if axes not in (2, 3) or len(affs) not in (axes, 2):
        raise ValueError(
            f"affs have shape {affs.shape}; without a neighborhood they are (3, z, y, x), or (2, "
            f"...) in the plane: name the offset of each channel, as in "
            f"neighborhood=[(-1, 0, 0), (0, -1, 0), (0, 0, -1), (-3, 0, 0)]"
        )
    return for_dims(NEAREST, len(affs))
