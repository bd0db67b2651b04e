"""Formats that are not read, by how they look: so that a message names what a file is, not only
what it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

FOLDERS = {
    "header.wkw": "a webKnossos (WKW) data set",
    "datasource-properties.json": "a webKnossos data set",
}
SUFFIXES = {
    ".mrc": "an MRC file", ".rec": "an MRC file", ".map": "an MRC file",
    ".nii": "a damaged NIfTI file", ".nii.gz": "a damaged NIfTI file",
    ".nrrd": "an NRRD file", ".nhdr": "an NRRD file", ".czi": "a Zeiss CZI file",
    ".lif": "a Leica LIF file",
    ".nd2": "a Nikon ND2 file", ".ims": "an Imaris file", ".dm3": "a Gatan DM3 file",
    ".dm4": "a Gatan DM4 file",
    ".npz": "a numpy archive",
    ".png": "a PNG image", ".jpg": "a JPEG image", ".jpeg": "a JPEG image", ".zip": "a zip file",
    ".tar": "a tar file",
    ".gz": "a gzip file", ".h5.gz": "a gzip file", ".swc": "a skeleton", ".xml": "an XML file",
    ".json": "a JSON file",
}  # fmt: skip
IMAGE_FILES = ("a PNG image", "a JPEG image")
MAGIC = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip file",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"NRRD": "an NRRD file",
}


def refusal(
    path: Path, *, read: Sequence[str], claimed: Callable[[Path], str | None]
) -> ValueError:
    """The error for a container that is there but none of those that are read.

    read:    what one of each is called
    claimed: which of these a folder is
    """
    known = f"{', '.join(read[:-1])} or {read[-1]}"
    kind = (_folder if path.is_dir() else _file)(path)
    if kind == "empty":
        return ValueError(
            f"{path} is empty: it is still being written or copied, or it was lost; copy or write "
            f"it again"
        )
    if kind is None and path.is_dir() and (inside := _inside(path, claimed)):
        folder, found = inside
        return ValueError(
            f"{path} does not say what it is, as folders of arrays do; in it lies {folder} "
            f"({found}): name that in its place; a folder that is an array itself has an empty "
            f"name, as in path='{folder}', raw=''"
        )
    if kind is None:
        return ValueError(
            f"{path} is no {known}; these are read, and others by a module that imports= names"
        )
    if kind in IMAGE_FILES or kind.startswith("a folder of images"):
        return ValueError(
            f"{path} is {kind}; 2D images are named by a pattern, as in images=Images("
            f"images='folder/*.png', masks='masks/*.png') in the place of the volume's path, and "
            f"sections of a volume are read from a {known}"
        )
    return ValueError(
        f"{path} is {kind}, which is not read; write it as a {known}, or read it by a module that "
        f"imports= names"
    )


def _folder(path: Path) -> str | None:
    for folder in (path, *_below(path)):
        kind = next((kind for marker, kind in FOLDERS.items() if (folder / marker).is_file()), None)
        if kind:
            return kind if folder == path else f"a folder that holds {kind}, {folder.name!r}"
    if (path / ".zattrs").exists():
        return "a zarr folder without .zgroup or .zarray"
    kinds = {entry.suffix.lower() for entry in path.iterdir() if entry.is_file()}
    images = kinds & {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
    if images:
        return f"a folder of images ({', '.join(sorted(images))})"
    return None if any(path.iterdir()) else "empty"


def _inside(path: Path, claimed: Callable[[Path], str | None]) -> tuple[Path, str] | None:
    """A folder in it, or one further down, that is read, and what it is called."""
    below = _below(path)
    with suppress(OSError):
        for folder in (*below, *(inner for outer in below for inner in _below(outer))):
            if found := claimed(folder):
                return folder, found
    return None


def _below(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if entry.is_dir())[:20]


def _file(path: Path) -> str | None:
    with path.open("rb") as file:
        begin = file.read(8)
    if not begin:
        return "empty"
    name = path.name.lower()
    suffixes = sorted((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len)
    by_content = next((kind for magic, kind in MAGIC.items() if begin.startswith(magic)), None)
    return SUFFIXES[suffixes[-1]] if suffixes else by_content
