"""Arrays that are written: zarr v2, compressed with a checksum, described for people, programs and
viewers.

Each is an OME-Zarr image of its own: the group <container>/<name> says what it is, its voxels are
in <container>/<name>/0, and coarser levels, where there are any, in 1, 2, .. beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from funlib.geometry import Roi
from numpy.typing import DTypeLike

from lsd.volumes import containers
from lsd.volumes.array import Array, open_array
from lsd.volumes.formats.codec import Checked
from lsd.volumes.metadata import SPACE, dataset, image_attributes, plain_attributes
from lsd.volumes.units import exact, lengths

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
    labels: bool = False,
    chunks: Sequence[int] | None = None,
    attributes: Mapping[str, Any] | None = None,
    fill: int | float | None = None,
    remainder: Sequence[Any] | None = None,
    calibrated: bool = True,
    overwrite: bool = False,
) -> Array:
    """Makes the array `name` of the zarr folder `path`, open for writing: (c?, z, y, x) with the
    offset of `roi` (voxels).

    voxel_size: nm, z y x; chunks: voxels, with or without the channels (default: 64 each way and
                all channels)
    labels:     its voxels are ids: viewers colour them, and coarser levels are majorities
    attributes: more to note on the array, as JSON
    fill:       what chunks hold that were never written; None: reading one is an error that names
                it
    remainder:  nm, z y x, of the array that it is made from (Array.remainder): what its offset is
                beyond whole voxels
    calibrated: False where nobody knows the size of a voxel (Array.calibrated), and voxel_size is 1
    overwrite:  delete what is there.  Otherwise an array of the same shape, dtype, chunks and place
                is opened as it is, also one of an earlier version, which stands at <path>/<name>
                itself

    A chunk is written to a temporary file and renamed; it is compressed by zstd with its content
    checksum on, so a flipped bit is an error on reading, by any zarr 2.  Metadata stand twice: as
    attributes of the array (resolution, offset, axis_names, units in nm) and as OME-Zarr 0.4 in the
    group <path>/<name>, which viewers open.

    Raises ValueError if another array is there, or dimensions do not fit together.
    """
    axes = (("c",) if channels else ()) + SPACE[-roi.dims :]
    if not name.strip("/") or len(voxel_size) != roi.dims:
        raise ValueError(
            f"an array needs a name and a voxel size for each of its {roi.dims} axes, got "
            f"{name!r}, {voxel_size}"
        )
    shape = ((channels,) if channels else ()) + tuple(roi.shape)
    wanted = chunk_sizes(shape, roi.dims, np.dtype(dtype), chunks)
    size, place = [float(nm) for nm in voxel_size], lengths(roi.begin, voxel_size, remainder)
    plain = plain_attributes(axes, size, place, calibrated=calibrated)
    attrs = {**plain, **(attributes or {})}
    container, name = Path(path), name.strip("/")
    _refuse_others(container, name)
    if overwrite and _is_array(container / name):
        remove_array(container, name)
    elif _is_array(container / name):
        existing = _reopen(
            container,
            name,
            roi=roi,
            shape=shape,
            voxel_size=voxel_size,
            dtype=np.dtype(dtype),
            chunks=wanted,
            remainder=remainder,
        )
        if not dict(existing.source.handle.attrs):
            # who made it was killed before it could say so
            existing.source.handle.values.attrs.put(attrs)
        return existing
    _group(container, name).attrs.put(
        image_attributes(
            name.rpartition("/")[2], axes, size, place, labels=labels, calibrated=calibrated
        )
    )
    new_array(
        container / name / "0", shape=shape, chunks=wanted, dtype=dtype, attributes=attrs, fill=fill
    )
    return _opened(container, name, remainder)


def new_array(
    folder: Path,
    *,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: DTypeLike,
    attributes: Mapping[str, Any],
    fill: int | float | None = None,
) -> None:
    """A zarr array without voxels; what lies in the folder is deleted."""
    array = zarr.open_array(
        str(folder),
        mode="w",
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=fill,
        compressor=Checked(),
        dimension_separator="/",
    )
    array.attrs.put(dict(attributes))


def create_level(
    path: str | Path,
    name: str,
    level: int,
    *,
    factor: Sequence[int],
    chunks: Sequence[int] | None = None,
) -> Array:
    """Makes level `level` of an image, each of its voxels `factor` (z, y, x) of level 0; what is
    there is opened as it is.

    Its first voxel lies in the middle of those that it covers: half a voxel of its own less half of
    one of level 0 further on.  No viewer is told of it before `announce_level`.
    """
    base, folder = open_array(path, name), Path(path) / name / str(level)
    is_there = (folder / ".zarray").exists()
    if not is_there or not (folder / ".zattrs").exists():
        size = [float(exact(nm) * f) for nm, f in zip(base.voxel_size, factor, strict=True)]
        begin = base.source.handle.attrs["offset"]
        place = [
            float(exact(nm) + exact(voxel) * (f - 1) / 2)
            for nm, voxel, f in zip(begin, base.voxel_size, factor, strict=True)
        ]
        dims = len(size)
        shape = (
            *base.shape[:-dims],
            *(-(-n // f) for n, f in zip(base.roi.shape, factor, strict=True)),
        )
        wanted = chunk_sizes(shape, dims, base.dtype, chunks)
        attrs = plain_attributes(base.axes, size, place, calibrated=base.calibrated)
        if is_there:
            # who made it was killed before it could say so
            zarr.open_array(str(folder), mode="r+").attrs.put(attrs)
        else:
            new_array(folder, shape=shape, chunks=wanted, dtype=base.dtype, attributes=attrs)
    return open_array(path, f"{name}/{level}", writable=True)


def announce_level(path: str | Path, name: str, level: int) -> None:
    """Lists a level, which is whole, in the metadata of its image."""
    group = zarr.open_group(str(Path(path) / name), mode="r+")
    attrs = zarr.open_array(str(Path(path) / name / str(level)), mode="r").attrs
    [image] = group.attrs["multiscales"]
    others = [level_entry for level_entry in image["datasets"] if level_entry["path"] != str(level)]
    channels = len(attrs["axis_names"]) - len(attrs["resolution"])
    levels = [*others, dataset(str(level), attrs["resolution"], attrs["offset"], channels=channels)]
    group.attrs["multiscales"] = [
        {**image, "datasets": sorted(levels, key=lambda level_entry: int(level_entry["path"]))}
    ]


def has_array(path: str | Path, name: str) -> bool:
    """Whether a container has an array of that name, be it whole or not; False where there is no
    container."""
    return Path(path).exists() and containers.find_array(Path(path), name) is not None


def remove_array(path: str | Path, name: str) -> None:
    """Deletes an array of a zarr folder with all its levels, or one level, and what the group above
    says of it."""
    folder = Path(path) / name.strip("/")
    assert ".." not in folder.parts, folder
    assert folder != Path(path), folder
    if folder.exists():
        shutil.rmtree(folder)
    _withdraw(folder)


def refuse_same(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """ValueError if `output` is one of the `inputs` (by whatever path), or lies inside one."""
    place = Path(output).resolve()
    for path in inputs:
        source = Path(path).resolve()
        same = place.exists() and source.exists() and os.path.samefile(place, source)
        if same or place == source or source in place.parents:
            raise ValueError(
                f"the output {output} would be written into the input {path}; name another output"
            )


def chunk_sizes(
    shape: tuple[int, ...], dims: int, dtype: np.dtype[Any], chunks: Sequence[int] | None
) -> tuple[int, ...]:
    """Chunks of all axes, from those that were asked for, or not."""
    if chunks is not None and len(chunks) not in (dims, len(shape)):
        raise ValueError(
            f"chunks {tuple(chunks)} do not fit an array of shape {shape}; give {dims} or "
            f"{len(shape)} numbers"
        )
    if chunks is not None and len(chunks) == len(shape):
        return tuple(int(n) for n in chunks)
    spatial = (
        tuple(int(n) for n in chunks)
        if chunks is not None
        else tuple(min(CHUNK[dims], n) for n in shape[-dims:])
    )
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
    existing = _opened(path, name, remainder)
    present = (
        existing.shape,
        existing.roi,
        existing.dtype,
        existing.source.chunks,
        existing.voxel_size,
    )
    wanted = (shape, roi, dtype, chunks, tuple(float(size) for size in voxel_size))
    if present != wanted:
        labels = ("shape", "roi", "dtype", "chunks", "voxel size")
        differ = [
            f"{label} {a} there, {b} asked for"
            for label, a, b in zip(labels, present, wanted, strict=True)
            if a != b
        ]
        raise ValueError(
            f"{existing.name} is another array: {'; '.join(differ)}; delete it, name another "
            f"output, or overwrite it"
        )
    return existing


def _opened(path: Path, name: str, remainder: Sequence[Any] | None) -> Array:
    """The array, with its voxels counted on the grid that is asked for."""
    array = open_array(path, name, writable=True)
    return array.on_grid(tuple(exact(nm) for nm in remainder or (0,) * array.roi.dims))


def _is_array(folder: Path) -> bool:
    """Whether a folder is an array as they are written here, or as they were by earlier
    versions."""
    return any((place / ".zarray").exists() for place in (folder, folder / "0"))


def _refuse_others(container: Path, name: str) -> None:
    """ValueError where the name is one of a group of arrays, or lies within an array."""
    folder = container / name
    if (folder / ".zgroup").exists() and not _is_array(folder) and containers.array_names(folder):
        raise ValueError(f"{folder} is a group of arrays; name another output")
    for part in Path(name).parents:
        if part != Path(".") and _is_array(container / part):
            raise ValueError(
                f"{container / part} is an array, it cannot hold {name!r}; name another output"
            )
    if (container / ".zarray").exists():
        raise ValueError(f"{container} is an array, it cannot hold {name!r}; name another output")


def _group(container: Path, name: str) -> Any:
    """The group of an image, made with all groups above it."""
    for part in (*reversed(Path(name).parents), Path(name)):
        (container / part).mkdir(
            parents=True, exist_ok=True
        )  # zarr would name no folder in its error
        group = zarr.open_group(str(container / part), mode="a")
    return group


def _withdraw(folder: Path) -> None:
    """Takes an array out of what the group that held it says."""
    if not (folder.parent / ".zgroup").exists():
        return
    group = zarr.open_group(str(folder.parent), mode="r+")
    images = group.attrs.get("multiscales", [])
    remaining = [
        {
            **image,
            "datasets": [
                level for level in image.get("datasets", []) if level.get("path") != folder.name
            ],
        }
        for image in images
    ]
    if remaining != images:
        group.attrs["multiscales"] = [image for image in remaining if image["datasets"]]
