"""Arrays of a run as neuroglancer asks for them: parts, also coarser ones, read from disk."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.report.images import Image, Of, level_of
from lsd.report.viewer.extra import neuroglancer
from lsd.volumes import containers
from lsd.volumes.array import Array
from lsd.volumes.levels import Factor
from lsd.volumes.scaled import ScaledSource, Scaling

# voxels of the finest level that one of a coarser one is made of, where no level is on disk
_MADE = 64


class ServedArray:
    """An array that is read when it is sliced, (c?, z, y, x)."""

    def __init__(self, array: Array, of: Of) -> None:
        self.array, self.of = array, of
        self.shape, self.dtype = array.shape, shown_dtype(array.dtype, of)
        # opened once: a browser asks for hundreds of parts of each
        self._levels: dict[Factor, tuple[Array, Coordinate]] = {}

    def __getitem__(self, slices: tuple[slice, ...]) -> NDArray[Any]:
        """The voxels in slices without steps."""
        return self.coarser(slices, (1,) * self.array.roi.dims)

    def coarser(self, slices: tuple[slice, ...], factor: Factor) -> NDArray[Any]:
        """Voxels of which each stands for `factor` of the array, counted from its begin."""
        dims = len(factor)
        if factor not in self._levels:
            self._levels[factor] = _level(self.array, factor, self.of)
        level, first = self._levels[factor]
        begin = first + Coordinate(part.start for part in slices[-dims:])
        shape = Coordinate(part.stop - part.start for part in slices[-dims:])
        data = level.read(Roi(begin, shape))
        return data[slices[:-dims]].astype(self.dtype, copy=False)


def _level(array: Array, factor: Factor, of: Of) -> tuple[Array, Coordinate]:
    """An array at a scale, and where in it the first voxel of the array is."""
    begin = array.roi.begin
    if all(b % f == 0 for b, f in zip(begin, factor, strict=True)):
        level = level_of(array, factor, of)
        return level, level.roi.begin
    # voxels are joined from the begin of the array on, wherever in the world that is
    apart = [b - first for b, first in zip(begin, array.layout.offset, strict=True)]
    lead = [-a % f for a, f in zip(apart, factor, strict=True)]
    layout = array.layout
    source = ScaledSource(
        array.source,
        Scaling(
            layout.on_disk(factor, channel=1),
            layout.on_disk(lead, channel=0),
            "majority" if of == "labels" else "mean",
        ),
    )
    first = Coordinate((a + n) // f for a, n, f in zip(apart, lead, factor, strict=True))
    placed = replace(layout, extent=source.handle.shape, offset=Coordinate((0,) * len(factor)))
    return Array(source, placed, array.dtype), first


def shown_dtype(dtype: np.dtype[Any], of: Of) -> np.dtype[Any]:
    """The type by which neuroglancer is given values; ids are whole numbers without a sign."""
    if of == "labels":
        return np.dtype(np.uint64 if dtype.itemsize > 4 else np.uint32)
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if dtype.kind == "f" or dtype.itemsize > 4 else dtype


def dimensions(array: Array, *, channel: bool = False) -> Any:
    """The axes of an array as neuroglancer knows them: z y x in nm, channels before."""
    sizes = [float(nm) for nm in array.voxel_size]
    unit = "nm" if array.calibrated else ""
    names = ["c^"] * channel + list("zyx"[-len(sizes) :])
    return neuroglancer().CoordinateSpace(
        names=names, units=[""] * channel + [unit] * len(sizes), scales=[1.0] * channel + sizes
    )


def served(image: Image) -> Any:
    """A source of neuroglancer's, which reads what is looked at."""
    library, array = neuroglancer(), image.array
    on_disk = ServedArray(array, image.of)

    class Served(library.LocalVolume):  # type: ignore[name-defined, misc]
        """Coarser parts are read from coarser levels, where these are on disk."""

        def get_encoded_subvolume(
            self, data_format: str, start: Any, end: Any, scale_key: str
        ) -> tuple[bytes, str]:
            """A part of a scale, (c?, z, y, x), of which the client wants the first axis to run
            fastest."""
            factor = tuple(int(n) for n in scale_key.split(","))[-array.roi.dims :]
            slices = tuple(slice(int(b), int(e)) for b, e in zip(start, end, strict=True))
            return on_disk.coarser(slices, factor).tobytes("F"), "application/octet-stream"

        def get_object_mesh(self, object_id: int) -> None:
            """None: surfaces would take the whole volume into memory."""
            raise library.local_volume.MeshesNotSupportedForVolume

    channel = array.channels is not None
    # neuroglancer would join sections that are images of their own
    apart = image.by_image or array.image_sizes is not None
    most = 1 if apart else math.inf if _has_levels(array) else _MADE
    volume = Served(
        on_disk,
        dimensions=dimensions(array, channel=channel),
        voxel_offset=[0] * channel + [int(n) for n in array.roi.begin],
        volume_type="segmentation" if image.holds_ids else "image",
        encoding="raw",
        max_downsampling=most,
    )
    return placed(volume, array, channel=channel)


def _has_levels(array: Array) -> bool:
    """Whether its file holds it in coarser voxels too."""
    path, name = array.source.path, array.source.name
    return bool(containers.format_of(path).levels(path, name))


def placed(source: Any, array: Array, *, channel: bool = False) -> Any:
    """A source where its world has its origin: not always whole voxels from where nm are 0."""
    library = neuroglancer()
    apart = [float(nm) / size for nm, size in zip(array.remainder, array.voxel_size, strict=True)]
    if not any(apart):
        return library.LayerDataSource(url=source)
    shift = [0.0] * channel + apart
    matrix = np.concatenate([np.eye(len(shift)), np.array(shift)[:, None]], axis=1)
    return library.LayerDataSource(
        url=source,
        transform=library.CoordinateSpaceTransform(
            output_dimensions=dimensions(array, channel=channel), matrix=matrix
        ),
    )
