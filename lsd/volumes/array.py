"""An array on disk that is read and written by regions of the world, whatever its file.

roi, offsets, shapes: integer voxels, z y x; voxel (0, 0, 0) of the world is where offsets are 0
voxel_size:           nm, floats, never rounded
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.volumes import containers
from lsd.volumes.layout import Layout, resolve_layout
from lsd.volumes.source import Source
from lsd.volumes.units import Remainder

log = logging.getLogger(__name__)
Beyond = Literal["refuse", "zero", "reflect"]


class Array:
    """An array on disk with the axes (c) z y x or (c) y x; see `open_array` and `create_array`.

    roi:   the voxels that may be read, at most those on disk
    dtype: as read, in the byte order of this machine

    Opened when first read in each process, so it is cheap to pickle.
    """

    def __init__(
        self, source: Source, layout: Layout, dtype: np.dtype[np.generic], *, roi: Roi | None = None
    ) -> None:
        self.source = source
        self.layout = layout
        self.dtype = dtype
        self.roi = layout.roi if roi is None else roi
        assert layout.roi.contains(self.roi), (layout.roi, self.roi)

    def __repr__(self) -> str:
        return (
            f"Array({self.name!r}, {self.shape} {self.dtype}, voxel size {self.voxel_size} nm, "
            f"offset {tuple(self.offset)})"
        )

    @property
    def name(self) -> str:
        """What messages call the array: its container, a colon, and its name there."""
        return str(self.source)

    @property
    def axes(self) -> tuple[str, ...]:
        """("c",) "z", "y", "x"."""
        return self.layout.axes

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Voxel size in nm, z y x."""
        return self.layout.voxel_size

    @property
    def calibrated(self) -> bool:
        """Whether voxel_size is known; where it is not, it is 1 along all axes."""
        return self.layout.calibrated

    @property
    def offset(self) -> Coordinate:
        """The first voxel of the region that the array covers."""
        return self.roi.begin

    @property
    def shape(self) -> tuple[int, ...]:
        """(c,) z, y, x."""
        return (*self.layout.shape[: len(self.axes) - self.roi.dims], *self.roi.shape)

    @property
    def channels(self) -> int | None:
        """Number of channels, None where there is no such axis."""
        return self.layout.shape[0] if "c" in self.axes else None

    @property
    def image_sizes(self) -> NDArray[np.int64] | None:
        """Where its sections are images of their own, the size of each section on disk, (z, 2)
        along y and x; None for any other array."""
        return self.source.handle.image_sizes

    @property
    def remainder(self) -> Remainder:
        """How far voxel 0 of the world lies from where nm are 0: nm, exact, z y x, less than a
        voxel.  Outputs take it over."""
        return self.layout.remainder

    def on_grid(self, remainder: Remainder) -> Array:
        """The same array, its voxels counted on the grid with `remainder`.  ValueError if it lies
        between those."""
        try:
            layout = self.layout.on_grid(remainder)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error
        return Array(
            self.source, layout, self.dtype, roi=self.roi + (layout.offset - self.layout.offset)
        )

    def index(self, voxel: Coordinate) -> tuple[int, ...]:
        """Where a voxel of the world lies in the array on disk, z y x from 0; beyond its border,
        where reflection takes it."""
        places = zip(voxel, self.roi.begin, self.roi.shape, self.layout.offset, strict=True)
        return tuple(
            int(_mirror(np.array(n - first), size)) + first - begin
            for n, first, size, begin in places
        )

    def cropped(self, roi: Roi) -> Array:
        """The same array, confined to `roi`, which must lie within."""
        return Array(self.source, self.layout, self.dtype, roi=roi)

    def without_channel(self) -> Array:
        """The same array without the axis of its only channel.  ValueError if there are several."""
        if self.channels is None:
            return self
        if self.channels > 1:
            way = (
                " (a stack of sections saved as channels: say axes='zyx' in the config)"
                if self.roi.dims == 2
                else ""
            )
            raise ValueError(
                f"{self.name} has {self.channels} channels; one is needed: write the one to use on "
                f"its own{way}"
            )
        return Array(self.source, self.layout.without_channel(), self.dtype, roi=self.roi)

    def read(self, roi: Roi, *, beyond: Beyond = "refuse") -> NDArray[np.generic]:
        """The voxels of `roi`: (c?, z, y, x), C-contiguous, in a buffer of their own.

        beyond: outside the array refuse, give zero, or mirror it at its outermost voxels (numpy's
                "reflect"); of images, each at its own border
        Raises ValueError where roi reaches beyond, or a chunk is missing or damaged; it names the
        chunk.
        """
        if beyond == "reflect" and self.image_sizes is not None:
            return np.concatenate([self._reflected(*image) for image in self._images(roi)], axis=-3)
        if self.roi.contains(roi):
            return self._read(roi)
        if beyond == "refuse":
            raise ValueError(
                f"{self.name} covers {text(self.roi)}, asked for {text(roi)} (voxels); stay inside"
            )
        return self._reflected(roi, self.roi) if beyond == "reflect" else self._padded(roi)

    def write(self, data: NDArray[np.generic], roi: Roi) -> None:
        """Puts `data` (c?, z, y, x) into `roi`.

        Two processes may write at once where they write different chunks.  Raises ValueError if
        shape or dtype differ, or roi reaches beyond the array.
        """
        expected = (*self.shape[: len(self.axes) - roi.dims], *roi.shape)
        if not self.roi.contains(roi) or data.shape != expected:
            raise ValueError(
                f"{self.name} covers {text(self.roi)}; {text(roi)} takes shape {expected}, got "
                f"{data.shape}"
            )
        if data.dtype != self.dtype:
            raise ValueError(f"{self.name} holds {self.dtype}, got {data.dtype}; convert it first")
        assert self.layout.disk == self.axes, "only arrays in the usual order are written"
        self.source.write(self.layout.slices(roi), data)

    def delete(self, roi: Roi) -> None:
        """Deletes the chunks of a zarr array that `roi` touches; reading them is an error then,
        until they are written."""
        self.source.delete(self.layout.slices(roi))

    def _read(self, roi: Roi) -> NDArray[np.generic]:
        return self.layout.ordered(self.source.read(self.layout.slices(roi)))

    def _padded(self, roi: Roi) -> NDArray[np.generic]:
        data = np.zeros((*self.shape[: len(self.axes) - roi.dims], *roi.shape), dtype=self.dtype)
        inside = self.roi.intersect(roi)
        if not inside.empty:
            data[..., *(inside - roi.begin).to_slices()] = self._read(inside)
        return data

    def image(self, z: int) -> Roi:
        """Where the image of section z of the world lies; of an array of images alone."""
        sizes, first = self.image_sizes, self.layout.offset
        assert sizes is not None, self.name
        return Roi((z, *first[1:]), (1, *sizes[z - first[0]].tolist()))

    def _images(self, roi: Roi) -> Iterator[tuple[Roi, Roi]]:
        """Of each section of `roi` that part of it, and where its image lies, as far as the array
        goes."""
        for z in range(roi.begin[0], roi.end[0]):
            section = self.index(Coordinate(z, *self.roi.begin[1:]))[0]
            image = self.image(self.layout.offset[0] + section)
            part = Roi((image.begin[0], *roi.begin[1:]), (1, *roi.shape[1:]))
            yield part, image.intersect(self.roi)

    def _reflected(self, roi: Roi, inside: Roi) -> NDArray[np.generic]:
        """The voxels of `roi`, those beyond `inside` mirrored."""
        places = [
            _mirror(np.arange(begin, end) - first, size) + first
            for begin, end, first, size in zip(
                roi.begin, roi.end, inside.begin, inside.shape, strict=True
            )
        ]
        begin = Coordinate(place.min() for place in places)
        end = Coordinate(place.max() + 1 for place in places)
        data = self._read(Roi(begin, end - begin))
        for axis, (place, first, last) in enumerate(
            zip(places, begin, end, strict=True), start=data.ndim - roi.dims
        ):
            if len(place) != last - first or (np.diff(place) != 1).any():
                data = data.take(place - first, axis=axis)
        return data


def open_array(
    path: str | Path,
    name: str = "",
    *,
    voxel_size: Sequence[float] | None = None,
    offset: Sequence[float] | None = None,
    axes: Sequence[str] | None = None,
    writable: bool = False,
) -> Array:
    """Opens an array of a zarr, N5 or precomputed folder, an HDF5 file (CREMI layout), a TIFF,
    numpy or NIfTI file, a folder of NIfTI files, or a file of a format of one's own, told apart by
    content.

    name:       of the array inside; of a multiscale zarr group, to mean its finest array; empty for
                a file of one array
    voxel_size: nm, z y x; needed where the file has none
    offset:     nm, z y x; default 0
    axes:       names in the order on disk, e.g. "zyxc"; z y x by default

    What is given is used before what the file says; where they differ, a warning names both.
    Metadata are attributes of the array or a group around it (`resolution` or `voxel_size`,
    `offset`, `axis_names`, `units`; `transform`, `pixelResolution`), OME-Zarr 0.4 multiscales, or
    those of ImageJ and OME in TIFF; axes in another order are turned on reading.  An offset is kept
    exactly: whole voxels, and a `remainder`.  Raises ValueError if the array is not there (and
    lists those that are), has no voxel size, states what cannot be, or cannot be read here.
    """
    container = Path(path)
    inside = containers.find_array(container, name)
    if inside is None:
        raise containers.no_such_array(container, name)
    source = Source(container, inside, writable=writable)
    handle = source.handle
    try:
        dtype = _number_type(handle)
        layout = resolve_layout(
            handle.stated(),
            handle.shape,
            voxel_size=voxel_size,
            offset=offset,
            axes=axes,
            say=lambda words: _warn(f"{source}: {words}"),
        )
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    return Array(source, layout, dtype)


@cache
def _warn(words: str) -> None:
    """Warns once in each process, since an array is opened many times."""
    log.warning("%s", words)


def _number_type(handle: Any) -> np.dtype[Any]:
    """In the byte order of this machine.  ValueError for what is no array of numbers."""
    try:
        dtype: np.dtype[Any] = np.dtype(handle.dtype)
    except Exception as error:  # types of HDF5 that numpy has not
        raise ValueError(
            f"its dtype is none that numpy knows ({error}); numbers are needed"
        ) from error
    if handle.shape is None or dtype.kind not in "buif":
        raise ValueError(
            f"its dtype is {dtype}{', and it is empty' if handle.shape is None else ''}; numbers "
            f"are needed"
        )
    return dtype.newbyteorder("=")


def text(roi: Roi) -> str:
    """A ROI as it is written in configs: "0:170, 0:250, 0:250"."""
    return ", ".join(f"{begin}:{end}" for begin, end in zip(roi.begin, roi.end, strict=True))


def _mirror(places: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Places along an axis of `size` voxels, mirrored at the first and the last as often as
    needed."""
    period = max(2 * size - 2, 1)
    folded = places % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(places)
