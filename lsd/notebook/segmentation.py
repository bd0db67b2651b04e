"""A segmentation from predicted heads, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, names_of, number
from lsd.arrays.ids import set_voxels
from lsd.notebook.heads import predictions
from lsd.notebook.settings import with_settings
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.spec import Segment
from lsd.spec.kinds import import_kinds

# fields of lsd.spec.Segment that are of volumes on disk, and of blocks
ON_DISK = (
    "thresholds", "use_mask", "block", "context", "edge_context", "agglomeration",
    "revision", "levels", "workers",
)  # fmt: skip
SETTINGS = tuple(name for name in Segment.model_fields if name not in ON_DISK)


@explaining_calls
def segment(
    affs: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    neighborhood: Sequence[Sequence[int]] | Mapping[str, Sequence[Sequence[int]]] | None = None,
    threshold: float = 0.5,
    mask: NDArray[Any] | None = None,
    decoder: Any = "watershed",
    imports: str | Sequence[str] = (),
    **settings: Any,
) -> NDArray[np.uint64]:
    """Segments of `affs` (c, z, y, x): uint64 (z, y, x), 0 where there is none; in 2D (c, y, x).

    affs:         floats in 0..1, or uint8 (0..255); 1: both voxels are of the same neuron.  Or
                  heads by name, {"affs": ...}, such as lsd.load(...).predict gives them: the
                  decoder takes those that it reads
    neighborhood: offset in voxels of each channel, (z, y, x), of several heads by name.  None:
                  those that the heads were predicted with; of arrays, a voxel and the one before
                  it along z, y and x, in this order (of two channels of a 3D volume: along y and
                  x, every section on its own)
    threshold:    fragments are joined up to this score, 0 (none) to 1 (all that touch)
    mask:         (z, y, x), 0 where there is to be no segment
    decoder:      "watershed": fragments, then agglomeration; "mutex": the mutex watershed, which
                  wants long-range offsets, has no threshold, and needs the package mwatershed; or
                  one of your own, by its name or as a value, MyDecoder(...)
    imports:      modules of one's own that define the decoder, or a scoring, by their names
    settings:     any other field of lsd.spec.Segment that decides about values: scoring
                  ("hist_quant_75" is the paper's), caution, fragments (fields of
                  lsd.spec.Fragments), mutex (fields of lsd.spec.Mutex), affinities (the name of
                  the head that holds them); as in
                  fragments={"min_seed_distance": 6, "boundaries": "affinity"}

    A segment is named by its smallest fragment.  No array is changed.  Raises ValueError for
    affinities that are none, heads that are missing, offsets that do not fit the channels, and
    settings that are none.

    >>> import lsd, numpy
    >>> labels = numpy.full((16, 16, 33), 3)
    >>> labels[:, :, 16], labels[:, :, 17:] = 0, 7
    >>> offsets = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    >>> affs, _ = lsd.affinities(labels, offsets)
    >>> segments = lsd.segment(affs, threshold=0.5)
    >>> segments.shape, len(numpy.unique(segments))
    ((16, 16, 33), 2)
    """
    threshold = number(threshold, "threshold", low=0, high=1)
    import_kinds(names_of(imports, "imports"))
    changes = {"decoder": decoder, **settings}
    wanted = with_settings(Segment(), changes, allowed=SETTINGS, of=segment)
    behaviour = decoder_of(wanted)
    heads = predictions(affs, neighborhood=neighborhood, decoder=behaviour, settings=wanted)
    shape = next(iter(heads.values())).values.shape[1:]
    inside = set_voxels(mask, shape, of="what is segmented")
    decoded = behaviour.decode(heads, wanted, mask=inside)
    return decoded.segmentation(threshold).astype(np.uint64, copy=False)
