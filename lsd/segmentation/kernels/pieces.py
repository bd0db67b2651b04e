"""Pieces of part of a volume: voxels that are inside and hang together, and, where holes are to be
filled, voxels that are not; and what is known of each piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import edt
import numba
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.components import connected_components
from lsd.arrays.offsets import neighbours
from lsd.segmentation.kernels.flood import flood
from lsd.spec import Objects

# steps of a distance in one side of the smallest voxel: distances are flooded in whole numbers
_STEPS = 32
# of an object that shows no border, so that steps are not too many
_FARTHEST = 1 << 22


class Pieces(NamedTuple):
    """labels (z, y, x), 0 outside the mask: 1 .. objects of what is inside, higher of what is
    not."""

    labels: NDArray[np.uint32]
    objects: int


class Described(NamedTuple):
    """Of each piece: its voxels, its first one in raster order (its place in the volume), and
    whether it is open: at the border of the volume or of the mask."""

    voxels: NDArray[np.uint64]
    first: NDArray[np.uint64]
    open: NDArray[np.bool_]


def connectivity_of(settings: Objects, dims: int) -> int:
    """That of the settings, or by faces.  Raises ValueError for one of a volume in the plane."""
    if settings.connectivity is None:
        return 6 if dims == 3 else 4
    if dims == 2 and settings.connectivity not in (4, 8):
        raise ValueError(
            f"segment.objects.connectivity: {settings.connectivity} does not exist in 2D; allowed: "
            f"4, 8"
        )
    return settings.connectivity


def by_faces(connectivity: int, dims: int) -> int:
    """How background hangs together where objects do by `connectivity`: by faces, within a section
    where these are on their own."""
    return 6 if dims == 3 and connectivity not in (4, 8) else 4


def pieces(
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_],
    settings: Objects,
    *,
    voxel_size: Sequence[float] | None,
) -> Pieces:
    """Pieces of `inside` (z, y, x), which lies within `known`; 2D drops z.

    voxel_size: nm; asked for where objects are split
    """
    connectivity = connectivity_of(settings, inside.ndim)
    labels, objects = _parted(inside, known, connectivity, settings.split, voxel_size)
    if settings.fill_holes:
        background = known & ~inside
        holes, _ = connected_components(
            background.view(np.uint8), connectivity=by_faces(connectivity, inside.ndim)
        )
        labels = np.where(background, holes + np.uint32(objects), labels)
    return Pieces(labels, objects)


def _parted(
    inside: NDArray[np.bool_],
    known: NDArray[np.bool_],
    connectivity: int,
    split: float,
    voxel_size: Sequence[float] | None,
) -> tuple[NDArray[np.uint32], int]:
    """Connected voxels, split by distance where that is asked for: labels 1..n, and n."""
    if not split:
        labels, ids = connected_components(inside.view(np.uint8), connectivity=connectivity)
        return labels, len(ids) - 1
    if voxel_size is None:
        raise ValueError(
            "segment.objects.split is in nm, and the voxel size is not known; give voxel_size=, in "
            "nm, or leave split out"
        )
    # what is not known is no border of an object, as what is beyond the array is none
    distance = _distances(inside | ~known, voxel_size, by_section=connectivity in (4, 8))
    distance[~inside] = 0
    cores, ids = connected_components((distance > split).view(np.uint8), connectivity=connectivity)
    height = np.minimum(distance * (_STEPS / min(voxel_size)), _FARTHEST).astype(np.int32)
    steps = neighbours(connectivity, inside.ndim)
    labels = flood(height, cores, within=inside, steps=steps).astype(np.uint32)
    # what has no core is no part of anything
    small = inside & (labels == 0)
    others, others_ids = connected_components(small.view(np.uint8), connectivity=connectivity)
    labels = np.where(small, others + np.uint32(len(ids) - 1), labels)
    return labels, len(ids) + len(others_ids) - 2


def _distances(
    inside: NDArray[np.bool_], voxel_size: Sequence[float], *, by_section: bool
) -> NDArray[np.float32]:
    """To the nearest voxel that is not inside, nm; the border of the array is none.  A new
    array."""
    if by_section and inside.ndim == 3:
        planes = [_distances(plane, voxel_size[1:], by_section=False) for plane in inside]
        return np.stack(planes)
    if inside.all():
        return np.full(inside.shape, np.inf, np.float32)
    distance: NDArray[np.float32] = edt.edt(
        np.ascontiguousarray(inside), anisotropy=tuple(voxel_size), parallel=1
    )
    return distance


def closed(known: NDArray[np.bool_], connectivity: int) -> NDArray[np.bool_]:
    """Where a voxel and all of its neighbours are known, (z, y, x); beyond the array nothing is."""
    padded, is_closed = np.pad(known, 1), known.copy()
    for step in neighbours(connectivity, known.ndim):
        is_closed &= padded[
            tuple(slice(1 + k, 1 + k + n) for k, n in zip(step, known.shape, strict=True))
        ]
    return is_closed


def described(
    labels: NDArray[np.unsignedinteger],
    count: int,
    *,
    begin: Sequence[int],
    shape: Sequence[int],
    is_closed: NDArray[np.bool_],
) -> Described:
    """What is known of labels 1 .. count of a block.

    begin: of the block within the volume, voxels; shape: of the volume; is_closed: of the block,
    see `closed`
    """
    voxels, first = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    is_open = np.zeros(count, np.bool_)
    flat = (1,) * (3 - labels.ndim)
    _describe(
        labels.reshape(flat + labels.shape),
        is_closed.reshape(flat + labels.shape),
        np.array((0,) * len(flat) + tuple(begin), np.uint64),
        np.array(flat + tuple(shape), np.uint64),
        voxels,
        first,
        is_open,
    )
    return Described(voxels, first, is_open)


@numba.njit(cache=True, nogil=True)
def _describe(labels, is_closed, begin, shape, voxels, first, is_open):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """See `described`; voxels come in raster order, so the first of a label is the first that is
    met."""
    for z in range(labels.shape[0]):
        for y in range(labels.shape[1]):
            row = ((begin[0] + np.uint64(z)) * shape[1] + begin[1] + np.uint64(y)) * shape[2]
            for x in range(labels.shape[2]):
                label = np.int64(labels[z, y, x]) - 1
                if label >= 0:
                    if voxels[label] == 0:
                        first[label] = row + begin[2] + np.uint64(x)
                    voxels[label] += np.uint64(1)
                    if not is_closed[z, y, x]:
                        is_open[label] = True
