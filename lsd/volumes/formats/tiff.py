"""TIFF files: one image of as many pages as it takes, and what ImageJ and OME metadata say of its
voxels.

Other TIFF files state no voxel size: their resolution is that of a printer.
"""

from __future__ import annotations

import importlib.util
import logging
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from lsd.spec.formats import Tiff
from lsd.volumes.attributes import NO_LENGTH
from lsd.volumes.formats.format import FileArray, FileFormat, Slices
from lsd.volumes.metadata import SPACE, Statement, axis_names, tried
from lsd.volumes.metadata_values import numbers
from lsd.volumes.units import is_known, nanometres

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# a size and its unit
Measured = tuple[Any, str]


class TiffFormat(FileFormat[Tiff]):
    """Files of one image, which has no name."""

    reads = "TIFF file"
    suffixes = (".tif", ".tiff")
    is_single = True

    def claims(self, path: Path) -> bool:
        """Whether the first four bytes are those of a TIFF file."""
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(4) in MAGIC

    def open(self, path: Path, name: str) -> FileArray:
        """See `TiffArray`."""
        return TiffArray(path)


class TiffArray(FileArray):
    """The image of a file, read by pages, strips or tiles through the zarr view of tifffile.

    files: those that its pages lie in, as OME-TIFF may have several
    """

    def __init__(self, path: Path) -> None:
        file = _opened(path)
        try:
            check_codec(file.series[0].keyframe)
            view = zarr.open(file.series[0].aszarr(level=0), mode="r")
            self._stated = _statement(file)
            files = [str(path), *_files(file.series[0])]
        except Exception:
            file.close()
            raise
        super().__init__(view, files=files, chunks=view.chunks, attrs=view.attrs)
        # not by the view, which is part of a circle that only a rare collection ends
        weakref.finalize(self, file.close)

    def read(self, slices: Slices) -> NDArray[np.generic]:
        """The voxels in `slices`."""
        data: NDArray[np.generic] = self.values[slices]
        return data

    def stated(self) -> Statement:
        """What ImageJ or OME metadata say."""
        return self._stated


def _opened(path: Path) -> tifffile.TiffFile:
    """The file, which holds one image."""
    with _errors() as errors:
        file = tifffile.TiffFile(path)
        if len(file.series) > 1 and _is_stack(file):
            file.close()
            file = tifffile.TiffFile(path, is_shaped=False)
        if len(file.series) != 1:
            errors.append(f"it holds {len(file.series)} images; a volume is one")
    if errors:
        file.close()
        raise ValueError("; ".join(errors))
    return file


def _is_stack(file: tifffile.TiffFile) -> bool:
    """Whether its images are sections of one size, which tifffile appended one by one and each
    described."""
    return (
        file.is_shaped
        and {len(series.shape) for series in file.series} == {2}
        and len({(series.shape, series.dtype) for series in file.series}) == 1
    )


def _files(series: tifffile.TiffPageSeries) -> list[str]:
    pages = series.pages if series.is_multifile else series.pages[:1]
    return sorted({str(page.parent.filehandle.path) for page in pages if page is not None})


def check_codec(page: Any) -> None:
    """ValueError where the pages cannot be decoded here."""
    has_imagecodecs = importlib.util.find_spec("imagecodecs") is not None
    way = (
        "imagecodecs has no such decoder: write it with deflate"
        if has_imagecodecs
        else "pip install imagecodecs, which has it"
    )
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        raise ValueError(
            f"it is compressed by {_name(tifffile.COMPRESSION, page.compression)}, which tifffile "
            f"lacks: {way}"
        )
    if page.predictor not in tifffile.TIFF.UNPREDICTORS:
        raise ValueError(
            f"it has the predictor {_name(tifffile.PREDICTOR, page.predictor)}, which tifffile "
            f"lacks: {way}"
        )
    if page.bitspersample not in (1, 8, 16, 32, 64) and not has_imagecodecs:
        raise ValueError(
            f"it has {page.bitspersample} bits a voxel, which tifffile cannot read alone: {way}"
        )


def _name(kind: Any, value: int) -> str:
    try:
        return str(kind(value).name)
    except ValueError:
        return str(value)


def _statement(file: tifffile.TiffFile) -> Statement:
    series, wrong = file.series[0], dict[str, str]()
    # Q and I are axes that nobody named
    unnamed = set(series.axes) & {"Q", "I"}
    axes = (
        None
        if unnamed
        else tried(lambda: axis_names(list(series.axes), len(series.shape)), wrong, "axes")
    )
    measured = (
        tried(
            lambda: _imagej(file) if file.is_imagej else _ome(file) if file.is_ome else {},
            wrong,
            "voxel_size",
        )
        or {}
    )
    sizes = {
        axis: tried(partial(_nm, axis, *measured[axis]), wrong, "voxel_size")
        for axis in SPACE
        if axis in measured
    }
    unused = next(
        (
            f"{axis} is {float(n):g} {unit or 'without a unit'}"
            for axis, (n, unit) in measured.items()
            if not is_known(unit)
        ),
        "",
    )
    stated = {axis: size for axis, size in sizes.items() if size is not None}
    return Statement(axes, stated or None, wrong=wrong, unused=unused)


def _nm(axis: str, size: Any, unit: str) -> float | None:
    """None where the unit is no length."""
    if unit.lower() in NO_LENGTH or unit.lower() in ("cm", "centimeter"):
        return None
    value = numbers(size, f"its voxel size along {axis}", positive=True)
    # a rational of TIFF has 32 bits, about seven digits of which are sound once it was a decimal
    # number
    return float(f"{nanometres(value, unit)[0]:.8g}")


def _imagej(file: tifffile.TiffFile) -> dict[str, Measured]:
    """What ImageJ states: pixels a unit along x and y, and the distance of sections, whatever they
    are stored as."""
    stated: Mapping[str, Any] = file.imagej_metadata or {}
    unit = str(stated.get("unit", "")).replace("\\u00B5", "u").strip()
    first: Any = file.pages[0]
    tags = {"y": first.tags.get("YResolution"), "x": first.tags.get("XResolution")}
    sizes: dict[str, Measured] = {"z": (stated["spacing"], unit)} if "spacing" in stated else {}
    for axis, tag in tags.items():
        if tag is not None:
            pixels, units = tag.value
            sizes[axis] = (Fraction(units, pixels) if pixels else 0, unit)
    return sizes


def _ome(file: tifffile.TiffFile) -> dict[str, Measured]:
    """PhysicalSize of OME-XML; micrometres where no unit is given."""
    try:
        root = ElementTree.fromstring(file.ome_metadata or "")
    except ElementTree.ParseError as error:
        raise ValueError(f"its OME-XML is damaged: {error}") from error
    pixels = next((item for item in root.iter() if item.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return {}
    sizes = {axis: pixels.get(f"PhysicalSize{axis.upper()}") for axis in SPACE}
    units = {axis: pixels.get(f"PhysicalSize{axis.upper()}Unit", "um") for axis in SPACE}
    return {
        axis: (_number(size, axis), units[axis].strip())
        for axis, size in sizes.items()
        if size is not None
    }


def _number(text: str, axis: str) -> Fraction:
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"its PhysicalSize{axis.upper()} is {text!r}; it must be a number"
        ) from None


@contextmanager
def _errors() -> Iterator[list[str]]:
    """Collects what tifffile logs as an error and passes over, such as the lost pages of a
    truncated file."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign]
    logger = tifffile.logger()
    logger.addHandler(handler)
    try:
        yield errors
    finally:
        logger.removeHandler(handler)
