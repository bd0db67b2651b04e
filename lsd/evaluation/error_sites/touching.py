"""Where some parts of a segmentation touch others: of a block, and of blocks together.

All of it is counted in whole numbers, so it is the same however a volume was divided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.groups import group_begins
from lsd.evaluation.error_sites.sites import Kind
from lsd.evaluation.error_sites.worst import Part
from lsd.evaluation.kernels import faces as kernels

AXES = "zyx"
_PLACES = tuple(f"{what}_{axis}" for what in ("sum", "first", "last") for axis in AXES)
# rows: the faces that voxels of a target have on another part of the same whole, or (own) the
# voxels of the target: how many, the sum of their places and the first and last along each axis;
# places are voxels of the world, 0 along z of planes, of faces those of the target's voxel
TOUCH = np.dtype(
    [("target", "<i8"), ("own", "?"), ("other", "<u8"), ("count", "<i8")]
    + [(name, "<i8") for name in _PLACES]
)
# rows: the voxel of a target that is nearest to a place
NEAREST = np.dtype([("target", "<i8"), ("apart", "<f8"), *((axis, "<i8") for axis in AXES)])


class Voxels(NamedTuple):
    """A block and a voxel around it, (z, y, x) or (y, x) of one shape.

    counted: voxels that are scored
    inside:  where the block lies;  begin: the first voxel of all this, in voxels of the world
    sections_touch: False: each section is an image of its own
    """

    segments: NDArray[np.uint64]
    objects: NDArray[np.uint64]
    counted: NDArray[np.bool_]
    inside: tuple[slice, ...]
    begin: tuple[int, ...]
    sections_touch: bool = True

    def parts_and_wholes(self, kind: Kind) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Of each voxel, as `Part` has them."""
        split = (self.segments, self.objects)
        return split if kind == "split" else split[::-1]


class Faces(NamedTuple):
    """Faces (n,) between a voxel of a target and one of another part of the same whole.

    at: places (n, 3) of the target's voxel, voxels of the world
    """

    target: NDArray[np.int64]
    other: NDArray[np.uint64]
    at: NDArray[np.int64]


class Aim(NamedTuple):
    """What is looked for: of the voxels of a part that have a face on `other` (None: of all) the
    nearest to their middle, which is total / places.

    places: faces that there are, or voxels
    total, first, last: of the places of these voxels, z y x (z: 0 in planes), voxels of the world
    """

    other: int | None
    places: int
    total: tuple[int, int, int]
    first: tuple[int, int, int]
    last: tuple[int, int, int]


def touching(voxels: Voxels, parts: Sequence[Part]) -> NDArray[np.void]:
    """Rows of TOUCH of a block, in ascending order; targets are places in `parts`."""
    rows = [np.empty(0, TOUCH)]
    for kind, targets in _by_kind(parts):
        numbers = _numbers(voxels, kind, [parts[target] for target in targets])
        found = np.concatenate(
            [
                _own_rows(numbers, _begin(voxels), len(targets)),
                _face_rows(_faces(voxels, kind, numbers)),
            ]
        )
        found["target"] = targets[found["target"]]
        rows.append(found)
    return together(np.concatenate(rows))


def together(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Rows of TOUCH, in any order, as one for each target and other part, ascending."""
    keys = ("target", "own", "other")
    ordered = rows[np.lexsort([rows[name] for name in reversed(keys)])]
    first = group_begins(*[ordered[name] for name in keys])
    combined = ordered[first]
    for name in ("count", *_PLACES) if len(first) else ():
        add = {"first": np.minimum, "last": np.maximum}.get(name.split("_")[0], np.add)
        combined[name] = add.reduceat(ordered[name], first)
    return combined


def nearest(
    voxels: Voxels, parts: Sequence[Part], aims: Sequence[Aim], *, voxel_size: Sequence[float]
) -> NDArray[np.void]:
    """Rows of NEAREST of a block: the voxel of each part that is aimed at, where the block has one;
    targets are places in `parts`.

    apart: (its distance to the middle, nm, times `places` of the aim) ** 2; of equal ones the first
    """
    size = np.array(_flat(voxel_size, 0.0))
    rows = [np.empty(0, NEAREST)]
    for kind, targets in _by_kind(parts):
        numbers = _numbers(voxels, kind, [parts[target] for target in targets])
        own = [aims[target] for target in targets]
        found = np.concatenate(
            [
                _nearest_free(numbers, _begin(voxels), own, size),
                _nearest_face(_faces(voxels, kind, numbers), own, size),
            ]
        )
        found["target"] = targets[found["target"]]
        rows.append(found)
    return best(np.concatenate(rows))


def best(rows: NDArray[np.void]) -> NDArray[np.void]:
    """Of rows of NEAREST one for each target, ascending: the nearest, of equal ones the first."""
    ordered = rows[np.lexsort([rows[name] for name in ("x", "y", "z", "apart", "target")])]
    return ordered[group_begins(ordered["target"])]


def _by_kind(parts: Sequence[Part]) -> Iterator[tuple[Kind, NDArray[np.int64]]]:
    """Each kind that occurs, and the places of its parts."""
    kinds: tuple[Kind, ...] = ("split", "merge")
    for kind in kinds:
        places = [place for place, part in enumerate(parts) if part.kind == kind]
        if places:
            yield kind, np.array(places, np.int64)


def _own_rows(
    numbers: NDArray[np.int32], begin: NDArray[np.int64], targets: int
) -> NDArray[np.void]:
    """Rows of TOUCH of the voxels of the targets themselves."""
    own = np.zeros((targets, 1 + len(_PLACES)), np.int64)
    own[:, 4:7], own[:, 7:10] = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    kernels.measure(numbers, begin, own)
    there = np.flatnonzero(own[:, 0])
    rows = np.zeros(len(there), TOUCH)
    rows["target"], rows["own"] = there, True
    for name, column in zip(("count", *_PLACES), own[there].T, strict=True):
        rows[name] = column
    return rows


def _face_rows(faces: Faces) -> NDArray[np.void]:
    """Rows of TOUCH, one for each target and other part that share faces; there may be millions of
    faces, so these become no rows themselves."""
    order = np.lexsort((faces.other, faces.target))
    target, other, at = faces.target[order], faces.other[order], faces.at[order]
    first = group_begins(target, other)
    rows = np.zeros(len(first), TOUCH)
    if not len(first):
        return rows
    rows["target"], rows["other"] = target[first], other[first]
    rows["count"] = np.diff(first, append=len(order))
    for what, added in (("sum", np.add), ("first", np.minimum), ("last", np.maximum)):
        for axis, places in zip(AXES, added.reduceat(at, first, axis=0).T, strict=True):
            rows[f"{what}_{axis}"] = places
    return rows


def _nearest_free(
    numbers: NDArray[np.int32],
    begin: NDArray[np.int64],
    aims: Sequence[Aim],
    size: NDArray[np.float64],
) -> NDArray[np.void]:
    """Rows of NEAREST of targets that are aimed at as a whole."""
    is_free = np.array([aim.other is None for aim in aims], np.bool_)
    chosen, apart = np.zeros((len(aims), 3), np.int64), np.full(len(aims), np.inf)
    kernels.choose(numbers, begin, is_free, *_middles(aims), size, chosen, apart)
    there = np.flatnonzero(np.isfinite(apart))
    return _nearest_rows(there, apart[there], chosen[there])


def _nearest_face(faces: Faces, aims: Sequence[Aim], size: NDArray[np.float64]) -> NDArray[np.void]:
    """Rows of NEAREST, one a face that is aimed at."""
    aimed_at = np.array([aim.other is not None for aim in aims], np.bool_)
    others = np.array([aim.other or 0 for aim in aims], np.uint64)
    wanted = aimed_at[faces.target] & (faces.other == others[faces.target])
    target, at = faces.target[wanted], faces.at[wanted]
    counts, totals = _middles(aims)
    z, y, x = (((counts[target, None] * at - totals[target]) * size) ** 2).T
    return _nearest_rows(target, z + y + x, at)


def _middles(aims: Sequence[Aim]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts (n,) and totals (n, 3).  A step from a middle is taken count times, in whole numbers,
    so that of voxels that are equally near none is nearer by rounding, wherever they lie."""
    counts = np.array([aim.places for aim in aims], np.int64)
    return counts, np.array([aim.total for aim in aims], np.int64)


def _nearest_rows(
    targets: NDArray[np.int64], apart: NDArray[np.float64], at: NDArray[np.int64]
) -> NDArray[np.void]:
    rows = np.empty(len(targets), NEAREST)
    rows["target"], rows["apart"] = targets, apart
    for axis, places in zip(AXES, at.T, strict=True):
        rows[axis] = places
    return rows


def _flat(values: Sequence[Any], fill: Any) -> tuple[Any, ...]:
    """Of three axes; that of z is `fill` in planes."""
    return (fill,) * (3 - len(values)) + tuple(values)


def _begin(voxels: Voxels) -> NDArray[np.int64]:
    return np.array(_flat(voxels.begin, 0), np.int64)


def _volume(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array).reshape(_flat(array.shape, 1))


def _numbers(voxels: Voxels, kind: Kind, parts: Sequence[Part]) -> NDArray[np.int32]:
    """The place in `parts`, all of one kind, of each voxel of the block, (z, y, x); -1: of none."""
    pairs = np.array([(part.part, part.whole) for part in parts], np.uint64)
    size = 1 << max(4, (2 * len(pairs) + 1).bit_length())
    first, second = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    held = np.zeros(size, np.int64)
    kernels.fill(pairs, first, second, held)
    own = np.zeros(voxels.counted.shape, np.bool_)
    own[voxels.inside] = voxels.counted[voxels.inside]
    of_voxels = [_volume(array) for array in (*voxels.parts_and_wholes(kind), own)]
    numbers = np.full(of_voxels[0].shape, -1, np.int32)
    kernels.number(*of_voxels, first, second, held, numbers)
    return numbers


def _faces(voxels: Voxels, kind: Kind, numbers: NDArray[np.int32]) -> Faces:
    """The faces of all targets of the block, in raster order."""
    of_voxels = [_volume(array) for array in (*voxels.parts_and_wholes(kind), voxels.counted)]
    from_axis = 0 if voxels.sections_touch else 1
    none, no_ids = np.empty(0, np.int64), np.empty(0, np.uint64)
    count = kernels.find(*of_voxels, numbers, from_axis, none, none, no_ids)
    at, target, other = (np.empty(count, dtype) for dtype in (np.int64, np.int64, np.uint64))
    kernels.find(*of_voxels, numbers, from_axis, at, target, other)
    places = np.stack(np.unravel_index(at, numbers.shape), axis=-1)
    return Faces(target, other, places + _begin(voxels))
