"""A segmentation from predicted heads, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, names_of, number, per_axis
from lsd.arrays.ids import set_voxels
from lsd.notebook.heads import predictions
from lsd.notebook.settings import with_settings
from lsd.segmentation.decoders.decoder import DecoderKind, decoder_of
from lsd.spec import Segment
from lsd.spec.kinds import import_kinds

# fields of lsd.spec.Segment that are of volumes on disk, and of blocks
ON_DISK = (
    "thresholds", "use_mask", "block", "context", "edge_context", "agglomeration",
    "revision", "levels", "workers",
)  # fmt: skip
# the threshold of who names none
_USUAL = 0.5
SETTINGS = tuple(name for name in Segment.model_fields if name not in ON_DISK)


@explaining_calls
def segment(
    affs: NDArray[Any] | Mapping[str, NDArray[Any]],
    *,
    neighborhood: Sequence[Sequence[int]] | Mapping[str, Sequence[Sequence[int]]] | None = None,
    threshold: float = _USUAL,
    mask: NDArray[Any] | None = None,
    decoder: Any = "watershed",
    imports: str | Sequence[str] = (),
    ranges: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    voxel_size: float | Sequence[float] | None = None,
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
    threshold:    fragments are joined up to this score, 0 (none) to 1 (all that touch).  Of
                  decoders of objects: from this value on a voxel is inside, 0 and 1 the ends of the
                  head's range.  Only for a decoder that has thresholds
    mask:         (z, y, x), 0 where there is to be no segment
    decoder:      "watershed": fragments, then agglomeration; "mutex": the mutex watershed, which
                  wants long-range offsets, has no threshold, and needs the package mwatershed; of
                  objects "components", "consensus" and "instance", see lsd.spec.Components,
                  .Consensus and .Instance; or one of your own, by its name or as a value,
                  MyDecoder(...)
    imports:      modules of one's own that define the decoder, or a scoring, by their names
    ranges:       (lowest, highest) value of the target of a head that holds no affinities, of
                  several heads by name, {"distance": (-1, 1)}; uint8 means it by 0..255.  None:
                  those that the heads were predicted with.  A prediction on disk says its own:
                  array.attrs["prediction"]["values"]
    voxel_size:   nm, one an axis, or one for all; asked for where objects are split.  None: that
                  which the heads were predicted with
    settings:     any other field of lsd.spec.Segment that decides about values: scoring
                  ("hist_quant_75" is the paper's), caution, fragments (fields of
                  lsd.spec.Fragments), mutex (fields of lsd.spec.Mutex), objects (fields of
                  lsd.spec.Objects), affinities (the name of the head that holds them); as in
                  fragments={"min_seed_distance": 6, "boundaries": "affinity"}

    A segment is named by its smallest fragment, an object by its place in the order of first
    voxels.  No array is changed.  Raises ValueError for affinities that are none, heads that are
    missing or whose range is not known, offsets that do not fit the channels, and settings that are
    none or that the decoder does not take.

    >>> import lsd, numpy
    >>> labels = numpy.full((16, 16, 33), 3)
    >>> labels[:, :, 16], labels[:, :, 17:] = 0, 7
    >>> offsets = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    >>> affs, _ = lsd.affinities(labels, offsets)
    >>> segments = lsd.segment(affs, threshold=0.5)
    >>> segments.shape, len(numpy.unique(segments))
    ((16, 16, 33), 2)
    """
    joined_up_to = number(threshold, "threshold", low=0, high=1)
    import_kinds(names_of(imports, "imports"))
    changes = {"decoder": decoder, **settings}
    wanted = with_settings(Segment(), changes, allowed=SETTINGS, of=segment)
    behaviour = decoder_of(wanted)
    _check_taken(behaviour, settings, threshold=threshold)
    heads = predictions(
        affs,
        neighborhood=neighborhood,
        ranges=ranges,
        voxel_size=None if voxel_size is None else _voxel_size(voxel_size, affs),
        decoder=behaviour,
        settings=wanted,
    )
    shape = next(iter(heads.values())).values.shape[1:]
    inside = set_voxels(mask, shape, of="what is segmented")
    decoded = behaviour.decode(heads, wanted, mask=inside)
    return decoded.segmentation(joined_up_to).astype(np.uint64, copy=False)


def _voxel_size(voxel_size: float | Sequence[float], heads: Any) -> tuple[float, ...]:
    """One value for each axis of the heads."""
    first = next(iter(heads.values())) if isinstance(heads, Mapping) else heads
    dims = np.ndim(first) - 1
    return per_axis(voxel_size, "voxel_size", dims=dims, of=f"heads of {dims} axes and channels")


def _check_taken(decoder: DecoderKind, settings: Mapping[str, Any], *, threshold: float) -> None:
    """Raises ValueError for what the decoder would leave unread."""
    kind = decoder.spec.kind
    # the object itself: somebody who writes 0.5 wants it to be used
    if threshold is not _USUAL and not decoder.has_thresholds:
        raise ValueError(f"decoder {kind!r} has no thresholds; leave threshold out")
    taken = decoder.takes
    unread = [name for name in settings if taken is not None and name not in taken]
    if unread:
        raise ValueError(
            f"decoder {kind!r} does not take {', '.join(unread)}; it takes: "
            f"{', '.join(taken or ())}"
        )
