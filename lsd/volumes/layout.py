"""Where the voxels of an array lie: its axes on disk against the order used here, voxel size and offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.volumes.metadata import SPACE, Statement, axis_names
from lsd.volumes.units import agree, voxels


@dataclass(frozen=True)
class Layout:
    """Axes of an array on disk, and its place in the world.

    disk:       names of the axes on disk, in their order; "" for one of extent 1 that is dropped
    extent:     shape on disk
    voxel_size: nm, and offset: voxels; in the order z, y, x
    """

    disk: tuple[str, ...]
    extent: tuple[int, ...]
    voxel_size: tuple[float, ...]
    offset: Coordinate

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Axes as they are read: ("c",) "z", "y", "x"."""
        return tuple(axis for axis in ("c", *SPACE) if axis in self.disk)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Shape in the order of `axes`."""
        return tuple(self.extent[self.disk.index(axis)] for axis in self.axes)

    @cached_property
    def roi(self) -> Roi:
        """The voxels of the world that the array covers."""
        return Roi(self.offset, self.shape[len(self.axes) - len(self.voxel_size) :])

    def slices(self, roi: Roi) -> tuple[slice | int, ...]:
        """What to ask of the array on disk for `roi`, which lies within."""
        begin = dict(zip(self.axes[-roi.dims :], roi.begin - self.offset, strict=True))
        size = dict(zip(self.axes[-roi.dims :], roi.shape, strict=True))
        return tuple(
            0 if not axis else slice(None) if axis == "c" else slice(begin[axis], begin[axis] + size[axis])
            for axis in self.disk
        )

    def ordered(self, data: NDArray[np.generic]) -> NDArray[np.generic]:
        """`data` as read by `slices`, with its axes in the order of `axes`; contiguous, in the byte order of this machine."""
        kept = [axis for axis in self.disk if axis]
        data = data.transpose([kept.index(axis) for axis in self.axes])
        return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))

    def without_channel(self) -> Layout:
        """The same for an array whose only channel is dropped."""
        assert "c" not in self.axes or self.shape[0] == 1, self
        return replace(self, disk=tuple("" if axis == "c" else axis for axis in self.disk))


def resolve(
    stated: Statement,
    extent: Sequence[int],
    *,
    voxel_size: Sequence[float] | None = None,
    offset: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
) -> Layout:
    """The layout of an array of shape `extent` from what the file states and what the config gives.

    voxel_size, offset: nm, z y x.  The offset is used where the file has none (default 0); the others must agree with the file.
    axes: names in the order on disk; a "c" in it is skipped for an array with one axis less.
    Raises ValueError where there is no voxel size, where file and config disagree, where axes are not known, where the offset
    is no whole number of voxels.
    """
    disk = _dropped(_disk_axes(stated, extent, axes), extent)
    size = _voxel_size(_sorted(stated.voxel_size, disk, "voxel size"), voxel_size, disk)
    place = _sorted(stated.offset, disk, "offset") or _checked(offset, disk, "offset") or (0.0,) * len(size)
    return Layout(disk, tuple(int(n) for n in extent), size, voxels(place, size))


def _disk_axes(stated: Statement, extent: Sequence[int], axes: Sequence[str] | None) -> tuple[str, ...]:
    if stated.axes:
        _refuse_other_order(stated.axes, axes or stated.axes)
        return stated.axes
    named = [axis for axis in axes or () if axis != "c" or len(axes or ()) == len(extent)]
    return (axis_names(named, len(extent)) if named else None) or _usual_axes(tuple(extent))


def _refuse_other_order(stated: Sequence[str], given: Sequence[str]) -> None:
    both = {*stated} & {*given}
    if {*given} - {"c"} - both or [axis for axis in stated if axis in both] != [axis for axis in given if axis in both]:
        stack = "z" in {*given} - {*stated}
        hint = " (programs may save a stack of sections as channels or times: save it with z)" if stack else ""
        raise ValueError(
            f"its axes are {' '.join(stated)} by its file and {' '.join(given)} by the config; correct the wrong one{hint}"
        )


def _usual_axes(extent: tuple[int, ...]) -> tuple[str, ...]:
    if len(extent) in (2, 3):
        return SPACE[-len(extent) :]
    if len(extent) == 4 and 1 in (extent[0], extent[-1]):
        return ("c", *SPACE) if extent[0] == 1 else (*SPACE, "c")
    raise ValueError(
        f"nothing says what the axes of its shape {extent} are; name them in the config, as in axes='czyx' or 'zyxc'"
    )


def _dropped(disk: tuple[str, ...], extent: Sequence[int]) -> tuple[str, ...]:
    """Without the axis of time, which must have one point only."""
    if "t" in disk and extent[disk.index("t")] != 1:
        raise ValueError(f"its axes {' '.join(disk)} have {extent[disk.index('t')]} points in time; a volume has one")
    space = [axis for axis in SPACE if axis in disk]
    if space not in (["z", "y", "x"], ["y", "x"]):
        raise ValueError(f"its axes are {' '.join(disk)}; a volume has z y x or y x, and c for channels")
    return tuple("" if axis == "t" else axis for axis in disk)


def _dims(disk: Sequence[str]) -> int:
    return sum(axis in SPACE for axis in disk)


def _sorted(values: Sequence[float] | None, disk: Sequence[str], what: str) -> tuple[float, ...] | None:
    """Values given in the order on disk, in the order z, y, x."""
    if values is None:
        return None
    if len(values) == len(disk) > _dims(disk):
        values = [value for value, axis in zip(values, disk, strict=True) if axis in SPACE]
    _checked(values, disk, what)
    by_axis = dict(zip([axis for axis in disk if axis in SPACE], values, strict=True))
    return tuple(float(by_axis[axis]) for axis in SPACE if axis in by_axis)


def _checked(values: Sequence[float] | None, disk: Sequence[str], what: str) -> tuple[float, ...] | None:
    if values is not None and len(values) != _dims(disk):
        axes = " ".join(axis for axis in disk if axis)
        raise ValueError(
            f"its {what} is {tuple(values)}, its axes are {axes}, of which {_dims(disk)} are of space; give one number for "
            "each of these, or correct the axes in the file"
        )
    return None if values is None else tuple(float(value) for value in values)


def _voxel_size(stated: tuple[float, ...] | None, given: Sequence[float] | None, disk: Sequence[str]) -> tuple[float, ...]:
    given, dims = _checked(given, disk, "voxel size"), _dims(disk)
    if stated is None and given is None:
        form = "(z, y, x)" if dims == 3 else "(y, x)"
        raise ValueError(
            f"its file states no voxel size, and none is assumed; look it up and set voxel_size={form} in nm, of the volume or "
            f"the dataset (of the form {(40.0, 4.0, 4.0)[-dims:]}, which is an example and no advice)"
        )
    if stated and given and not agree(stated, given):
        raise ValueError(
            f"its voxel size is {stated} nm by its file and {given} nm by the config (z y x); correct the wrong one"
        )
    # the file's number is kept: it may have digits more than the config
    size = stated or given
    assert size is not None
    return size
