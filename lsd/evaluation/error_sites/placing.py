"""From the worst parts of a table to error sites: which other part each was cut off from, and
where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.arguments import explaining_calls, per_axis
from lsd.arrays.contingency import Contingency
from lsd.arrays.ids import ids, set_voxels
from lsd.evaluation.error_sites.sites import Kind, Site
from lsd.evaluation.error_sites.touching import AXES, Aim, Voxels, nearest, touching
from lsd.evaluation.error_sites.worst import Part, worst_parts
from lsd.evaluation.metric import Background
from lsd.evaluation.partition import ignored_labels, scored_rows
from lsd.spec import Evaluate
from lsd.volumes.units import centre

_DEFAULT = Evaluate()
Rows = NDArray[np.void]
# of each whole of one kind, the voxels of its parts
Sizes = dict[tuple[Kind, int], dict[int, int]]


@explaining_calls
def error_sites(
    segmentation: NDArray[Any],
    truth: NDArray[Any],
    *,
    voxel_size: float | Sequence[float] = 1,
    count: int = _DEFAULT.sites,
    ignore: int | Collection[int] = _DEFAULT.ignore,
    background: Background = _DEFAULT.background,
    mask: NDArray[Any] | None = None,
) -> list[Site]:
    """The worst splits and merges of `segmentation` against `truth`, integer arrays of one shape,
    worst first.

    voxel_size: nm, one value or one an axis; places are counted from the begin of the arrays
    count:      up to so many splits and so many merges
    ignore, background, mask: see `lsd.compare`
    Raises ValueError for shapes that differ, arrays that are no ids and a background that there is
    not.

    >>> import lsd, numpy
    >>> truth = numpy.array([[1, 1, 1, 1, 2, 2, 2, 2]])
    >>> split = numpy.array([[5, 5, 5, 6, 7, 7, 7, 7]])
    >>> site, = lsd.error_sites(split, truth, voxel_size=4)
    >>> site.kind, site.segments, site.truth, site.voxels, site.place
    ('split', (6, 5), (1,), (1, 3), (2.0, 14.0))
    """
    segments, objects = ids(segmentation, "segmentation", dims=(2, 3)), ids(truth, "truth")
    table = Contingency.of(segments, objects, mask=mask)
    ignored = ignored_labels(ignore)
    known = set_voxels(mask, segments.shape, of="the segmentation")
    voxels = Voxels(
        segments.astype(np.uint64),
        objects.astype(np.uint64),
        counted(segments, objects, known=known, ignore=ignored, background=background),
        tuple(slice(0, n) for n in segments.shape),
        (0,) * segments.ndim,
    )
    sizes = per_axis(voxel_size, "voxel_size", dims=segments.ndim, of="these arrays")
    parts = worst_parts(table, count=count, ignore=ignored, background=background)
    return placed(
        parts,
        table,
        lambda: touching(voxels, parts),
        lambda aims: nearest(voxels, parts, aims, voxel_size=sizes),
        voxel_size=sizes,
        offset=(0.0,) * segments.ndim,
        scored=scored_rows(table, ignore=ignored, background=background),
    )


def counted(
    segments: NDArray[Any],
    objects: NDArray[Any],
    *,
    known: NDArray[np.bool_] | None,
    ignore: Collection[int],
    background: Background,
) -> NDArray[np.bool_]:
    """Voxels that are scored."""
    used = ~np.isin(objects, np.array(sorted(ignore), np.uint64))
    if known is not None:
        used &= known
    return np.asarray(used & (segments > 0) if background == "ignore" else used)


def placed(
    parts: Sequence[Part],
    table: Contingency,
    touching_parts: Callable[[], Rows],
    nearest_voxels: Callable[[Sequence[Aim]], Rows],
    *,
    voxel_size: Sequence[float],
    offset: Sequence[float],
    scored: NDArray[np.bool_],
) -> list[Site]:
    """The sites of `parts`, worst first.

    touching_parts, nearest_voxels: look at the volume; rows of TOUCH and of NEAREST of the parts in
            all of it
    offset: nm, of voxel 0 of the world;  scored: rows of the table that count
    """
    if not parts:
        return []
    sizes = _sizes(parts, table, scored)
    touch = touching_parts()
    aims = [_aim_at(place, part, touch, sizes) for place, part in enumerate(parts)]
    rows = nearest_voxels(aims)
    assert np.array_equal(rows["target"], np.arange(len(parts))), "each part has a voxel"
    found = [
        _site(part, aim, sizes, centre(_voxel(row, len(voxel_size)), voxel_size, offset))
        for part, aim, row in zip(parts, aims, rows, strict=True)
    ]
    return sorted(found, key=lambda site: (-site.bits, site.kind, site.truth, site.segments))


def _sizes(parts: Sequence[Part], table: Contingency, scored: NDArray[np.bool_]) -> Sizes:
    """Voxels of all parts of the wholes of some parts."""
    sizes: Sizes = {(part.kind, part.whole): {} for part in parts}
    for kind in {part.kind for part in parts}:
        columns_of = (table.objects, table.segments)
        wholes, others = columns_of if kind == "split" else columns_of[::-1]
        named = np.array([part.whole for part in parts if part.kind == kind], np.uint64)
        rows = np.flatnonzero(scored & np.isin(wholes, named))
        for whole, other, voxels in zip(
            wholes[rows].tolist(), others[rows].tolist(), table.voxels[rows].tolist(), strict=True
        ):
            sizes[kind, whole][other] = voxels
    return sizes


def _aim_at(place: int, part: Part, touch: Rows, sizes: Sizes) -> Aim:
    """What is looked for of a part: its faces on the part that it touches most."""
    begin, end = np.searchsorted(touch["target"], [place, place + 1])
    own = touch[begin:end]
    faces = own[~own["own"]]
    if not len(faces):
        return _aim(None, own[own["own"]][0])
    of_whole = sizes[part.kind, part.whole]
    rank = (-part.voxels, part.part)
    larger = np.array([(-of_whole[o], o) < rank for o in faces["other"].tolist()], np.bool_)
    among = faces[larger] if larger.any() else faces
    # of equal ones the first, that of the smallest id
    most = among[int(among["count"].argmax())]
    return _aim(int(most["other"]), most)


def _aim(other: int | None, row: Any) -> Aim:
    total, first, last = (
        tuple(row[f"{what}_{axis}"].item() for axis in AXES) for what in ("sum", "first", "last")
    )
    return Aim(other, row["count"].item(), total, first, last)


def _site(part: Part, aim: Aim, sizes: Sizes, place: tuple[float, ...]) -> Site:
    of_whole = {o: n for o, n in sizes[part.kind, part.whole].items() if o != part.part}
    other = aim.other
    if other is None and of_whole:
        other = min(of_whole, key=lambda one: (-of_whole[one], one))
    pair = (part.part,) if other is None else (part.part, other)
    both = (pair, (part.whole,))
    segments, truth = both if part.kind == "split" else both[::-1]
    voxels = (part.voxels, 0 if other is None else of_whole[other])
    contact = 0 if aim.other is None else aim.places
    return Site(part.kind, segments, truth, voxels, part.bits, contact, place)


def _voxel(row: Any, dims: int) -> list[int]:
    return [row[axis].item() for axis in AXES[-dims:]]
