"""Whether the arrays of a volume belong together: one voxel size, one grid of voxels, axes in one
order.

arrays: by what they are for: raw, labels, labels_mask, arrays.<name>
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import permutations
from typing import Any, TypeVar

from funlib.geometry import Roi

from lsd.spec import Volume
from lsd.volumes.array import Array, text
from lsd.volumes.metadata import SPACE
from lsd.volumes.units import agree, lengths

Value = TypeVar("Value")


def value_for(value: Value | dict[str, Value] | None, array_name: str) -> Value | None:
    """What a field of the config, of all arrays or by their names, says of one array."""
    return value.get(array_name.removeprefix("arrays.")) if isinstance(value, dict) else value


def check_against_files(volume: Volume, arrays: Mapping[str, Array]) -> None:
    """ValueError where one value of the config stands against files that tell the arrays apart,
    which it would hide; and where a path is that of a list of images.

    It may be used instead of what files say where they all say the same: of offsets and axes each
    array, of voxel sizes each that says one.
    """
    _check_listed(volume, arrays)
    for field in ("voxel_size", "offset", "axes"):
        value = getattr(volume, field)
        stated = {array_name: _told(array, field) for array_name, array in arrays.items()}
        against = [
            array_name
            for array_name, array in arrays.items()
            if stated[array_name] is not None and _against(array, field, stated[array_name])
        ]
        if value is None or isinstance(value, dict) or not against:
            continue
        statements = [one for one in stated.values() if one is not None]
        same = all(_same(one, statements[0], field) for one in statements)
        if not same or (field != "voxel_size" and len(statements) < len(arrays)):
            by_file = ", ".join(
                f"{array_name} {'nothing' if one is None else one}"
                for array_name, one in stated.items()
            )
            name = against[0].removeprefix("arrays.")
            raise ValueError(
                f"{field.replace('_', ' ')} is {value!r} by the config for all arrays, but "
                f"{by_file} by their files; say whose "
                f"it is, as in {field}={{{name!r}: {value!r}}}, or correct the wrong file"
            )


def on_one_grid(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays with their voxels counted as those of raw.  ValueError where one lies between
    those."""
    return {name: _on_grid(name, array, arrays["raw"]) for name, array in arrays.items()}


def common_roi(volume: Volume, raw: Array, truth: Mapping[str, Array]) -> Roi:
    """The voxels that all arrays have, raw being all but a margin.  ValueError if they do not fit
    (see Volume.fit)."""
    for name, array in truth.items():
        _check_axes(volume, name, array, raw)
        if not agree(raw.voxel_size, array.voxel_size):
            raise ValueError(
                f"voxel size of raw is {raw.voxel_size} nm, of {name} {array.voxel_size} nm "
                f"({raw.name}, {array.name}); "
                "they must be the same"
            )
        if volume.fit == "refuse" and array.roi != raw.roi:
            raise ValueError(
                f"raw covers {text(raw.roi)}, {name} {text(array.roi)} (voxels); set "
                f"fit='intersect' to use what both cover"
            )
    roi = reduce(lambda common, array: common.intersect(array.roi), truth.values(), raw.roi)
    if roi.empty:
        extents = ", ".join(
            f"{name} {text(array.roi)}" for name, array in {"raw": raw, **truth}.items()
        )
        raise ValueError(f"its arrays have no voxel in common: {extents}")
    return roi


def _check_listed(volume: Volume, arrays: Mapping[str, Array]) -> None:
    """A path does not say whose names the numbers of masks are, and that its sections are apart."""
    listed = [name for name, array in arrays.items() if array.image_sizes is not None]
    if listed and volume.images is None:
        file = arrays[listed[0]].source.path
        raise ValueError(
            f"{listed[0]} is named as an array of {file}, which is a list of images of their own; "
            f"a volume of these has images=Images(images=..., masks=..., file={str(file)!r}) in "
            f"place of a path"
        )


def _on_grid(name: str, array: Array, raw: Array) -> Array:
    # other voxel sizes have other grids, which is told in better words later
    if array is raw or not agree(raw.voxel_size, array.voxel_size):
        return array
    try:
        return array.on_grid(raw.remainder)
    except ValueError as error:
        raise ValueError(f"{name} against raw: {error}") from error


def _check_axes(volume: Volume, array_name: str, array: Array, raw: Array) -> None:
    """ValueError where another order of axes fits and this one does not; two names in the config
    say that it is meant."""
    if array.roi.dims != raw.roi.dims:
        raise ValueError(
            f"raw has the axes {' '.join(raw.axes)} ({raw.name}), {array_name} "
            f"{' '.join(array.axes)} ({array.name}); "
            "they must have the same axes of space"
        )
    by_name = isinstance(volume.axes, dict) and array_name.removeprefix("arrays.") in volume.axes
    shape, other = tuple(raw.roi.shape), tuple(array.roi.shape)
    swapped_shape = shape != other and sorted(shape) == sorted(other)
    swapped_size = not agree(raw.voxel_size, array.voxel_size) and agree(
        sorted(raw.voxel_size), sorted(array.voxel_size)
    )
    if not by_name and (swapped_shape or swapped_size or _fits_turned(shape, other)):
        name, order = array_name.removeprefix("arrays."), _likely_order(array, raw)
        raise ValueError(
            f"axes seem swapped: raw has {_times(shape)} voxels of {raw.voxel_size} nm, "
            f"{array_name} {_times(other)} of {array.voxel_size} nm ({raw.name}, "
            f"{array.name}); name the axes of the wrong one in "
            f"their order on disk, as in "
            f"axes={{{name!r}: {order!r}}}"
        )


def _likely_order(array: Array, raw: Array) -> str:
    """Names for the axes of an array on disk with which it is as large as raw, else fits into it,
    else the reverse."""
    reverse = SPACE[-raw.roi.dims :][::-1]
    # the reverse is what happens most
    orders = sorted(permutations(reverse), key=lambda names: names != tuple(reverse))
    exact = (names for names in orders if _extents(array, names) == tuple(raw.roi.shape))
    within = (
        names
        for names in orders
        if all(n <= m for n, m in zip(_extents(array, names), raw.roi.shape, strict=True))
    )
    return "".join(next(exact, ()) or next(within, tuple(reverse)))


def _extents(array: Array, names: tuple[str, ...]) -> tuple[int, ...]:
    """Voxels along z, y and x, if the axes on disk had these names."""
    extents = dict(
        zip((axis for axis in array.axes if axis in SPACE), array.roi.shape, strict=True)
    )
    on_disk = [extents[axis] for axis in array.layout.disk if axis in extents]
    named = dict(zip(names, on_disk, strict=True))
    return tuple(named[axis] for axis in SPACE if axis in named)


def _fits_turned(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether an array reaches beyond raw as it is, and its axes in reverse fit into raw: a crop
    that lies the other way."""
    fits = all(n <= m for n, m in zip(other, shape, strict=True)) or all(
        n >= m for n, m in zip(other, shape, strict=True)
    )
    return not fits and all(n <= m for n, m in zip(other[::-1], shape, strict=True))


def _told(array: Array, field: str) -> Any:
    """What an array's file says; of axes, those of space in their order on disk."""
    value = getattr(array.layout.stated, field)
    return tuple(axis for axis in value if axis in SPACE) if field == "axes" and value else value


def _against(array: Array, field: str, stated: Any) -> bool:
    """Whether an array is read otherwise than its file says.  An axis that gets the name z is not
    moved by it."""
    layout = array.layout
    if field == "axes":
        return [axis for axis in layout.disk if axis in stated] != list(stated)
    used = (
        layout.voxel_size
        if field == "voxel_size"
        else lengths(layout.offset, layout.voxel_size, layout.remainder)
    )
    return not agree(used, stated)


def _same(one: Any, other: Any, field: str) -> bool:
    return bool(one == other if field == "axes" else agree(one, other))


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
