"""What plain attributes of an array, and of the groups around it, say of it.

resolution, voxel_size, offset, axis_names, units    one entry an axis of space in the order on
                                                     disk, channels skipped; nm where there is no
                                                     unit
transform        COSEM: {"axes", "scale", "translate", "units"}, by the names of axes
pixelResolution  N5 viewer: {"dimensions": [x, y, z], "unit"}, whatever the order on disk
element_size_um  ilastik and PlantSeg: micrometres
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lsd.volumes.metadata import SPACE, UNCALIBRATED, Lengths, Statement, axis_names, by_axis, tried
from lsd.volumes.metadata_values import as_tuple, mapping, numbers, plain, shown, texts
from lsd.volumes.units import agree, is_known, nanometres

SIZES = ("resolution", "voxel_size", "transform", "pixelResolution", "element_size_um")
KEYS = (*SIZES, "offset", "axis_names", "_ARRAY_DIMENSIONS", "units")
# how programs say that a file was never calibrated
NO_LENGTH = {
    "pixel",
    "pixels",
    "px",
    "voxel",
    "voxels",
    "vx",
    "inch",
    "inches",
    "in",
    "none",
    "arbitrary",
    "unknown",
    "reference frame",
    "",
}
_COARSE = re.compile(r"(s|scale)?[1-9][0-9]*")


def from_attributes(attributes: Mapping[str, Any], dims: int) -> Statement:
    """What plain attributes say of an array with `dims` axes."""
    wrong: dict[str, str] = {}
    axes = tried(lambda: axis_names(_names(attributes, dims), dims), wrong, "axes")
    if attributes.get(UNCALIBRATED) is True:
        offset = tried(lambda: _offset(attributes, axes, "nm"), wrong, "offset")
        return Statement(axes, None, offset, wrong, calibrated=False)
    unit = tried(lambda: _unit(attributes.get("units"), "its units"), wrong, "voxel_size")
    if unit is None:
        return Statement(axes, wrong={**wrong, "offset": wrong["voxel_size"]})
    if unit.strip().lower() in NO_LENGTH:
        return Statement(
            axes, wrong=wrong, unused=f"its unit is {unit!r}" if _stated(attributes) else ""
        )
    size = tried(lambda: _size(attributes, axes, unit), wrong, "voxel_size")
    offset = tried(lambda: _offset(attributes, axes, unit), wrong, "offset")
    return Statement(axes, size, offset, wrong)


def completed(
    own: Statement, groups: Sequence[Mapping[str, Any]], name: str, dims: int
) -> Statement:
    """`own`, and where an array states no voxel size what the groups around it do, the nearest
    first."""
    if own.voxel_size is not None or "voxel_size" in own.wrong or not own.calibrated:
        return own
    attributes = next(
        (attributes for attributes in groups if any(key in attributes for key in SIZES)), None
    )
    if attributes is None:
        return own
    if _COARSE.fullmatch(name.rpartition("/")[2]):
        reason = f"what its group says is of the finest level, and {name!r} may be a coarser one"
        return replace(own, unused=own.unused or reason)
    names = {"axis_names": list(own.axes)} if own.axes else {}
    of_group = from_attributes({**attributes, **names}, dims)
    offset = own.offset if own.offset is not None else of_group.offset
    return Statement(
        own.axes or of_group.axes,
        of_group.voxel_size,
        offset,
        {**of_group.wrong, **own.wrong},
        own.unused or of_group.unused,
    )


def _stated(attributes: Mapping[str, Any]) -> bool:
    return any(key in attributes for key in SIZES)


def _names(attributes: Mapping[str, Any], dims: int) -> list[str] | None:
    for key in ("axis_names", "_ARRAY_DIMENSIONS"):
        if key in attributes:
            value = attributes[key]
            return list(value) if isinstance(value, str) else texts(value, f"its {key}")
    transform = attributes.get("transform")
    if not isinstance(transform, Mapping) or "axes" not in transform:
        return None
    axes = texts(transform["axes"], "its transform.axes")
    return (
        (axes if transform.get("order", "C") != "F" else axes[::-1]) if len(axes) == dims else None
    )


def _unit(units: Any, title: str) -> str:
    """The one unit of all axes; channels may have an empty one."""
    named_units = {unit for unit in texts(units, title) if unit} if units is not None else set()
    if len(named_units) > 1:
        raise ValueError(
            f"its axes have different units, {sorted(named_units)}; write them all in nm"
        )
    return named_units.pop() if named_units else "nm"


def _size(attributes: Mapping[str, Any], axes: Sequence[str] | None, unit: str) -> Lengths | None:
    """The voxel size, by whatever attribute.  ValueError if two of them differ."""
    sizes: dict[str, Lengths] = {}
    for key in SIZES:
        size = _one_size(key, attributes[key], axes, unit) if key in attributes else None
        if size is not None:
            sizes[key] = size
    for key, size in list(sizes.items())[1:]:
        first = next(iter(sizes))
        one, other = _in_order(sizes[first]), _in_order(size)
        if not agree(one, other):
            shown_one, shown_other = (
                _as_written(attributes, key, values) for key, values in ((first, one), (key, other))
            )
            raise ValueError(
                f"{first} is {shown_one} but {key} is {shown_other}; remove the wrong one"
            )
    return next(iter(sizes.values()), None)


def _one_size(key: str, value: Any, axes: Sequence[str] | None, unit: str) -> Lengths | None:
    if key == "transform":
        return _transformed(value, "scale", positive=True)
    if key == "pixelResolution":
        unit = (
            _unit(value.get("unit"), "its pixelResolution.unit")
            if isinstance(value, Mapping)
            else unit
        )
        value = value.get("dimensions") if isinstance(value, Mapping) else value
        if unit.strip().lower() in NO_LENGTH:
            return None
        size = nanometres(numbers(value, "its pixelResolution", positive=True), unit)
        if len(size) not in (2, 3):
            raise ValueError(
                f"its pixelResolution is {shown(value)}; it must be a number for each of x, y, z"
            )
        return {axis: size[2 - i] for i, axis in enumerate(SPACE) if 2 - i < len(size)}
    size = nanometres(
        numbers(value, f"its {key}", positive=True), "um" if key == "element_size_um" else unit
    )
    return by_axis(size, axes, "voxel size") if axes else size


def _offset(attributes: Mapping[str, Any], axes: Sequence[str] | None, unit: str) -> Lengths | None:
    if "offset" in attributes:
        offset = nanometres(numbers(attributes["offset"], "its offset"), unit)
        return by_axis(offset, axes, "offset") if axes else offset
    return _transformed(attributes["transform"], "translate") if "transform" in attributes else None


def _transformed(value: Any, title: str, *, positive: bool = False) -> dict[str, float] | None:
    """The entries of a COSEM transform by the names of their axes, nm."""
    transform = mapping(value, "its transform")
    if title not in transform:
        return None
    axes = axis_names(
        texts(transform.get("axes"), "its transform.axes"), len(as_tuple(transform.get("axes")))
    )
    values = as_tuple(transform[title])
    units = (
        texts(transform["units"], "its transform.units")
        if "units" in transform
        else ["nm"] * len(values)
    )
    if axes is None or not len(axes) == len(values) == len(units):
        raise ValueError(
            f"its transform is {shown(dict(transform))}; axes, scale, translate and units must be "
            f"equally many"
        )
    space = [
        (axis, entry, unit)
        for axis, entry, unit in zip(axes, values, units, strict=True)
        if axis in SPACE
    ]
    if any(not is_known(unit) for *_, unit in space):
        return None
    lengths = numbers([entry for _, entry, _ in space], f"its transform.{title}", positive=positive)
    return {
        axis: nanometres([nm], unit)[0] for (axis, _, unit), nm in zip(space, lengths, strict=True)
    }


def _in_order(size: Lengths) -> tuple[float, ...]:
    return (
        tuple(size[axis] for axis in SPACE if axis in size) if isinstance(size, Mapping) else size
    )


def _as_written(attributes: Mapping[str, Any], key: str, values: Sequence[float]) -> Any:
    return (
        tuple(plain(as_tuple(attributes[key])))
        if key in ("resolution", "voxel_size")
        else f"{tuple(values)} nm"
    )
