"""File formats of arrays."""

from __future__ import annotations

from typing import ClassVar, Literal

from lsd.spec.kinds import Kind


class Format(Kind):
    """A file format of arrays; `lsd.volumes.formats.format` says how to write one.

    A file is opened by the format that claims it, so no volume names its format.
    """

    noun: ClassVar[str] = "format"


class Zarr2(Format):
    """zarr v2 folders, with OME-Zarr metadata or without."""

    kind: Literal["zarr"] = "zarr"
    behaviour: ClassVar[str] = "lsd.volumes.formats.zarr2:ZarrFormat"


class Zarr3(Format):
    """zarr v3 folders, with OME-Zarr metadata or without; read only."""

    kind: Literal["zarr3"] = "zarr3"
    behaviour: ClassVar[str] = "lsd.volumes.formats.zarr3:Zarr3Format"


class N5(Format):
    """N5 folders; read only."""

    kind: Literal["n5"] = "n5"
    behaviour: ClassVar[str] = "lsd.volumes.formats.n5:N5Format"


class PrecomputedVolume(Format):
    """Volumes as neuroglancer reads them; read only."""

    kind: Literal["precomputed"] = "precomputed"
    behaviour: ClassVar[str] = "lsd.volumes.formats.precomputed:PrecomputedFormat"


class Hdf5(Format):
    """HDF5 files."""

    kind: Literal["hdf5"] = "hdf5"
    behaviour: ClassVar[str] = "lsd.volumes.formats.hdf5:Hdf5Format"


class Tiff(Format):
    """TIFF files."""

    kind: Literal["tiff"] = "tiff"
    behaviour: ClassVar[str] = "lsd.volumes.formats.tiff:TiffFormat"


class Npy(Format):
    """numpy files of one array."""

    kind: Literal["npy"] = "npy"
    behaviour: ClassVar[str] = "lsd.volumes.formats.npy:NpyFormat"


class ImageList(Format):
    """Lists of 2D images in files of their own, each a section."""

    kind: Literal["image_list"] = "image_list"
    behaviour: ClassVar[str] = "lsd.volumes.formats.image_list:ImageListFormat"


class Nifti(Format):
    """NIfTI files."""

    kind: Literal["nifti"] = "nifti"
    behaviour: ClassVar[str] = "lsd.volumes.formats.nifti:NiftiFormat"


class NiftiFolder(Format):
    """Folders of NIfTI files that belong together."""

    kind: Literal["nifti_folder"] = "nifti_folder"
    behaviour: ClassVar[str] = "lsd.volumes.formats.nifti_folder:NiftiFolderFormat"


__all__ = [
    "Format",
    "Hdf5",
    "ImageList",
    "N5",
    "Nifti",
    "NiftiFolder",
    "Npy",
    "PrecomputedVolume",
    "Tiff",
    "Zarr2",
    "Zarr3",
]
