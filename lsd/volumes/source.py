"""Voxels of an array on disk, read as they lie there; damage is an error that names the chunk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.volumes import containers
from lsd.volumes.formats.format import Chunk, FileArray, Slices, Unreadable
from lsd.volumes.metadata_values import unreadable

# what codecs raise that cannot decode here, whatever the bytes are
MISSING = (ImportError, AttributeError, KeyError)


class Source:
    """An array of a container, opened when it is first used in a process, so that it can be sent to
    others.

    path: of the container; name: of the array inside
    """

    def __init__(self, path: Path, name: str, *, writable: bool = False) -> None:
        self.path = path
        self.name = name
        self.writable = writable
        self._title = containers.format_of(path).title(path, name)
        self._opened: tuple[int, FileArray] | None = None

    def __str__(self) -> str:
        return self._title

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    @property
    def handle(self) -> FileArray:
        """The open array of this process."""
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = (os.getpid(), self._open())
        return self._opened[1]

    @property
    def key(self) -> object:
        """What tells it from other sources of this process."""
        return self._title

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the pieces that are read and written as a whole."""
        return tuple(self.handle.chunks or self.handle.shape)

    @property
    def in_one_piece(self) -> bool:
        """Whether an array lies on disk as it is, so that parts of it are read without the rest."""
        return self.handle.chunks is None

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`.  ValueError naming the chunk where one is lost or damaged."""
        try:
            self.handle.check(slices, str(self))
            return self.handle.read(slices)
        except PermissionError as error:
            raise unreadable(self.path, error) from error
        except ValueError as error:
            raise (
                error if isinstance(error, Unreadable) else self._damaged(slices, error)
            ) from error
        except Exception as error:  # each codec has errors of its own
            raise self._damaged(slices, error) from error

    def write(self, slices: Slices, data: NDArray[np.generic]) -> None:
        """Puts `data` into `slices`; each chunk is written beside its place and then renamed."""
        assert self.writable, f"{self} was opened for reading"
        try:
            self.handle.write(slices, data)
        except OSError as error:
            raise OSError(
                error.errno, f"{error.strerror}, while writing {self}; what is written so far stays"
            ) from error

    def delete(self, slices: Slices) -> None:
        """Deletes the chunks that `slices` touch."""
        assert self.writable, f"{self} was opened for reading"
        for chunk in self._grid(slices):
            self.handle.delete(chunk)

    def _open(self) -> FileArray:
        return containers.open_file(self.path, self.name, writable=self.writable)

    def _damaged(self, slices: Slices, error: Exception) -> ValueError:
        for chunk in self._grid(slices):
            try:
                self.handle.read(
                    tuple(
                        slice(i * n, (i + 1) * n) for i, n in zip(chunk, self.chunks, strict=True)
                    )
                )
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

    def _grid(self, slices: Slices) -> Iterator[Chunk]:
        """Indices of the chunks that `slices` touch."""
        return product(*self.handle.chunk_ranges(slices))

    def _chunk_name(self, chunk: Chunk) -> str:
        return self.handle.chunk_name(chunk) or f"chunk {'.'.join(map(str, chunk))} of {self}"
