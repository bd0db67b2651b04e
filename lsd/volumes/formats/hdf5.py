"""HDF5 files: opened for reading beside whatever else happens to them, or a sentence that says what
that is."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Hdf5
from lsd.volumes.attributes import KEYS, completed, from_attributes
from lsd.volumes.formats.format import (
    Chunk,
    FileArray,
    FileFormat,
    Slices,
    Unreadable,
    each_once,
    stamps,
)
from lsd.volumes.metadata import Statement
from lsd.volumes.metadata_values import unreadable

# registered at portal.hdfgroup.org; the names that people know
FILTERS = {
    4: "szip", 305: "LZO", 307: "bzip2", 32000: "LZF", 32001: "Blosc", 32004: "LZ4",
    32008: "bitshuffle", 32013: "ZFP",
    32015: "Zstandard", 32017: "SZ", 32024: "SZ3", 32026: "Blosc2",
}  # fmt: skip
_TRUNCATED = re.compile(r"truncated file: eof = (\d+),.*stored_eof = (\d+)")


class Hdf5Format(FileFormat[Hdf5]):
    """Files that HDF5 knows as its own."""

    reads = "HDF5 file"
    suffixes = (".h5", ".hdf", ".hdf5")

    def claims(self, path: Path) -> bool:
        """Whether the file begins with the bytes that mark HDF5."""
        return path.is_file() and bool(h5py.is_hdf5(path))

    def names(self, path: Path) -> list[str]:
        """Names of all datasets."""
        names: list[str] = []
        with open_hdf5(path) as file:
            file.visititems(
                lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
            )
        return names

    def find(self, path: Path, name: str) -> str | None:
        """A dataset, also one that a link to another file leads to."""
        name = name.strip("/")
        with open_hdf5(path) as file:
            return name if _is_dataset(file, name or "/", path) else None

    def open(self, path: Path, name: str) -> FileArray:
        """See `Hdf5Array`."""
        return Hdf5Array(path, name)


class Hdf5Array(FileArray):
    """A dataset; `chunks` is None where it lies in the file as it is."""

    def __init__(self, path: Path, name: str) -> None:
        opened = open_dataset(path, name)
        # which files it takes voxels from is asked where that is wanted: it opens all of them
        super().__init__(opened, files=(), chunks=opened.chunks, attrs=opened.attrs)
        self.path, self.name = path, name
        self._is_whole = not opened.is_virtual

    @property
    def fill(self) -> Any:
        """The fill value of the dataset."""
        return self.values.fillvalue

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`."""
        data: NDArray[np.generic] = self.values[slices]
        return data

    def stated(self) -> Statement:
        """What its attributes, and those of the groups around it, say."""
        dims = len(self.shape)
        own_statement = from_attributes(_stated(self.values), dims)
        return completed(own_statement, group_attributes(self.values), self.name, dims)

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """Size and time of all files that it takes voxels from."""
        yield stamps(each_once({str(self.path), *self._files(f"{self.path}:{self.name}")}))

    def check(self, slices: Slices, title: str) -> None:
        """What HDF5 reads without a word: virtual datasets of which a file, or a dataset of it, is
        not there, or one that this takes its values from."""
        if not self._is_whole:
            self._files(title)
            self._is_whole = True

    def stored_chunks(self) -> Iterator[Chunk] | None:
        """As HDF5 lists them; a dataset without chunks is written whole or not at all, and of a
        virtual one nothing is said."""
        opened = self.values
        if opened.is_virtual:
            return None
        if opened.chunks is None:
            return None if opened.id.get_storage_size() else iter(())
        if not hasattr(opened.id, "chunk_iter"):
            return None
        offsets: list[tuple[int, ...]] = []
        if opened.id.get_storage_size():
            opened.id.chunk_iter(lambda info: offsets.append(info.chunk_offset))
        return (
            tuple(n // size for n, size in zip(offset, opened.chunks, strict=True))
            for offset in offsets
        )

    def _files(self, title: str) -> list[str]:
        try:
            return files(self.values)
        except ValueError as error:
            raise Unreadable(f"{title} cannot be read: {error}") from error


def open_hdf5(path: Path) -> h5py.File:
    """The file, open for reading.  ValueError that says who else has it open, or what is wrong with
    it."""
    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError as error:
        raise ValueError(_why_closed(path, error)) from error


def open_dataset(path: Path, name: str) -> h5py.Dataset:
    """A dataset whose values can be read here: ValueError names a filter that is not there, or a
    file that it lies in."""
    dataset = open_hdf5(path)[name]
    for code, known_as in _filters(dataset):
        _need_filter(code, known_as)
    # a link may have led to another folder
    beside = Path(dataset.file.filename).parent
    virtual, external = _other_files(dataset)
    for file in (*virtual, *external):
        if not (beside / file).exists():
            raise ValueError(f"its values lie in {file}, which is not beside it")
    for file in external:
        if not Path(file).exists() or not Path(file).samefile(beside / file):
            raise ValueError(
                f"its values lie in {file}, which HDF5 looks for in the folder that a program runs "
                f"in: run it in {beside.resolve()}, or name that file by its whole path"
            )
    return dataset


def files(dataset: h5py.Dataset) -> list[str]:
    """The files that the values of a dataset lie in.  Links, virtual and external datasets lead to
    other files, and these to further ones.  ValueError where one of them has no such dataset."""
    file_names, to_visit = set[str](), [(dataset.file.filename, dataset.name)]
    known = set(to_visit)
    while to_visit:
        path, name = to_visit.pop()
        file_names.add(path)
        if not Path(path).exists():
            raise ValueError(f"its values lie in {path}, which is not there")
        with open_hdf5(Path(path)) as file:
            if not _is_dataset(file, name, Path(path)):
                raise ValueError(f"its values lie in {path}:{name}, which is not there")
            item = file[name]
            # a link is followed by opening what it leads to
            file_names.add(item.file.filename)
            beside = Path(item.file.filename).parent
            file_names |= {str(beside / other) for other, *_ in item.external or ()}
            sources = item.virtual_sources() if item.is_virtual else []
            paths = (
                item.file.filename if source.file_name == "." else str(beside / source.file_name)
                for source in sources
            )
            further = [
                pair
                for pair in zip(paths, (source.dset_name for source in sources), strict=True)
                if pair not in known
            ]
        known.update(further)
        to_visit += further
    return sorted(file_names)


def _stated(item: Any) -> Mapping[str, Any]:
    """The attributes of a dataset or group that may say where its voxels lie."""
    try:
        return {key: item.attrs[key] for key in KEYS if key in item.attrs}
    except (OSError, TypeError, ValueError) as error:
        raise ValueError(f"its attributes cannot be read: {error}") from error


def group_attributes(dataset: h5py.Dataset) -> list[Mapping[str, Any]]:
    """Attributes of the groups around a dataset, those of the nearest group first."""
    attributes, item = [], dataset
    while item.name and item.name != "/":
        item = item.parent
        attributes.append(_stated(item))
    return attributes


def _is_dataset(file: h5py.File, name: str, path: Path) -> bool:
    try:
        return isinstance(file.get(name), h5py.Dataset)
    except Exception as error:  # links to other files, types that h5py does not know
        raise ValueError(f"{path}:{name} cannot be opened: {error}") from error


def _filters(dataset: h5py.Dataset) -> list[tuple[int, str]]:
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    return [
        (code, FILTERS.get(code) or name.decode("utf-8", "replace") or "unknown")
        for code, _, _, name in filters
    ]


def _need_filter(code: int, known_as: str) -> None:
    """Loads hdf5plugin, which brings most filters, if this one is not there."""
    if h5py.h5z.filter_avail(code):
        return
    try:
        importlib.import_module("hdf5plugin")
    except ImportError:
        raise ValueError(
            f"it is compressed by {known_as} (HDF5 filter {code}), which h5py lacks: pip install "
            f"hdf5plugin, which has it"
        ) from None
    if not h5py.h5z.filter_avail(code):
        raise ValueError(
            f"it is compressed by {known_as} (HDF5 filter {code}), which neither h5py nor "
            f"hdf5plugin has: write it with gzip"
        )


def _other_files(dataset: h5py.Dataset) -> tuple[list[str], list[str]]:
    """Where values of virtual and of external datasets lie; HDF5 reads fill values for those of the
    former that are not there."""
    sources = dataset.virtual_sources() if dataset.is_virtual else []
    virtual = [source.file_name for source in sources if source.file_name != "."]
    return virtual, [file for file, *_ in dataset.external or ()]


def _why_closed(path: Path, error: OSError) -> str:
    text = str(error)
    cut = _TRUNCATED.search(text)
    if "unable to lock file" in text:
        return (
            f"{path} is open for writing in another process: wait until that has closed it, or "
            f"read a copy; where nobody "
            "writes, and the file system cannot lock files, set HDF5_USE_FILE_LOCKING=FALSE in the "
            "environment"
        )
    if "already open for write" in text:
        return (
            f"{path} is open for writing in another process, or was left so by one that was "
            f"killed: wait until it is closed; "
            f"if nobody writes, 'h5clear -s {path}' of the HDF5 tools says so in the file"
        )
    if cut:
        return (
            f"{path} is not whole, it has {cut[1]} of its {cut[2]} bytes: it is still being "
            f"written or copied, or damaged; "
            "wait, or copy it again"
        )
    if isinstance(error, PermissionError):
        return str(unreadable(path, PermissionError(error.errno, "permission denied", str(path))))
    return f"{path} cannot be opened, it is damaged: {error}"
