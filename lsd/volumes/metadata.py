"""What a file says about an array: axes, voxel size and offset; and the metadata that are written.

Plain attributes are read in attributes, others in the formats; each gives a `Statement`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from lsd.volumes.units import agree

SPACE = ("z", "y", "x")
# attribute of arrays whose lengths are counted in voxels
UNCALIBRATED = "uncalibrated"
NAMES = {"channel": "c", "channels": "c", "time": "t", "s": "c", "sample": "c"}
# xarray and netCDF number the axes that nobody named
_NOTHING = re.compile(r"(d|c|dim_|phony_dim_)[0-9]+")
Lengths = Mapping[str, float] | tuple[float, ...]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Statement:
    """What is known of an array on disk; None where nothing is said.

    axes:       names in the order on disk: c, t, z, y, x
    voxel_size: nm, and offset: nm; by the names of axes of space, or in the order on disk where
                nothing names the axes
    wrong:      what is said but cannot be right, by field: an error, unless the config says it
    unused:     what is said too, but is no length, for messages: "its unit is 'pixel'"
    calibrated: False where it is said that nobody knows the size of a voxel; offsets are voxels
                then
    """

    axes: tuple[str, ...] | None = None
    voxel_size: Lengths | None = None
    offset: Lengths | None = None
    wrong: Mapping[str, str] = field(default_factory=dict)
    unused: str = ""
    calibrated: bool = True


def tried(read: Callable[[], Value], wrong: dict[str, str], field_name: str) -> Value | None:
    """What `read` gives; where it raises ValueError None, and the reason noted as `wrong[what]`."""
    try:
        return read()
    except ValueError as error:
        wrong[field_name] = str(error)
        return None


def by_axis(values: Lengths | None, axes: Sequence[str], title: str) -> dict[str, float] | None:
    """Values in the order on disk by the names of their axes.  ValueError for another number than
    there are axes of space."""
    if values is None or isinstance(values, Mapping):
        return None if values is None else dict(values)
    if len(values) == len(axes):
        values = tuple(value for value, axis in zip(values, axes, strict=True) if axis in SPACE)
    space = [axis for axis in axes if axis in SPACE]
    if len(values) != len(space):
        raise ValueError(
            f"its {title} is {tuple(values)}, its axes are "
            f"{' '.join(axis for axis in axes if axis)}, of which {len(space)} are "
            "of space; give one number for each of these, or correct the axes in the file"
        )
    return dict(zip(space, values, strict=True))


def join_statements(plain: Statement, ome: Statement) -> Statement:
    """Both statements in one; where they contradict each other, that is what is wrong, and both are
    printed."""
    wrong = {
        field_name: words
        for field_name, words in ome.wrong.items()
        if getattr(plain, field_name) is None
    } | dict(plain.wrong)
    axes = plain.axes or ome.axes
    if plain.axes and ome.axes and plain.axes != ome.axes:
        wrong["axes"] = _differ("axes", plain.axes, ome.axes)
    both = Statement(
        axes,
        wrong=wrong,
        unused=plain.unused or ome.unused,
        calibrated=plain.calibrated and ome.calibrated,
    )
    for field_name in ("voxel_size", "offset"):
        one, other = getattr(plain, field_name), getattr(ome, field_name)
        if axes:
            one = tried(
                partial(by_axis, one, axes, field_name.replace("_", " ")), wrong, field_name
            )
        if one is not None and other is not None and not _same(one, other):
            wrong[field_name] = _differ(field_name, _values(one), _values(other))
        both = replace(both, **{field_name: other if one is None else one})
    return both


def axis_names(names: Sequence[str] | None, dims: int) -> tuple[str, ...] | None:
    """`names` as c, t, z, y, x; None where they say nothing (d0, dim_0, phony_dim_0, ... as some
    writers fill in).

    ValueError for other names, doubled names or another number than `dims`.
    """
    if names is None:
        return None
    axes = tuple(_canonical(str(name)) for name in names)
    if all(_NOTHING.fullmatch(axis) for axis in axes):
        return None
    if len(axes) != dims or len(set(axes)) < dims or not set(axes) <= {"c", "t", *SPACE}:
        raise ValueError(
            f"its axes are called {list(names)}, it has {dims}; each must be one of c, t, z, y, x, "
            f"none twice"
        )
    return axes


def plain_attributes(
    axes: Sequence[str],
    voxel_size: Sequence[float],
    place: Sequence[float],
    *,
    calibrated: bool = True,
) -> dict[str, Any]:
    """Plain attributes of an array whose last axes are those of space; place: nm, of its first
    voxel.

    calibrated: False where nobody knows the size of a voxel, and lengths are counted in voxels
    `types` is what funlib.persistence looks for, `_ARRAY_DIMENSIONS` and `dimension_units` what
    neuroglancer reads of an array.
    """
    channels = len(axes) - len(voxel_size)
    units = "nm" if calibrated else "voxel"
    unknown = {} if calibrated else {UNCALIBRATED: True}
    return unknown | {
        "axis_names": list(axes),
        "resolution": list(voxel_size),
        "voxel_size": list(voxel_size),
        "offset": list(place),
        "units": [units] * len(voxel_size),
        "types": ["channel"] * channels + ["space"] * len(voxel_size),
        "_ARRAY_DIMENSIONS": list(axes),
        "dimension_units": [""] * channels
        + [f"{size!r} nm" if calibrated else "" for size in voxel_size],
    }


def image_attributes(
    name: str,
    axes: Sequence[str],
    voxel_size: Sequence[float],
    place: Sequence[float],
    *,
    labels: bool,
    calibrated: bool = True,
) -> dict[str, Any]:
    """Attributes of the group of an image (OME-Zarr 0.4) that has level 0 so far; labels: its
    voxels are ids; calibrated: as of `plain_attributes`."""
    channels = len(axes) - len(voxel_size)
    unit = {"unit": "nanometer"} if calibrated else {}
    entry = {
        "version": "0.4",
        "name": name,
        "axes": [{"name": axis, "type": "channel"} for axis in axes[:channels]]
        + [{"name": axis, "type": "space", **unit} for axis in axes[channels:]],
        "datasets": [dataset("0", voxel_size, place, channels=channels)],
    }
    return {"multiscales": [entry], **({"image-label": {"version": "0.4"}} if labels else {})}


def dataset(
    path: str, voxel_size: Sequence[float], place: Sequence[float], *, channels: int
) -> dict[str, Any]:
    """A level in an entry of `multiscales`; place: nm, of the centre of its first voxel, which for
    level 0 is its offset."""
    scale, translation = [1.0] * channels + list(voxel_size), [0.0] * channels + list(place)
    transformations = [
        {"type": "scale", "scale": scale},
        {"type": "translation", "translation": translation},
    ]
    return {"path": path, "coordinateTransformations": transformations}


def _canonical(name: str) -> str:
    name = name.strip().lower().rstrip("^'")
    return NAMES.get(name, name)


def _differ(title: str, one: Any, other: Any) -> str:
    return f"its attributes say {title} {one}, its OME-Zarr metadata {other}; correct the wrong one"


def _values(lengths: Lengths) -> tuple[float, ...]:
    return tuple(lengths.values()) if isinstance(lengths, Mapping) else lengths


def _same(one: Lengths, other: Lengths) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and agree(
            list(one.values()), [other[axis] for axis in one]
        )
    return agree(_values(one), _values(other))
