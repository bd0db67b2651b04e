"""Voxels of an array on disk, read as they lie there; damage is an error that names the chunk."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.volumes import containers
from lsd.volumes.checked import unreadable

Slices = tuple[slice | int, ...]
Chunk = tuple[int, ...]
_BLOSC_SIZE = slice(12, 16)


# what codecs raise that cannot decode here, whatever the bytes are
MISSING = (ImportError, AttributeError, KeyError)


class Unreadable(ValueError):
    """A chunk that is not to be read, as a sentence."""


class Source:
    """An array of a container, opened when it is first used in a process, so that it can be sent to
    others.

    path: of the container; name: of the array inside
    """

    def __init__(self, path: Path, name: str, *, writable: bool = False) -> None:
        self.path = path
        self.name = name
        self.writable = writable
        self.kind = containers.kind(path)
        self._opened: tuple[int, Any] | None = None

    def __str__(self) -> str:
        # level 0 goes by the name of its image
        name = self.name.removesuffix("/0") if self.kind == "zarr" else self.name
        return f"{self.path}:{name}" if name else str(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    @property
    def handle(self) -> Any:
        """The open array of this process."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (
                os.getpid(),
                containers.handle(self.path, self.name, writable=self.writable),
            )
        return self._opened[1]

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the pieces that are read and written as a whole."""
        return tuple(self.handle.chunks or self.handle.shape)

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`.  ValueError naming the chunk where one is lost or damaged."""
        try:
            self._refuse_unreadable(slices)
            data: NDArray[np.generic] = self.handle[slices]
        except PermissionError as error:
            raise unreadable(self.path, error) from error
        except ValueError as error:
            raise (
                error if isinstance(error, Unreadable) else self._damaged(slices, error)
            ) from error
        except Exception as error:  # each codec has errors of its own
            raise self._damaged(slices, error) from error
        return data

    def write(self, slices: Slices, data: NDArray[np.generic]) -> None:
        """Puts `data` into `slices`; each chunk is written beside its place and then renamed."""
        assert self.writable, f"{self} was opened for reading"
        try:
            self.handle[slices] = data
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror}, while writing {self}; what is written so far stays"
            ) from error

    def delete(self, slices: Slices) -> None:
        """Deletes the chunks of a zarr array that `slices` touch."""
        assert self.writable, f"{self} was opened for reading"
        for chunk in self._grid(slices):
            self._chunk_file(chunk).unlink(missing_ok=True)

    def _refuse_unreadable(self, slices: Slices) -> None:
        """What zarr reads without a word: chunks that are not there, cut Blosc chunks (numcodecs
        reads past the end)."""
        if self.kind != "zarr":
            return
        required = self.handle.fill_value is None
        blosc = getattr(self.handle.compressor, "codec_id", "") == "blosc"
        for chunk in self._grid(slices) if required or blosc else ():
            file = self._chunk_file(chunk)
            if required and not file.exists():
                raise Unreadable(
                    f"{file} was never written: {self} is not complete; run what writes it again"
                )
            if blosc and file.exists() and _is_cut(file):
                raise Unreadable(f"{file} is truncated: copy or compute {self} again")

    def _damaged(self, slices: Slices, error: Exception) -> ValueError:
        for chunk in self._grid(slices):
            try:
                self.handle[
                    tuple(
                        slice(i * n, (i + 1) * n) for i, n in zip(chunk, self.chunks, strict=True)
                    )
                ]
            except MISSING as cause:
                return ValueError(f"{self._chunk_name(chunk)} cannot be decoded here: {cause}")
            except MemoryError:
                return ValueError(
                    f"{self._chunk_name(chunk)} does not fit into memory: chunks of {self} are "
                    f"{self.chunks}"
                )
            except Exception as cause:
                return ValueError(
                    f"{self._chunk_name(chunk)} cannot be read, it is damaged ({cause}): copy or "
                    f"compute it again"
                )
        return ValueError(f"{self} cannot be read: {error}")

    def chunk_ranges(self, slices: Slices) -> list[range]:
        """Indices of the chunks that `slices` touch, along each axis on disk."""
        ranges = []
        for part, extent, size in zip(slices, self.handle.shape, self.chunks, strict=True):
            begin, end, _ = (part if isinstance(part, slice) else slice(part, part + 1)).indices(
                extent
            )
            ranges.append(range(begin // size, -(-end // size)))
        return ranges

    @property
    def files(self) -> list[str]:
        """Those that the voxels of an HDF5 or TIFF array lie in."""
        return containers.files(self.path, self.handle)

    @property
    def separator(self) -> str:
        """What stands between the indices in the name of a zarr chunk."""
        return str(self.handle._dimension_separator)

    def _grid(self, slices: Slices) -> Iterator[Chunk]:
        """Indices of the chunks that `slices` touch."""
        return product(*self.chunk_ranges(slices))

    def _chunk_name(self, chunk: Chunk) -> str:
        return (
            str(self._chunk_file(chunk))
            if self.kind == "zarr"
            else f"chunk {'.'.join(map(str, chunk))} of {self}"
        )

    def _chunk_file(self, chunk: Chunk) -> Path:
        return Path(
            self.path
            / self.name
            / self.handle._chunk_key(chunk).removeprefix(self.handle._key_prefix)
        )


def _is_cut(file: Path) -> bool:
    with file.open("rb") as opened:
        header = opened.read(16)
    return len(header) < 16 or file.stat().st_size < struct.unpack("<I", header[_BLOSC_SIZE])[0]
