"""Folders whose NIfTI files are arrays that belong together: raw.nii.gz and label.nii.gz."""

from __future__ import annotations

from pathlib import Path

from lsd.spec.formats import NiftiFolder
from lsd.volumes.formats.format import FileArray, FileFormat
from lsd.volumes.formats.nifti import SUFFIXES, NiftiArray


class NiftiFolderFormat(FileFormat[NiftiFolder]):
    """Arrays are called as their files are, without the ending; "mask" also means the one file of
    the folder that is called as in brain_12_mask.nii.gz."""

    reads = "folder of NIfTI files"

    def claims(self, path: Path) -> bool:
        """Whether it holds a NIfTI file, and nothing that makes it a zarr folder."""
        if not path.is_dir() or any((path / name).exists() for name in (".zgroup", ".zarray")):
            return False
        return any(entry.name.endswith(SUFFIXES) for entry in path.iterdir())

    def names(self, path: Path) -> list[str]:
        """The names of its files."""
        return sorted(_files(path))

    def find(self, path: Path, name: str) -> str | None:
        """The array of that name, or the only one whose name ends with it."""
        name, files = name.strip("/"), _files(path)
        if name in files:
            return name
        ends = [other for other in files if name and other.endswith(f"_{name}")]
        return ends[0] if len(ends) == 1 else None

    def open(self, path: Path, name: str) -> FileArray:
        """See `NiftiArray`."""
        return NiftiArray(_files(path)[name])


def _files(path: Path) -> dict[str, Path]:
    """The NIfTI files of a folder by their names without the ending."""
    return {
        entry.name.removesuffix(".gz").removesuffix(".nii"): entry
        for entry in path.iterdir()
        if entry.name.endswith(SUFFIXES)
    }
