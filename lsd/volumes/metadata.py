"""What a file says about an array: axes, voxel size and offset, from plain attributes or OME-Zarr 0.4.

Plain attributes are `resolution` or `voxel_size`, `offset`, `axis_names` and `units` (nm where there is none), one entry an
axis of space in the order on disk; entries for channels are left out or skipped.  OME-Zarr scales without a unit are no
statement: converters write 1 there when they know nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lsd.volumes.units import agree, exact, nanometres

SPACE = ("z", "y", "x")
NAMES = {"channel": "c", "channels": "c", "time": "t", "s": "c", "sample": "c"}


@dataclass(frozen=True)
class Statement:
    """What is known of an array on disk; None where nothing is said.

    axes:       names in the order on disk: c, t, z, y, x
    voxel_size: nm, and offset: nm; axes of space only, in the order on disk
    """

    axes: tuple[str, ...] | None = None
    voxel_size: tuple[float, ...] | None = None
    offset: tuple[float, ...] | None = None


def from_attributes(attributes: Mapping[str, Any], dims: int) -> Statement:
    """What plain attributes say of an array with `dims` axes.  ValueError if they contradict each other."""
    axes = axis_names(_listed(attributes, "axis_names", "_ARRAY_DIMENSIONS"), dims)
    spatial = [axis in SPACE for axis in axes] if axes else None
    unit = _unit(attributes.get("units"))
    sizes = {key: _of_space(attributes[key], spatial, key) for key in ("resolution", "voxel_size") if key in attributes}
    if len(sizes) == 2 and not agree(*sizes.values()):
        raise ValueError(f"resolution is {sizes['resolution']} but voxel_size is {sizes['voxel_size']}; remove the wrong one")
    size = next(iter(sizes.values()), None)
    offset = _of_space(attributes["offset"], spatial, "offset") if "offset" in attributes else None
    return Statement(
        axes=axes,
        voxel_size=nanometres(size, unit) if size is not None else None,
        offset=nanometres(offset, unit) if offset is not None else None,
    )


def from_multiscale(multiscale: Mapping[str, Any], dataset: Mapping[str, Any]) -> Statement:
    """What an entry of OME-Zarr `multiscales` (0.4) says of one of its datasets."""
    described = multiscale.get("axes") or []
    if not described or not all(isinstance(axis, Mapping) for axis in described):
        return Statement()
    axes = tuple(_canonical({"channel": "c", "time": "t"}.get(axis.get("type", ""), axis["name"])) for axis in described)
    units = [axis.get("unit") for axis, name in zip(described, axes, strict=True) if name in SPACE]
    scale, translation = _affine(dataset, multiscale, len(axes))
    if not scale or None in units:
        return Statement(axes)
    keep = [i for i, name in enumerate(axes) if name in SPACE]
    return Statement(
        axes=axes,
        voxel_size=tuple(nanometres([scale[i]], str(unit))[0] for i, unit in zip(keep, units, strict=True)),
        offset=tuple(nanometres([translation[i]], str(unit))[0] for i, unit in zip(keep, units, strict=True)),
    )


def joined(plain: Statement, ome: Statement) -> Statement:
    """Both statements in one.  ValueError where they contradict each other; both are printed."""
    for what in ("axes", "voxel_size", "offset"):
        one, other = getattr(plain, what), getattr(ome, what)
        same = one == other if what == "axes" else one is None or other is None or agree(one, other)
        if one is not None and other is not None and not same:
            raise ValueError(f"its attributes say {what} {one}, its OME-Zarr metadata {other}; correct the wrong one")
    return Statement(plain.axes or ome.axes, plain.voxel_size or ome.voxel_size, plain.offset or ome.offset)


def axis_names(names: Sequence[str] | None, dims: int) -> tuple[str, ...] | None:
    """`names` as c, t, z, y, x; None where they say nothing (d0, d1, ... as some writers fill in).

    ValueError for other names, doubled names or another number than `dims`.
    """
    if names is None:
        return None
    axes = tuple(_canonical(str(name)) for name in names)
    if all(axis[:1] in ("d", "c") and axis[1:].isdigit() for axis in axes):
        return None
    if len(axes) != dims or len(set(axes)) < dims or not set(axes) <= {"c", "t", *SPACE}:
        raise ValueError(f"its axes are called {list(names)}, it has {dims}; each must be one of c, t, z, y, x, none twice")
    return axes


def plain_attributes(axes: Sequence[str], voxel_size: Sequence[float], place: Sequence[float]) -> dict[str, Any]:
    """Plain attributes of an array whose last axes are those of space; place: nm, of its first voxel.

    `types` is what funlib.persistence looks for, `_ARRAY_DIMENSIONS` and `dimension_units` what neuroglancer reads of an array.
    """
    channels = len(axes) - len(voxel_size)
    return {
        "axis_names": list(axes),
        "resolution": list(voxel_size),
        "voxel_size": list(voxel_size),
        "offset": list(place),
        "units": ["nm"] * len(voxel_size),
        "types": ["channel"] * channels + ["space"] * len(voxel_size),
        "_ARRAY_DIMENSIONS": list(axes),
        "dimension_units": [""] * channels + [f"{size!r} nm" for size in voxel_size],
    }


def image_attributes(
    name: str, axes: Sequence[str], voxel_size: Sequence[float], place: Sequence[float], *, labels: bool
) -> dict[str, Any]:
    """Attributes of the group of an image (OME-Zarr 0.4) that has level 0 so far; labels: its voxels are ids."""
    channels = len(axes) - len(voxel_size)
    entry = {
        "version": "0.4",
        "name": name,
        "axes": [{"name": axis, "type": "channel"} for axis in axes[:channels]]
        + [{"name": axis, "type": "space", "unit": "nanometer"} for axis in axes[channels:]],
        "datasets": [dataset("0", voxel_size, place, channels=channels)],
    }
    return {"multiscales": [entry], **({"image-label": {"version": "0.4"}} if labels else {})}


def dataset(path: str, voxel_size: Sequence[float], place: Sequence[float], *, channels: int) -> dict[str, Any]:
    """A level in an entry of `multiscales`; place: nm, of the centre of its first voxel, which for level 0 is its offset."""
    scale, translation = [1.0] * channels + list(voxel_size), [0.0] * channels + list(place)
    transformations = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": translation}]
    return {"path": path, "coordinateTransformations": transformations}


def _canonical(name: str) -> str:
    name = name.strip().lower().rstrip("^'")
    return NAMES.get(name, name)


def _listed(attributes: Mapping[str, Any], *keys: str) -> list[str] | None:
    names = next((attributes[key] for key in keys if key in attributes), None)
    if names is None:
        return None
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _unit(units: Any) -> str:
    """The one unit of all axes; channels may have an empty one."""
    if units is None:
        return "nm"
    listed = [units] if isinstance(units, str | bytes) else list(units)
    found = {unit.decode() if isinstance(unit, bytes) else str(unit) for unit in listed} - {""}
    if len(found) > 1:
        raise ValueError(f"its axes have different units, {sorted(found)}; write them all in nm")
    return found.pop() if found else "nm"


def _of_space(values: Any, spatial: Sequence[bool] | None, key: str) -> tuple[Any, ...]:
    """The entries for axes of space, as they are written."""
    entries = tuple(values) if hasattr(values, "__len__") else (values,)
    if spatial and len(entries) == len(spatial):
        entries = tuple(entry for entry, space in zip(entries, spatial, strict=True) if space)
    try:
        numbers = [exact(entry) for entry in entries]
    except ValueError:
        raise ValueError(f"its {key} is {list(entries)}; it must be finite numbers, one an axis") from None
    if key != "offset" and min(numbers, default=1) <= 0:
        raise ValueError(f"its {key} is {list(entries)}; voxel sizes are positive")
    return entries


def _affine(dataset: Mapping[str, Any], whole: Mapping[str, Any], dims: int) -> tuple[list[Any], list[Any]]:
    """Scale and translation of a dataset: its own, then those of the whole; no scale where none is given."""
    scale, translation = [exact(1)] * dims, [exact(0)] * dims
    steps = [*dataset.get("coordinateTransformations", []), *whole.get("coordinateTransformations", [])]
    for step in steps:
        values = [exact(value) for value in step.get(step["type"], [])] if step["type"] != "identity" else []
        if step["type"] == "scale":
            scale = [a * b for a, b in zip(scale, values, strict=True)]
            translation = [a * b for a, b in zip(translation, values, strict=True)]
        elif step["type"] == "translation":
            translation = [a + b for a, b in zip(translation, values, strict=True)]
    return (scale if any(step["type"] == "scale" for step in steps) else [], translation)
