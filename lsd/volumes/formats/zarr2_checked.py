"""zarr v2 arrays: opened once what describes them is known to be whole, and their codecs to be
there."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from errno import EACCES
from pathlib import Path
from typing import Any

import zarr
from numcodecs import blosc, registry

from lsd.volumes.formats.codec import with_checksums
from lsd.volumes.metadata_values import as_tuple, json_object, mapping, shown
from lsd.volumes.units import LARGEST

FIELDS = ("zarr_format", "shape", "chunks", "dtype", "compressor", "fill_value", "order", "filters")


def open_zarr(array: Path, *, writable: bool = False) -> Any:
    """The array in a folder.  ValueError naming the field of .zarray that is wrong, or the codec
    that is not there."""
    if not os.access(array, os.R_OK | os.X_OK):
        raise PermissionError(EACCES, "permission denied", str(array))
    file = array / ".zarray"
    fields = json_object(file)
    _check_fields(fields, file)
    for codec in (fields["compressor"], *as_tuple(fields["filters"] or [])):
        _check_codec(mapping(codec, f"the codec in {file}"))
    try:
        opened = zarr.open_array(str(array), mode="r+" if writable else "r")
        return with_checksums(opened) if writable else opened
    except Exception as error:  # of whatever field is left
        raise ValueError(f"{file} is damaged, or says what zarr does not know: {error}") from error


def _check_fields(fields: Mapping[str, Any], file: Path) -> None:
    missing = [name for name in FIELDS if name not in fields]
    if missing:
        raise ValueError(f"{file} is damaged: it has no {', '.join(missing)}")
    if fields["zarr_format"] != 2:
        raise ValueError(f"{file} is of zarr_format {shown(fields['zarr_format'])}; 2 is read")
    for name, allowed in (("order", ("C", "F")), ("dimension_separator", (".", "/", None))):
        if fields.get(name) not in allowed:
            raise ValueError(
                f"{file} is damaged: {name} is {shown(fields[name])}; it must be "
                f"{' or '.join(filter(None, allowed))}"
            )
    shape, chunks = fields["shape"], fields["chunks"]
    for name, value, least in (("shape", shape, 0), ("chunks", chunks, 1)):
        whole = isinstance(value, list) and all(
            type(n) is int and least <= n < LARGEST for n in value
        )
        if not whole or len(value) != len(shape):
            raise ValueError(
                f"{file} is damaged: {name} is {shown(value)}; it must be a whole number an axis"
            )


def _check_codec(codec: Mapping[str, Any]) -> None:
    """ValueError if numcodecs does not know it."""
    if not codec:
        return
    known = codec.get("id")
    if not isinstance(known, str):
        raise ValueError(f"its codec is {shown(dict(codec))}; a codec has an id")
    if known.startswith("imagecodecs_"):
        _register_imagecodecs(known)
    try:
        registry.get_codec(dict(codec))
    except Exception as error:
        is_registered = known in registry.codec_registry
        way = (
            f"its settings are wrong: {error}"
            if is_registered
            else "which numcodecs lacks here: install the package that has it"
        )
        raise ValueError(f"it is compressed by {known!r}, {way}") from error
    inner = codec.get("cname")
    if known == "blosc" and inner not in blosc.list_compressors():
        raise ValueError(
            f"it is compressed by Blosc with {shown(inner)}, which numcodecs lacks; write it with "
            f"zstd"
        )


def _register_imagecodecs(known: str) -> None:
    try:
        importlib.import_module("imagecodecs.numcodecs").register_codecs(verbose=False)
    except ImportError:
        raise ValueError(
            f"it is compressed by {known!r}: pip install imagecodecs, which has it"
        ) from None
