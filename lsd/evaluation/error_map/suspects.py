"""Places where a segment disagrees most with what a network predicted: of a block, and of a volume.

Disagreement is added up over boxes of a grid that is counted from the origin of the world, for each
segment by itself.  A segment is suspected where its sum is higher than in all 26 (2D: 8) boxes
around.  Sums are of whole numbers, so a volume has the same suspects however it is divided.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.groups import group_begins
from lsd.arrays.pairs import sum_pairs
from lsd.segmentation.disagreement import STEPS
from lsd.system.atomic import replacing
from lsd.volumes.units import centre

AXES = "zyx"
# rows: a box in which a segment is suspected: its disagreement there, in steps, its voxels there,
# and the voxel that disagrees most, in voxels of the world (z: 0 in planes)
SUSPECT = np.dtype(
    [("segment", "<u8"), ("sum", "<i8"), ("voxels", "<i8"), *((axis, "<i8") for axis in AXES)]
)
COLUMNS = ("segment", "disagreement", "voxels", "z_nm", "y_nm", "x_nm")


@dataclass(frozen=True)
class Suspect:
    """A place where a segmentation may be wrong.

    disagreement: mean over the voxels of the segment in the box, 0..1
    voxels:       how many these are; what is listed first has most disagreement in all
    place:        nm, z y x (2D: y x), the centre of that of them which disagrees most
    """

    segment: int
    disagreement: float
    voxels: int
    place: tuple[float, ...]


class Boxes(NamedTuple):
    """Sums over boxes, a row for each segment in each box that it has voxels in, by segment and
    box.

    box: number of each within `shape`, the boxes along each axis; first: the box of number 0
    """

    segment: NDArray[np.uint64]
    box: NDArray[np.int64]
    sum: NDArray[np.int64]
    shape: tuple[int, ...]
    first: NDArray[np.int64]


def box_sides(cell: float, voxel_size: Sequence[float]) -> tuple[int, ...]:
    """Voxels along each side of a box of about `cell` nm."""
    return tuple(max(1, round(cell / size)) for size in voxel_size)


def suspects(
    steps: NDArray[np.uint8],
    segments: NDArray[np.uint64],
    *,
    sides: Sequence[int],
    begin: Sequence[int],
    own: Sequence[slice],
    count: int,
) -> NDArray[np.void]:
    """Up to `count` rows of SUSPECT of a block, worst first.

    steps, segments: disagreement and segments of the block and at least two boxes around it, or
           all there is, (z, y, x) or (y, x)
    sides: voxels of a box;  begin: the first voxel of the arrays, in voxels of the world
    own:   where the block lies in the arrays; a box is that block's which holds its first voxel
    """
    boxes = _summed(steps, segments, sides, begin)
    peaks = np.flatnonzero(_is_peak(boxes))
    rows = np.zeros(len(peaks), SUSPECT)
    kept = np.zeros(len(peaks), np.bool_)
    for place, peak in enumerate(peaks):
        inside = _inside(boxes, int(peak), sides, begin, segments.shape)
        kept[place] = all(
            part.start <= at.start < part.stop for at, part in zip(inside, own, strict=True)
        )
        if kept[place]:
            rows[place] = _row(boxes, int(peak), steps, segments, inside, begin)
    return worst(rows[kept], count)


def worst(rows: NDArray[np.void], count: int) -> NDArray[np.void]:
    """The first `count` of all rows, most disagreement first; of equal ones by place."""
    order = np.lexsort((rows["segment"], rows["x"], rows["y"], rows["z"], -rows["sum"]))
    return rows[order[:count]]


def suspect_of(row: Any, voxel_size: Sequence[float], offset: Sequence[float]) -> Suspect:
    """As a value; offset: nm, of voxel 0 of the world."""
    voxel = [row[axis].item() for axis in AXES[-len(voxel_size) :]]
    place = centre(voxel, voxel_size, offset)
    voxels = row["voxels"].item()
    return Suspect(row["segment"].item(), row["sum"].item() / STEPS / voxels, voxels, place)


def write_suspects(listed: Iterable[Suspect], path: Path) -> None:
    """Writes a table with COLUMNS, a row each; of planes z_nm is empty."""
    with replacing(path) as staged, staged.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_table_row(suspect) for suspect in listed)


def read_suspects(path: str | Path) -> list[Suspect]:
    """The suspects of a table that was written so.  Raises ValueError where it cannot be read."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            return [_of_table_row(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"suspects of {path} cannot be read ({error}); make them anew") from error


def _table_row(suspect: Suspect) -> dict[str, Any]:
    places = zip(COLUMNS[-len(suspect.place) :], suspect.place, strict=True)
    about = (suspect.segment, suspect.disagreement, suspect.voxels)
    return dict(zip(COLUMNS, about, strict=False)) | dict(places)


def _of_table_row(row: Mapping[str, str]) -> Suspect:
    place = tuple(float(row[name]) for name in COLUMNS[3:] if row[name])
    return Suspect(int(row["segment"]), float(row["disagreement"]), int(row["voxels"]), place)


def _summed(
    steps: NDArray[np.uint8],
    segments: NDArray[np.uint64],
    sides: Sequence[int],
    begin: Sequence[int],
) -> Boxes:
    """Sums over runs of voxels along x first, which are a tenth as many."""
    along = [
        (np.arange(n) + first) // side
        for n, first, side in zip(segments.shape, begin, sides, strict=True)
    ]
    first = np.array([axis[0] for axis in along], np.int64)
    # a box more on each side, so that the one beside a box has a number of its own
    shape = tuple(int(axis[-1] - axis[0]) + 3 for axis in along)
    numbers = np.ravel_multi_index(
        np.meshgrid(*[axis - axis[0] + 1 for axis in along], indexing="ij", sparse=True), shape
    )
    box, segment = np.broadcast_to(numbers, segments.shape).reshape(-1), segments.reshape(-1)
    runs = group_begins(box, segment)
    sums = np.add.reduceat(steps.reshape(-1), runs, dtype=np.int64)
    counts = (sums > 0) & (segment[runs] > 0)
    pairs = sum_pairs(segment[runs][counts], box[runs][counts].astype(np.uint64), sums[counts])
    return Boxes(pairs.first, pairs.second.astype(np.int64), pairs.counts, shape, first)


def _is_peak(boxes: Boxes) -> NDArray[np.bool_]:
    """Rows whose sum is above that of the same segment in all boxes around; of equal ones the
    first box is."""
    _, segment = np.unique(boxes.segment, return_inverse=True)
    total = int(np.prod(boxes.shape))
    keys = segment.astype(np.int64) * total + boxes.box
    strides = np.cumprod((1, *boxes.shape[:0:-1]))[::-1]
    is_peak = np.ones(len(keys), np.bool_)
    for step in itertools.product((-1, 0, 1), repeat=len(boxes.shape)):
        beside = int(np.dot(step, strides))
        if not beside or not len(keys):
            continue
        place = np.minimum(np.searchsorted(keys, keys + beside), len(keys) - 1)
        theirs = np.where(keys[place] == keys + beside, boxes.sum[place], -1)
        is_peak &= boxes.sum >= theirs if beside > 0 else boxes.sum > theirs
    return is_peak


def _inside(
    boxes: Boxes, row: int, sides: Sequence[int], begin: Sequence[int], shape: Sequence[int]
) -> tuple[slice, ...]:
    """Where the box of a row lies in the arrays."""
    numbers = np.array(np.unravel_index(boxes.box[row], boxes.shape)) - 1 + boxes.first
    corners = [
        int(number) * side - first
        for number, side, first in zip(numbers, sides, begin, strict=True)
    ]
    return tuple(
        slice(max(0, corner), min(corner + side, extent))
        for corner, side, extent in zip(corners, sides, shape, strict=True)
    )


def _row(
    boxes: Boxes,
    row: int,
    steps: NDArray[np.uint8],
    segments: NDArray[np.uint64],
    inside: tuple[slice, ...],
    begin: Sequence[int],
) -> tuple[int, ...]:
    is_own = segments[inside] == boxes.segment[row]
    most = np.where(is_own, steps[inside].astype(np.int64), -1)
    at = np.unravel_index(int(most.argmax()), most.shape)
    place = [int(n) + part.start + first for n, part, first in zip(at, inside, begin, strict=True)]
    flat = [0] * (3 - len(place))
    return (int(boxes.segment[row]), int(boxes.sum[row]), int(is_own.sum()), *flat, *place)
