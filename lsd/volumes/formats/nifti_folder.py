"""Folders whose NIfTI files are arrays that belong together: raw.nii.gz and label.nii.gz."""

from __future__ import annotations

from pathlib import Path

from lsd.spec.formats import NiftiFolder
from lsd.volumes.formats.format import FileArray, FileFormat
from lsd.volumes.formats.groups import is_group, is_zarr2
from lsd.volumes.formats.nifti import SUFFIXES, NiftiArray
from lsd.volumes.formats.precomputed import is_precomputed


class NiftiFolderFormat(FileFormat[NiftiFolder]):
    """Arrays are called as their files are, without the ending; "mask" also means the one file of
    the folder that is called as in brain_12_mask.nii.gz."""

    reads = "folder of NIfTI files"

    def claims(self, path: Path) -> bool:
        """Whether it holds a NIfTI file, and nothing that makes it a folder of another format."""
        if not path.is_dir() or is_zarr2(path) or is_group(path) or is_precomputed(path):
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
    """The NIfTI files of a folder by their names without the ending.  ValueError for two of one
    name, of which one may be of before."""
    files: dict[str, Path] = {}
    for entry in sorted(path.iterdir()):
        if entry.name.endswith(SUFFIXES):
            name = entry.name.removesuffix(".gz").removesuffix(".nii")
            if name in files:
                raise ValueError(
                    f"{path} holds {files[name].name} and {entry.name}, and which is meant nobody "
                    f"says: move one of them elsewhere"
                )
            files[name] = entry
    return files
