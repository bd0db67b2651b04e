"""zarr v3 folders, with shards or without, and all that OME-Zarr 0.5 says of them; for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.formats import Zarr3
from lsd.volumes.formats.chunk_files import content, indices_of_files
from lsd.volumes.formats.folders import Described, FolderArray, FolderFormat
from lsd.volumes.formats.format import Chunk, FileArray
from lsd.volumes.formats.groups import ZARR3, is_zarr2
from lsd.volumes.formats.zarr3_codecs import chain, named, whole_numbers
from lsd.volumes.metadata_values import json_object, mapping, shown

_TYPES = (
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
    "float32", "float64",
)  # fmt: skip
_WORDS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}


class Zarr3Format(FolderFormat[Zarr3]):
    """Folders with a zarr.json."""

    reads = "zarr v3 folder"
    suffixes = (".zarr",)

    def claims(self, path: Path) -> bool:
        """Whether the folder has the file that marks a group or array, and is not of v2, too."""
        return (path / ZARR3).is_file() and not is_zarr2(path)

    def is_array(self, folder: Path) -> bool:
        """Whether zarr.json says so."""
        return json_object(folder / ZARR3).get("node_type") == "array"

    def open(self, path: Path, name: str) -> FileArray:
        """See `Zarr3Array`."""
        return Zarr3Array(path, name)


class Zarr3Array(FolderArray):
    """An array; its chunks are files, or lie in shards, which are files.

    Raises ValueError naming the field of zarr.json that is wrong, or not known here.
    """

    def __init__(self, path: Path, name: str) -> None:
        folder = path / name
        file = folder / ZARR3
        fields = json_object(file)
        version = fields.get("zarr_format")
        if version != 3:
            raise ValueError(f"{file} is of zarr_format {shown(version)}; 3 is read")
        if fields.get("storage_transformers"):
            raise ValueError(
                f"{file} has storage_transformers {shown(fields['storage_transformers'])}; none "
                f"are known here: write it without"
            )
        shape = _sizes(fields.get("shape"), f"{file}: shape", least=0)
        dtype = _dtype(fields.get("data_type"), f"{file}: data_type")
        grid, settings = named(fields.get("chunk_grid"), f"{file}: chunk_grid")
        if grid != "regular":
            raise ValueError(f"{file}: chunk_grid is {shown(grid)}; regular is read")
        self._file_shape = whole_numbers(
            settings.get("chunk_shape"), len(shape), f"{file}: chunk_shape", least=1
        )
        fill = _fill(fields.get("fill_value"), dtype, f"{file}: fill_value")
        self.codecs = chain(
            fields.get("codecs"), self._file_shape, dtype, fill=fill, title=f"{file}: codecs"
        )
        self.separator, self.prefix = _key(fields.get("chunk_key_encoding"), file)
        super().__init__(
            folder,
            name,
            Described(shape, dtype),
            chunks=self.codecs.shards.chunk if self.codecs.shards else self._file_shape,
            attrs=_attributes(fields, file),
            fill=fill,
        )

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Of a shard, or a chunk."""
        return self._file_shape

    def encoding_fields(self) -> dict[str, Any]:
        """zarr.json without attributes and the names of axes."""
        said = ("attributes", "dimension_names", "consolidated_metadata")
        fields = json_object(self.folder / ZARR3)
        return {name: value for name, value in fields.items() if name not in said}

    def file_of(self, index: Chunk) -> Path:
        """As chunk_key_encoding says."""
        return self.folder / (self.prefix + self.separator.join(map(str, index)))

    def decoded(self, ranges: list[range]) -> Iterator[tuple[Chunk, NDArray[Any]]]:
        """Of each file that is there."""
        shards = self.codecs.shards
        if shards is None:
            for index in product(*ranges):
                if (data := content(self.file_of(index))) is not None:
                    yield index, self.codecs.decode(data)
            return
        grid = shards.grid
        files = (
            range(r.start // n, -(-r.stop // n)) if r else r
            for r, n in zip(ranges, grid, strict=True)
        )
        for index in product(*files):
            file = self.file_of(index)
            if not file.exists():
                continue
            begin = [i * n for i, n in zip(index, grid, strict=True)]
            inside = [
                range(max(r.start - b, 0), min(r.stop - b, n))
                for r, b, n in zip(ranges, begin, grid, strict=True)
            ]
            for inner, values in shards.read(file, inside):
                yield tuple(b + i for b, i in zip(begin, inner, strict=True)), values

    def stored_chunks(self) -> Iterator[Chunk]:
        """Those that have a file, or are in the index of one."""
        shards = self.codecs.shards
        for index in self._files():
            if shards is None:
                yield index
                continue
            for inner in shards.stored(self.file_of(index)):
                yield tuple(i * n + j for i, n, j in zip(index, shards.grid, inner, strict=True))

    def why_empty(self, title: str) -> str:
        """No chunk is where chunk_key_encoding says."""
        return (
            f"no chunk of {self.folder} is on disk, where its zarr.json says that they are called "
            f"{self.prefix}{self.separator.join('0' * len(self.shape))}: copy or compute it again"
        )

    def chunk_name(self, chunk: Chunk) -> str:
        """The file that the chunk lies in, and which it is of a shard."""
        shards = self.codecs.shards
        if shards is None:
            return str(self.file_of(chunk))
        file = self.file_of(tuple(i // n for i, n in zip(chunk, shards.grid, strict=True)))
        inner = ".".join(str(i % n) for i, n in zip(chunk, shards.grid, strict=True))
        return f"chunk {inner} of the shard {file}"

    def _files(self) -> Iterator[Chunk]:
        """Indices of the files that are there."""
        axes = len(self.shape)
        if self.prefix == "c.":
            for file in self.folder.glob("c.*"):
                parts = file.name.split(".")[1:]
                if len(parts) == axes and all(part.isdigit() for part in parts):
                    yield tuple(map(int, parts))
            return
        yield from indices_of_files(self.folder / self.prefix, axes, self.separator)


def _sizes(value: Any, title: str, *, least: int) -> tuple[int, ...]:
    return whole_numbers(value, len(value) if isinstance(value, list) else -1, title, least=least)


def _dtype(value: Any, title: str) -> np.dtype[Any]:
    name = value.get("name") if isinstance(value, Mapping) else value
    if name not in _TYPES:
        raise ValueError(f"{title} is {shown(value)}; these are read: {', '.join(_TYPES)}")
    return np.dtype(name)


def _fill(value: Any, dtype: np.dtype[Any], title: str) -> Any:
    """The fill value; floats that JSON has no numbers for are words, or their bits."""
    number: Any = None
    if isinstance(value, str) and dtype.kind == "f":
        number = _WORDS.get(value)
        if value.startswith("0x") and len(value) == 2 + 2 * dtype.itemsize:
            number = np.frombuffer(bytes.fromhex(value[2:]), dtype.newbyteorder(">"))[0]
    elif dtype.kind == "b" or isinstance(value, bool):
        number = value if dtype.kind == "b" and isinstance(value, bool) else None
    elif isinstance(value, int) or (dtype.kind == "f" and isinstance(value, float)):
        limits = np.iinfo(dtype) if dtype.kind in "iu" else None
        number = value if limits is None or limits.min <= value <= limits.max else None
    if number is None:
        raise ValueError(f"{title} is {shown(value)}; it must be a value of {dtype}")
    return np.array(number, dtype)[()]


def _key(value: Any, file: Path) -> tuple[str, str]:
    """What stands between the indices in the name of a chunk, and what before them."""
    name, settings = named(value, f"{file}: chunk_key_encoding")
    if name not in ("default", "v2"):
        raise ValueError(f"{file}: chunk_key_encoding is {shown(name)}; default and v2 are read")
    separator = settings.get("separator", "/" if name == "default" else ".")
    if separator not in ("/", "."):
        raise ValueError(f"{file}: separator is {shown(separator)}; it must be / or .")
    return separator, f"c{separator}" if name == "default" else ""


def _attributes(fields: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The attributes, with the names of the axes, which stand beside them."""
    attributes = dict(mapping(fields.get("attributes"), f"{file}: attributes"))
    names = fields.get("dimension_names")
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        attributes.setdefault("_ARRAY_DIMENSIONS", names)
    return attributes
