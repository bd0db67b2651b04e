"""A volume on disk, opened by its path."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydantic import ValidationError

from lsd.arrays.arguments import explaining_calls, keywords, unknown_keyword
from lsd.notebook.view import View
from lsd.spec import Volume
from lsd.spec.mistakes import brief, lines
from lsd.volumes import volume as volumes

_DEFAULT = Volume.model_fields


class VolumeOnDisk:
    """Raw and labels that lie in one world; see `open_volume`.

    raw:         (z, y, x), any dtype, read when it is indexed: volume.raw[10:20]
    labels:      the same of labels, None where there are none
    labels_mask: the same of the mask, None where there is none
    arrays:      the same of further arrays, by name
    opened:      the volume as the rooms of lsd know it
    """

    def __init__(self, opened: volumes.OpenVolume) -> None:
        self.opened = opened
        self.raw = View(opened.raw.cropped(opened.roi))
        self.labels = None if opened.labels is None else View(opened.labels)
        self.labels_mask = None if opened.labels_mask is None else View(opened.labels_mask)
        self.arrays: Mapping[str, View] = {
            name: View(array) for name, array in opened.arrays.items()
        }

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels, z y x, of raw and of labels."""
        return self.raw.shape

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """In nm, z y x."""
        return self.opened.voxel_size

    @property
    def offset(self) -> tuple[int, ...]:
        """Voxels, z y x, from the origin of the world to the first voxel."""
        return tuple(int(n) for n in self.opened.roi.begin)

    def known(self) -> NDArray[Any]:
        """Where the truth is known, bool (z, y, x): inside labels and their mask, and not the
        unknown label."""
        return self.opened.read_known(self.opened.roi)

    def __repr__(self) -> str:
        truth = [name for name in ("labels", "labels_mask") if getattr(self, name) is not None]
        size = " x ".join(f"{nm:g}" for nm in self.voxel_size)
        return (
            f"VolumeOnDisk({self.opened.name!r}, {self.shape} {self.raw.dtype}, voxels of {size} "
            f"nm, {', '.join((*truth, *self.arrays)) or 'no labels'})"
        )


@explaining_calls
def open_volume(
    path: str | Path,
    raw: str = _DEFAULT["raw"].default,
    labels: str | None = None,
    *,
    labels_mask: str | None = None,
    voxel_size: Any = None,
    raw_range: tuple[float, float] | None = None,
    region: Any = (),
    **fields: Any,
) -> VolumeOnDisk:
    """Opens raw, and labels if there are any, of a zarr, N5 or precomputed folder, an HDF5, TIFF,
    numpy or NIfTI file, told apart by content.

    path:        of the file, as the working folder sees it; ~ and $NAME are understood
    raw, labels, labels_mask: names of arrays in the file, such as "volumes/raw" (a TIFF file holds
                 one array, and needs no name).  "labels.tif:" and "other.zarr:volumes/labels" name
                 arrays of other files, by their place beside the working folder or in full
    voxel_size:  nm, (z, y, x), or one number for all axes; needed where the file does not say it
    raw_range:   raw values that are black and white, (low, high), or (high, low) where membranes
                 are bright; needed for anything but uint8, and used in prediction
    region:      the part to use, as text "0:100, :, 20:80" in voxels of the world; all by default
    fields:      any other field of lsd.spec.Volume: scale, offset, axes, arrays, unknown, invalid,
                 fit, sharpen; help(lsd.spec.Volume) says what they mean

    Gives a VolumeOnDisk: `.raw` and `.labels` are read when they are indexed, as numpy arrays are
    (volume.raw[10:20, :, 5]; volume.raw[...] is all of it), `.voxel_size` is in nm, `.shape` in
    voxels.  It may be given to lsd.load(...).predict as it is.  Raises ValueError where a file or
    array is missing (and lists those that are there), no voxel size is known, or arrays do not fit
    together.

    >>> import lsd, numpy, tempfile, tifffile
    >>> path = tempfile.mkdtemp() + "/raw.tif"
    >>> tifffile.imwrite(path, numpy.zeros((8, 32, 32), numpy.uint8))
    >>> volume = lsd.open_volume(path, voxel_size=(40, 4, 4))
    >>> volume.shape, volume.voxel_size
    ((8, 32, 32), (40.0, 4.0, 4.0))
    >>> volume.raw[0, 5:7].shape
    (2, 32)
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path is that of a zarr, N5, HDF5 or TIFF file, got {brief(path)}")
    for name in fields:
        if name not in Volume.model_fields:
            allowed = dict.fromkeys((*keywords(open_volume), *Volume.model_fields))
            raise ValueError(unknown_keyword("open_volume", name, allowed))
    fields |= {
        "path": str(path), "raw": raw, "labels": labels, "labels_mask": labels_mask,
        "raw_range": raw_range, "region": region,
    }  # fmt: skip
    if isinstance(voxel_size, Real):
        return _isotropic(fields, voxel_size)
    return _opened({**fields, "voxel_size": voxel_size})


def _opened(fields: Mapping[str, Any]) -> VolumeOnDisk:
    try:
        spec = Volume(**fields)
    except ValidationError as error:
        raise ValueError("; ".join(lines(error))) from None
    return VolumeOnDisk(volumes.open_volume(spec, name=spec.name or spec.stem, data_root=Path()))


def _isotropic(fields: Mapping[str, Any], size: Real) -> VolumeOnDisk:
    """With voxels of one size along all axes, of which the file has three or two."""
    try:
        return _opened({**fields, "voxel_size": (size,) * 3})
    except ValueError as error:
        try:
            return _opened({**fields, "voxel_size": (size,) * 2})
        except ValueError:
            raise error from None
