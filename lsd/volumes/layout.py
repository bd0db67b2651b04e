"""Where the voxels of an array lie: its axes on disk against the order used here, voxel size and
offset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.volumes.axes import disk_axes
from lsd.volumes.metadata import SPACE, Statement, by_axis
from lsd.volumes.units import (
    WHOLE,
    Remainder,
    agree,
    exact,
    left_over,
    voxels_between,
    whole_voxels,
)


@dataclass(frozen=True)
class StatedByFile:
    """What the file itself says, whatever the config says: axes on disk; voxel size and offset in
    nm, z y x; None: nothing."""

    axes: tuple[str, ...] | None = None
    voxel_size: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Layout:
    """Axes of an array on disk, and its place in the world.

    disk:       names of the axes on disk, in their order; "" for one of extent 1 that is dropped
    extent:     shape on disk
    voxel_size: nm, and offset: voxels; in the order z, y, x
    remainder:  nm, exact: how far voxel 0 of the world lies from where nm are 0, less than a voxel
    stated:     what its file says of it
    calibrated: whether the size of a voxel is known
    """

    disk: tuple[str, ...]
    extent: tuple[int, ...]
    voxel_size: tuple[float, ...]
    offset: Coordinate
    remainder: Remainder
    # what a file says beside what it is read as is no part of what the array is
    stated: StatedByFile = field(default=StatedByFile(), compare=False)
    # False: voxel_size is 1, since nobody knows it; offsets are voxels
    calibrated: bool = field(default=True, compare=False)

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
            0
            if not axis
            else slice(None)
            if axis == "c"
            else slice(begin[axis], begin[axis] + size[axis])
            for axis in self.disk
        )

    def ordered(self, data: NDArray[np.generic]) -> NDArray[np.generic]:
        """`data` as read by `slices`, with its axes in the order of `axes`; contiguous, in the byte
        order of this machine."""
        kept = [axis for axis in self.disk if axis]
        data = data.transpose([kept.index(axis) for axis in self.axes])
        return np.ascontiguousarray(data, dtype=data.dtype.newbyteorder("="))

    def without_channel(self) -> Layout:
        """The same for an array whose only channel is dropped."""
        assert "c" not in self.axes or self.shape[0] == 1, self
        return replace(self, disk=tuple("" if axis == "c" else axis for axis in self.disk))

    def on_disk(self, values: Sequence[int], *, channel: int) -> tuple[int, ...]:
        """Values of the axes z, y, x in the order of the axes on disk; channel: of any other."""
        space = [axis for axis in SPACE if axis in self.disk]
        of_axis = dict(zip(space, map(int, values), strict=True))
        return tuple(of_axis.get(axis, channel) for axis in self.disk)

    def coarser(self, scale: Sequence[int]) -> Layout:
        """That of an array whose voxels are `scale` (z, y, x) of these, joined from the origin of
        the world on, with all that it covers, be it in part."""
        begin = [b // f for b, f in zip(self.roi.begin, scale, strict=True)]
        end = [-(-e // f) for e, f in zip(self.roi.end, scale, strict=True)]
        shape = [e - b for b, e in zip(begin, end, strict=True)]
        extent = self.on_disk(shape, channel=0)
        return replace(
            self,
            extent=tuple(new or old for new, old in zip(extent, self.extent, strict=True)),
            voxel_size=tuple(
                float(exact(nm) * f) for nm, f in zip(self.voxel_size, scale, strict=True)
            ),
            offset=Coordinate(begin),
        )

    def on_grid(self, remainder: Remainder) -> Layout:
        """The same with its voxels counted on the grid with `remainder`.  ValueError if it does not
        lie on that."""
        if remainder == self.remainder:
            return self
        if len(remainder) != len(self.remainder):
            raise ValueError(f"it has {len(self.remainder)} axes of space, not {len(remainder)}")
        moved = voxels_between(self.remainder, remainder, self.voxel_size)
        if moved is None:
            apart = [
                float((a - b) / exact(size))
                for a, b, size in zip(self.remainder, remainder, self.voxel_size, strict=True)
            ]
            raise ValueError(
                f"it is shifted by ({', '.join(f'{n:.3g}' for n in apart)}) voxels, which are no "
                f"whole numbers; correct the "
                "offset of one in its file, or say it in the config (offset=, nm, z y x)"
            )
        return replace(self, offset=self.offset + moved, remainder=remainder)


def resolve_layout(
    stated: Statement,
    extent: Sequence[int],
    *,
    voxel_size: Sequence[float] | None = None,
    offset: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Layout:
    """The layout of an array of shape `extent` from what the file states and what the config gives.

    voxel_size, offset: nm, z y x; used before what the file says
    axes: names in the order on disk; a "c" in it is skipped for an array with one axis less
    say:  told, in words, where the file says something else than the config
    Raises ValueError where there is no voxel size, where what the file says is wrong and the config
    says nothing of it, or where axes are not known.
    """
    if min(extent, default=1) < 1:
        raise ValueError(
            f"its shape is {tuple(extent)}: it holds no voxel; write it again, or name another "
            f"array"
        )
    by_config = {"axes": axes, "voxel_size": voxel_size, "offset": offset}
    for field_name, words in stated.wrong.items():
        if by_config[field_name] is None:
            raise ValueError(words)
        say(f"{words}; {field_name} {_shown(by_config[field_name])} of the config is used")
    disk = disk_axes(stated, extent, axes, say)
    file = {
        field_name: _of_file(stated, field_name, disk) for field_name in ("voxel_size", "offset")
    }
    size = _voxel_size(
        stated, file["voxel_size"], _checked(voxel_size, disk, "voxel size"), disk, say
    )
    place = _offset(stated, file["offset"], _checked(offset, disk, "offset"), size, say)
    voxel_offset = whole_voxels(place, size)
    shape = tuple(int(n) for n in extent)
    stated_by_file = StatedByFile(
        stated.axes, *(_complete(file[field_name], disk) for field_name in ("voxel_size", "offset"))
    )
    return Layout(
        _dropped(disk, extent),
        shape,
        size,
        voxel_offset,
        left_over(place, voxel_offset, size),
        stated_by_file,
        calibrated=stated.calibrated or voxel_size is not None,
    )


def _shown(value: Sequence[Any] | None) -> str:
    return repr(value if isinstance(value, str) else tuple(value or ()))


def _dropped(disk: tuple[str, ...], extent: Sequence[int]) -> tuple[str, ...]:
    """Without the axis of time, which has one point only."""
    return tuple("" if axis == "t" else axis for axis in disk)


def _space(disk: Sequence[str]) -> list[str]:
    return [axis for axis in SPACE if axis in disk]


def _of_file(stated: Statement, field_name: str, disk: tuple[str, ...]) -> dict[str, float]:
    """What the file says of the axes of space, by name; of those that the config moves nothing, if
    it would change."""
    values = by_axis(getattr(stated, field_name), disk, field_name.replace("_", " ")) or {}
    values = {axis: values[axis] for axis in _space(disk) if axis in values}
    by_place = dict(zip(disk, stated.axes or disk, strict=False))
    moved = any(by_place[axis] in SPACE and by_place[axis] != axis for axis in values)
    same = all(values.get(by_place[axis], value) == value for axis, value in values.items())
    return {} if moved and not same else values


def _complete(values: Mapping[str, float], disk: Sequence[str]) -> tuple[float, ...] | None:
    """In the order z, y, x; None unless all are there."""
    return (
        tuple(float(values[axis]) for axis in _space(disk))
        if values and set(values) == set(_space(disk))
        else None
    )


def _checked(
    values: Sequence[float] | None, disk: Sequence[str], title: str
) -> tuple[float, ...] | None:
    """What the config gives, in the order z, y, x already."""
    return (
        None
        if values is None
        else tuple(float(nm) for nm in (by_axis(tuple(values), _space(disk), title) or {}).values())
    )


def _voxel_size(
    stated: Statement,
    file: Mapping[str, float],
    by_config: tuple[float, ...] | None,
    disk: Sequence[str],
    say: Callable[[str], None],
) -> tuple[float, ...]:
    all_axes = _complete(file, disk)
    if by_config is None:
        if not stated.calibrated:
            return (1.0,) * len(_space(disk))
        if all_axes is None:
            raise _no_voxel_size(stated, file, len(_space(disk)))
        return all_axes
    by_file = [file.get(axis, nm) for axis, nm in zip(_space(disk), by_config, strict=True)]
    if not agree(by_file, by_config):
        file_size = all_axes or " ".join(f"{axis} {nm}" for axis, nm in file.items())
        say(
            f"its voxel size is {file_size} nm by its file and {by_config} nm by the config "
            f"(z y x), which is used"
        )
        return by_config
    # the file's number is kept: it may have digits more than the config
    return all_axes or by_config


def _no_voxel_size(stated: Statement, file: Mapping[str, float], dims: int) -> ValueError:
    form = "(z, y, x)" if dims == 3 else "(y, x)"
    part = (
        f"of {', '.join(f'{axis} {nm:g} nm' for axis, nm in file.items())} only"
        if file
        else stated.unused
    )
    if stated.voxel_size is not None and not file:
        part = "it names other axes than the config"
    return ValueError(
        f"its file states no voxel size{f' that can be used ({part})' if part else ''}, and none "
        f"is assumed; look it up and "
        f"set voxel_size={form} in nm, of the volume or the dataset (of the form "
        f"{(40.0, 4.0, 4.0)[-dims:]}, which is an "
        "example and no advice)"
    )


def _offset(
    stated: Statement,
    file: Mapping[str, float],
    by_config: tuple[float, ...] | None,
    size: Sequence[float],
    say: Callable[[str], None],
) -> tuple[float, ...]:
    by_file = tuple(file.values()) if len(file) == len(size) else None
    if by_file is None and by_config is None and stated.offset:
        raise ValueError(
            "its offset is given for other axes than the config names; give offset= too, nm, z y x"
        )
    if by_config is None or by_file is None:
        return by_config or by_file or (0.0,) * len(size)
    if all(
        abs(exact(a) - exact(b)) <= WHOLE * exact(nm)
        for a, b, nm in zip(by_file, by_config, size, strict=True)
    ):
        return by_file
    say(
        f"its offset is {by_file} nm by its file and {by_config} nm by the config (z y x), which "
        f"is used"
    )
    return by_config
