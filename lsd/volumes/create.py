"""Arrays that are written: zarr v2, compressed with a checksum, described for people, programs and viewers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from funlib.geometry import Roi
from numcodecs import Zstd
from numpy.typing import DTypeLike

from lsd.volumes.array import Array, open_array
from lsd.volumes.metadata import SPACE, multiscale_entry, plain_attributes
from lsd.volumes.units import exact

CHUNK = {2: 512, 3: 64}
_LARGEST_CHUNK = 1 << 24


def create_array(
    path: str | Path,
    name: str,
    *,
    roi: Roi,
    voxel_size: Sequence[float],
    dtype: DTypeLike,
    channels: int | None = None,
    chunks: Sequence[int] | None = None,
    attributes: Mapping[str, Any] | None = None,
    fill: int | float | None = None,
    remainder: Sequence[Any] | None = None,
    overwrite: bool = False,
) -> Array:
    """Makes the array `name` of the zarr folder `path`, open for writing: (c?, z, y, x) with the offset of `roi` (voxels).

    voxel_size: nm, z y x; chunks: voxels, with or without the channels (default: 64 each way and all channels)
    attributes: more to note on the array, as JSON
    fill:       what chunks hold that were never written; None: reading one is an error that names it
    remainder:  nm, z y x, of the array that it is made from (Array.remainder): what its offset is beyond whole voxels
    overwrite:  delete what is there.  Otherwise an array of the same shape, dtype, chunks and place is opened as it is

    A chunk is written to a temporary file and renamed; it is compressed by zstd with its content checksum on, so a flipped bit
    is an error on reading (any zarr 2 with numcodecs reads it, and neuroglancer).  Metadata stand twice: as attributes of the
    array (resolution, offset, axis_names, units in nm) and as OME-Zarr 0.4.  `multiscales` of OME-Zarr lives in the group
    that holds the array, one entry an array, with the array as its only level: the array stays where its name says, and a
    viewer opens the group (the first entry) or the array itself in place.

    Raises ValueError if another array is there, or dimensions do not fit together.
    """
    axes = (("c",) if channels else ()) + SPACE[-roi.dims :]
    if not name.strip("/") or len(voxel_size) != roi.dims:
        raise ValueError(f"an array needs a name and a voxel size for each of its {roi.dims} axes, got {name!r}, {voxel_size}")
    shape = ((channels,) if channels else ()) + tuple(roi.shape)
    wanted = _chunks(shape, roi.dims, np.dtype(dtype), chunks)
    container, name = Path(path), name.strip("/")
    if (container / name / ".zarray").exists() and not overwrite:
        return _reopen(
            container,
            name,
            roi=roi,
            shape=shape,
            voxel_size=voxel_size,
            dtype=np.dtype(dtype),
            chunks=wanted,
            remainder=remainder,
        )
    group = _group(container, name)
    array = zarr.open_array(
        str(container / name),
        mode="w",
        shape=shape,
        chunks=wanted,
        dtype=dtype,
        fill_value=fill,
        compressor=Zstd(level=1, checksum=True),
        dimension_separator="/",
    )
    size = [float(nm) for nm in voxel_size]
    array.attrs.put({**plain_attributes(axes, size, roi.begin, remainder=remainder), **(attributes or {})})
    _announce(group, multiscale_entry(name.rpartition("/")[2], axes, size, roi.begin, remainder=remainder))
    return _opened(container, name, remainder)


def _opened(path: Path, name: str, remainder: Sequence[Any] | None) -> Array:
    """On the grid that is asked for."""
    array = open_array(path, name, writable=True)
    return array.on_grid(tuple(exact(nm) for nm in remainder or (0,) * array.roi.dims))


def refuse_same(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """ValueError if `output` is one of the `inputs` (by whatever path), or lies inside one."""
    place = Path(output).resolve()
    for path in inputs:
        source = Path(path).resolve()
        same = place.exists() and source.exists() and os.path.samefile(place, source)
        if same or place == source or source in place.parents:
            raise ValueError(f"the output {output} would be written into the input {path}; name another output")


def _chunks(shape: tuple[int, ...], dims: int, dtype: np.dtype[Any], chunks: Sequence[int] | None) -> tuple[int, ...]:
    if chunks is not None and len(chunks) not in (dims, len(shape)):
        raise ValueError(f"chunks {tuple(chunks)} do not fit an array of shape {shape}; give {dims} or {len(shape)} numbers")
    if chunks is not None and len(chunks) == len(shape):
        return tuple(int(n) for n in chunks)
    spatial = tuple(int(n) for n in chunks) if chunks is not None else tuple(min(CHUNK[dims], n) for n in shape[-dims:])
    room = max(1, _LARGEST_CHUNK // (int(np.prod(spatial)) * dtype.itemsize))
    return (*(min(n, room) for n in shape[:-dims]), *spatial)


def _reopen(
    path: Path,
    name: str,
    *,
    roi: Roi,
    shape: tuple[int, ...],
    voxel_size: Sequence[float],
    dtype: np.dtype[Any],
    chunks: tuple[int, ...],
    remainder: Sequence[Any] | None,
) -> Array:
    found = _opened(path, name, remainder)
    there = (found.shape, found.roi, found.dtype, found.source.chunks, found.voxel_size)
    asked = (shape, roi, dtype, chunks, tuple(float(size) for size in voxel_size))
    if there != asked:
        labels = ("shape", "roi", "dtype", "chunks", "voxel size")
        differ = [f"{what} {a} there, {b} asked for" for what, a, b in zip(labels, there, asked, strict=True) if a != b]
        raise ValueError(f"{found.name} is another array: {'; '.join(differ)}; delete it, name another output, or overwrite it")
    return found


def _group(container: Path, name: str) -> Any:
    """The group that holds `name`, made with all groups above it."""
    parents = [container, *(container / part for part in reversed(Path(name).parents) if part != Path("."))]
    if (container / name / ".zgroup").exists():
        raise ValueError(f"{container / name} is a group of arrays; name another output")
    for folder in parents:
        if (folder / ".zarray").exists():
            raise ValueError(f"{folder} is an array, it cannot hold {name!r}; name another output")
        folder.mkdir(parents=True, exist_ok=True)  # zarr would name no folder in its error
        group = zarr.open_group(str(folder), mode="a")
    return group


def _announce(group: Any, entry: dict[str, Any]) -> None:
    others = [other for other in group.attrs.get("multiscales", []) if other.get("name") != entry["name"]]
    group.attrs["multiscales"] = [*others, entry]
