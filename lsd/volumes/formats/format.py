"""What a file format of arrays offers to the rest of the program, and how to write one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from array import array as integers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from lsd.spec.answering import HandedOut
from lsd.spec.formats import Format
from lsd.volumes.attributes import from_attributes
from lsd.volumes.metadata import Statement

Slices = tuple[slice | int, ...]
Chunk = tuple[int, ...]
FormatSpec = TypeVar("FormatSpec", bound=Format)


class Unreadable(ValueError):
    """A chunk that is not to be read; the message says why in a sentence."""


class FileArray(HandedOut):
    """An array of a file, open in this process.

    values: what has shape and dtype and is indexed with slices, such as a numpy array or np.memmap
    files:  those that its voxels lie in
    chunks: shape of the pieces that are read as a whole, one size an axis; None: parts are read
            without the rest
    attrs:  what the file says of the array, by the names that `lsd.volumes.attributes` knows:
            {"resolution": (40, 4, 4), "offset": (0, 0, 0), "units": "nm", "axis_names": ["z", "y",
            "x"]}, one entry an axis of space in the order on disk
    """

    def __init__(
        self,
        values: Any,
        *,
        files: Sequence[str | Path],
        chunks: Sequence[int] | None = None,
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        self.values = values
        self.files = sorted({str(file) for file in files})
        self.chunks = None if chunks is None else tuple(chunks)
        self.attrs: Mapping[str, Any] = {} if attrs is None else attrs

    @property
    def shape(self) -> Any:
        """Shape of the array on disk, channels included; None if it holds nothing."""
        return self.values.shape

    @property
    def dtype(self) -> Any:
        """The dtype of the values on disk."""
        return self.values.dtype

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`, in a buffer of their own; two threads may ask at once."""
        check_map(self.values)
        return np.array(self.values[slices])

    def stated(self) -> Statement:
        """What the file says of axes, voxel size and offset."""
        return from_attributes(self.attrs, len(self.shape))

    def identity(self, slices: Slices) -> Iterator[bytes]:
        """What tells the content of `slices` from another without reading a voxel.

        By default sizes and times of its files: a change anywhere in them counts.
        """
        yield stamps(each_once(self.files))

    @property
    def fill(self) -> Any:
        """What chunks hold that were never written; None where that is not known."""
        return None

    def stored_chunks(self) -> Iterator[Chunk] | None:
        """Indices of the chunks that are on disk; None where the format does not tell."""
        return None

    @property
    def image_sizes(self) -> NDArray[np.int64] | None:
        """Of an array whose sections are images of their own, how large each is, (sections, 2)
        along y and x from 0 on; beyond that there is nothing.  None for any other."""
        return None

    def why_empty(self, title: str) -> str:
        """Why no chunk is on disk, as a part of a sentence.  title: what messages call the
        array."""
        return f"nothing was ever written to {title}"

    def check(self, slices: Slices, title: str) -> None:
        """Raises Unreadable for chunks that `read` would not find damaged, though they are."""

    def chunk_name(self, chunk: Chunk) -> str | None:
        """What messages call a chunk, such as its file; None: by its indices."""
        return None

    def write(self, slices: Slices, data: NDArray[np.generic]) -> None:
        """Puts `data` into `slices`.  Only formats that are written have it."""
        raise TypeError(f"arrays of {type(self).__name__} are read only")

    def delete(self, chunk: Chunk) -> None:
        """Deletes a chunk.  Only formats that are written have it."""
        raise TypeError(f"arrays of {type(self).__name__} are read only")

    def bounds(self, slices: Slices) -> list[tuple[int, int]]:
        """Begin and end of `slices` along each axis on disk; those of an index hold one voxel."""
        whole = (part if isinstance(part, slice) else slice(part, part + 1) for part in slices)
        return [part.indices(n)[:2] for part, n in zip(whole, self.shape, strict=True)]

    def chunk_ranges(self, slices: Slices) -> list[range]:
        """Indices of the chunks that `slices` touch, along each axis on disk."""
        bounds = zip(self.bounds(slices), self.chunks or self.shape, strict=True)
        return [range(begin // size, -(-end // size)) for (begin, end), size in bounds]


class FileFormat(ABC, Generic[FormatSpec]):
    """What a kind of files can do.  Made from a spec, which has no settings as a rule.

    A file or folder is opened by the format that claims it; no config names a format.  Those that
    are defined last are asked first, so a format of one's own may take over files that another one
    would read.  A format whose files hold a single array, in a module of one's own that the config
    names with imports=:

        class Bytes(Format):
            kind: Literal["bytes"] = "bytes"
            behaviour: ClassVar[str] = "my_formats:BytesFormat"

        class BytesFormat(FileFormat[Bytes]):
            reads = "file of 64 sections of 1024 by 1024 bytes"
            suffixes = (".raw",)
            is_single = True

            def claims(self, path: Path) -> bool:
                return path.is_file() and path.suffix == ".raw"

            def open(self, path: Path, name: str) -> FileArray:
                voxels = np.memmap(path, np.uint8, "r", shape=(64, 1024, 1024))
                return FileArray(voxels, files=[path])

    reads:     what a file of it is called, for messages
    suffixes:  of their names, for messages about a file that is not there
    is_single: a file holds one array, which has no name
    """

    reads: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    is_single: ClassVar[bool] = False

    def __init__(self, spec: FormatSpec) -> None:
        self.spec = spec

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Whether a file or folder, which may not exist, is of this format.  Asked often: look at
        the first bytes at most.  May raise OSError."""

    @abstractmethod
    def open(self, path: Path, name: str) -> FileArray:
        """The array `name`, which `find` gave, for reading.  Handles do not cross processes.

        Raises ValueError that says what is wrong, or any error for a file that is damaged.
        """

    def names(self, path: Path) -> list[str]:
        """Names of the arrays in a file."""
        if not self.is_single:
            raise TypeError(
                f"format {self.spec.kind!r} does not list its arrays: give its class names, or "
                f"is_single = True"
            )
        return [""]

    def find(self, path: Path, name: str) -> str | None:
        """The name of the array that `name` means, None if there is none."""
        name = name.strip("/")
        return name if name in self.names(path) else None

    def levels(self, path: Path, name: str) -> list[str]:
        """Names of the arrays that the file says are the same image as `name`, in other voxels.
        What each of them is, it says by itself."""
        return []

    def title(self, path: Path, name: str) -> str:
        """What messages call an array."""
        return f"{path}:{name}" if name else str(path)

    def open_writable(self, path: Path, name: str) -> FileArray:
        """The array, for writing as well.  For a format that is written."""
        raise TypeError(f"a {self.reads} is read only")


def check_map(values: Any) -> None:
    """Raises ValueError for a map of a file (np.memmap) that is shorter by now: what is read of a
    map beyond the end of its file ends the process."""
    if not isinstance(values, np.memmap) or values.filename is None:
        return
    if os.stat(values.filename).st_size < values.offset + values.nbytes:
        raise ValueError("it was cut off, or written anew, since it was opened")


def without_indexed(data: NDArray[Any], slices: Slices) -> NDArray[Any]:
    """`data` of the bounds of `slices` without the axes of which `slices` name one voxel."""
    return np.asarray(data[tuple(slice(None) if isinstance(part, slice) else 0 for part in slices)])


def each_once(files: Iterable[str]) -> list[str]:
    """The files, each once and in one order, whatever paths name them: relative ones, absolute
    ones, or links."""
    return sorted({os.path.realpath(file) for file in files})


def stamps(files: Sequence[str]) -> bytes:
    """Time of the last change and size of each file; -1 where there is none."""
    numbers = integers("q")
    for file in files:
        try:
            status = os.stat(file)
        except (FileNotFoundError, NotADirectoryError):
            numbers.extend((-1, -1))
        else:
            numbers.extend((status.st_mtime_ns, status.st_size))
    return numbers.tobytes()
