"""What OME-Zarr `multiscales` (0.4, 0.5) of a group say of its arrays.

Scales without a unit are no statement: converters write 1 there when they know nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

from lsd.volumes.attributes import NO_LENGTH, from_attributes
from lsd.volumes.formats import groups
from lsd.volumes.metadata import SPACE, Statement, axis_names
from lsd.volumes.metadata_values import as_tuple, mapping, mappings, numbers, shown
from lsd.volumes.units import nanometres

Json = Mapping[str, Any]


def finest(group: Path) -> str | None:
    """The path, from the group, of the finest array of its first multiscale image; None where it
    has none."""
    for _, dataset, where in _datasets(group):
        return _path(dataset, where)
    return None


def levels(group: Path) -> set[str]:
    """The arrays of a group that are levels of its only image; none where it has several, or says
    what cannot be read."""
    try:
        levels_of = [
            (multiscale, _path(dataset, where)) for multiscale, dataset, where in _datasets(group)
        ]
    except ValueError:
        return set()
    return (
        {path for _, path in levels_of}
        if len({id(multiscale) for multiscale, _ in levels_of}) == 1
        else set()
    )


def others(array: Path) -> list[Path]:
    """The arrays that the groups around an array list as levels of an image of which it is one;
    none where they say what cannot be read."""
    for group in groups.around(array):
        by_image: dict[int, list[Path]] = {}
        try:
            for multiscale, dataset, where in _datasets(group):
                by_image.setdefault(id(multiscale), []).append(group / _path(dataset, where))
        except ValueError:
            break
        for paths in by_image.values():
            if array in paths:
                return [path for path in paths if path != array]
    return []


def around(array: Path) -> Statement:
    """What the multiscales of the groups around an array say of it.  A sentence in `wrong` begins
    with the file."""
    for group in groups.around(array):
        try:
            for multiscale, dataset, where in _datasets(group):
                if _path(dataset, where) == array.relative_to(group).as_posix():
                    return _statement(multiscale, dataset, where)
        except ValueError as error:
            return Statement(wrong=dict.fromkeys(("axes", "voxel_size", "offset"), str(error)))
    return Statement()


def _datasets(group: Path) -> Iterator[tuple[Json, Json, str]]:
    """Each multiscale with each of its datasets, finest first, and where they stand."""
    described, title = groups.multiscales(group)
    for i, multiscale in enumerate(mappings(described, title)):
        where = f"{title}[{i}]"
        datasets = mappings(multiscale.get("datasets"), f"{where}.datasets")
        if not datasets:
            raise ValueError(
                f"{where}.datasets is {shown(multiscale.get('datasets'))}; it must name an array "
                f"at least"
            )
        for j, dataset in enumerate(datasets):
            yield multiscale, dataset, f"{where}.datasets[{j}]"


def _path(dataset: Json, where: str) -> str:
    path = dataset.get("path")
    if not isinstance(path, str) or ".." in PurePosixPath(path).parts:
        raise ValueError(
            f"{where}.path is {shown(path)}; it must be the name of an array of the group"
        )
    return path.strip("/")


def _statement(multiscale: Json, dataset: Json, where: str) -> Statement:
    described = multiscale.get("axes") or []
    if not described or (
        isinstance(described, list) and all(isinstance(axis, str) for axis in described)
    ):
        # in 0.3 axes are words, and there are no scales; COSEM describes each dataset
        transform = mapping(dataset.get("transform"), f"{where}.transform")
        if transform:
            return from_attributes({"transform": transform}, len(as_tuple(transform.get("axes"))))
        return Statement(axis_names(described, len(described)) if described else None)
    whole = where.partition(".datasets")[0]
    entries = mappings(described, f"{whole}.axes")
    names = [_axis(entry, f"{whole}.axes") for entry in entries]
    axes = axis_names(names, len(names))
    if axes is None:
        return Statement()
    units = {
        axis: _unit(entry, f"{whole}.axes")
        for axis, entry in zip(axes, entries, strict=True)
        if axis in SPACE
    }
    scale, translation = _affine(dataset, multiscale, len(axes), where)
    if scale is None or None in units.values():
        return Statement(axes)
    if {str(unit).strip().lower() for unit in units.values()} & NO_LENGTH:
        return Statement(axes, unused=f"its unit is {next(iter(units.values()))!r}")
    numbers([scale[axes.index(axis)] for axis in units], f"{where}: its scale", positive=True)
    return Statement(
        axes=axes,
        voxel_size={
            axis: nanometres([scale[axes.index(axis)]], str(unit))[0]
            for axis, unit in units.items()
        },
        offset=None
        if translation is None
        else {
            axis: nanometres([translation[axes.index(axis)]], str(unit))[0]
            for axis, unit in units.items()
        },
    )


def _axis(entry: Json, where: str) -> str:
    kind, name = entry.get("type"), entry.get("name")
    called = {"channel": "c", "time": "t"}.get(kind, name) if isinstance(kind, str) else name
    if not isinstance(called, str):
        raise ValueError(f"{where} has an axis {shown(dict(entry))}; each must have a name")
    return called


def _unit(entry: Json, where: str) -> str | None:
    unit = entry.get("unit")
    if not isinstance(unit, str | None):
        raise ValueError(f"{where} has the unit {shown(unit)}; a unit is a word")
    return unit


def _affine(
    dataset: Json, whole: Json, dims: int, where: str
) -> tuple[list[Fraction] | None, list[Fraction] | None]:
    """Scale and translation of a dataset: its own, then those of the whole; None where none is
    given: a scale alone does not say where an array lies."""
    scale, translation, given = [Fraction(1)] * dims, [Fraction(0)] * dims, set()
    for owner, of in ((dataset, where), (whole, where.partition(".datasets")[0])):
        name = f"{of}.coordinateTransformations"
        for step in mappings(owner.get("coordinateTransformations"), name):
            values = _step(step, dims, name)
            given.add(step["type"])
            if step["type"] == "scale":
                scale = [a * b for a, b in zip(scale, values, strict=True)]
                translation = [a * b for a, b in zip(translation, values, strict=True)]
            elif step["type"] == "translation":
                translation = [a + b for a, b in zip(translation, values, strict=True)]
    return (scale if "scale" in given else None), (translation if "translation" in given else None)


def _step(step: Json, dims: int, name: str) -> tuple[Fraction, ...]:
    kind = step.get("type")
    if kind not in ("identity", "scale", "translation"):
        raise ValueError(
            f"{name} has one of type {shown(kind)}; identity, scale and translation are read"
        )
    values = numbers(step.get(kind), f"{name}: its {kind}") if kind != "identity" else ()
    if kind != "identity" and len(values) != dims:
        raise ValueError(
            f"{name} has a {kind} of {len(values)} numbers, its axes are {dims}; one number an "
            f"axis is needed"
        )
    return values
