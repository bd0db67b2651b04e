"""Objects: connected voxels that are inside, with a minimal size, without holes, split where they
touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls
from lsd.arrays.ids import set_voxels
from lsd.arrays.pairs import touching
from lsd.segmentation.kernels.joining import PIECE, object_of_each
from lsd.segmentation.kernels.pieces import (
    Pieces,
    by_faces,
    closed,
    connectivity_of,
    described,
    pieces,
)

_DEFAULT = spec.Objects()


@explaining_calls
def objects(
    inside: NDArray[Any],
    *,
    mask: NDArray[Any] | None = None,
    connectivity: int | None = _DEFAULT.connectivity,
    min_size: int = _DEFAULT.min_size,
    fill_holes: bool = _DEFAULT.fill_holes,
    split: float = _DEFAULT.split,
    voxel_size: Sequence[float] | None = None,
) -> NDArray[np.uint64]:
    """Objects of the voxels that are inside: uint64 (z, y, x), ids 1..n in the order of their first
    voxels, 0 where there is none; 2D drops z.

    inside:       bool, or numbers, of which 0 is not
    mask:         (z, y, x), 0 where there are to be no objects
    connectivity: 6, 18 or 26 in 3D, 4 or 8 in 2D; of a volume, 4 and 8 take every section on its
                  own.  None: by faces, 6 or 4
    min_size:     drop objects of fewer voxels, before holes are filled
    fill_holes:   background that one object closes in, by faces, becomes part of it.  What touches
                  the border of the volume or what is outside of the mask, or a second object, stays
    split:        nm: what hangs together by a neck that is nowhere farther than this from its
                  border is parted there.  Parts that reach farther in grow, those nearer to their
                  middle first, until they meet; 0: nothing is parted.  Where the volume or the
                  mask ends is no border of an object
    voxel_size:   nm, z y x; asked for where objects are split

    Neither array is changed.  Raises ValueError for shapes and settings that do not fit, and for a
    split without a voxel size.

    >>> import numpy
    >>> from lsd.segmentation.objects import objects
    >>> ring = numpy.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
    >>> objects(ring, fill_holes=True).tolist()
    [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 2]]
    """
    settings = derived(
        _DEFAULT,
        connectivity=connectivity,
        min_size=min_size,
        fill_holes=fill_holes,
        split=split,
    )
    voxels = np.asarray(inside)
    is_inside = set_voxels(voxels, voxels.shape, of="what is inside")
    known = set_voxels(mask, voxels.shape, of="what is inside")
    assert is_inside is not None, "it was given"
    return objects_of(is_inside, known, settings, voxel_size=voxel_size)


def objects_of(
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_] | None,
    settings: spec.Objects,
    *,
    voxel_size: Sequence[float] | None,
) -> NDArray[np.uint64]:
    """See `objects`; known: its mask, None: all is known."""
    known = np.ones(inside.shape, np.bool_) if known is None else known
    found = pieces(inside & known, known, settings, voxel_size=voxel_size)
    background = by_faces(connectivity_of(settings, inside.ndim), inside.ndim)
    rows = piece_rows(
        found,
        begin=(0,) * inside.ndim,
        shape=inside.shape,
        is_closed=closed(known, background),
    )
    pairs = np.zeros((0, 2), np.uint64)
    if settings.fill_holes:
        pairs = touching(found.labels, in_xy=background == 4)
    places = pairs.astype(np.int64) - 1
    owners = object_of_each(rows, places, np.zeros(len(places), np.bool_), settings)
    return np.concatenate([np.zeros(1, np.uint64), owners])[found.labels]


def piece_rows(
    found: Pieces,
    *,
    begin: Sequence[int],
    shape: Sequence[int],
    is_closed: NDArray[np.bool_],
    level: int = 0,
) -> NDArray[np.void]:
    """Rows of PIECE of the pieces of a block, in the order of their labels; see `described`.

    level: the threshold that they are of, by its place in the list of them
    """
    count = int(found.labels.max(initial=0))
    known = described(found.labels, count, begin=begin, shape=shape, is_closed=is_closed)
    rows = np.empty(count, PIECE)
    rows["voxels"], rows["first"], rows["open"] = known
    rows["threshold"], rows["inside"] = level, np.arange(count) < found.objects
    return rows
