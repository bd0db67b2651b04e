"""One 2D image in a file: its size and type from the header, and its pixels as one channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from lsd.volumes.formats.format import Unreadable
from lsd.volumes.formats.tiff import MAGIC, check_codec

# of Pillow's modes, those of one channel, with the type of their numbers; "P" are places in a
# palette, which are the numbers of a mask
_GREY = {"1": "bool", "L": "u1", "I;16": "u2", "I;16B": "u2", "I": "i4", "F": "f4"}
_COLOURS = {"RGB": 3, "RGBA": 3, "LA": 1}
_ALPHAS = ((tifffile.EXTRASAMPLE.ASSOCALPHA,), (tifffile.EXTRASAMPLE.UNASSALPHA,))
_OF_PALETTE = "its numbers are places in a palette; save it as one channel of grey"
_PNG = b"\x89PNG\r\n\x1a\n"


class Header(NamedTuple):
    """What a file says of its image.  dtype: of one channel"""

    height: int
    width: int
    dtype: np.dtype[Any]


def read_header(path: Path) -> Header:
    """Size and type of an image, without its pixels.  Raises ValueError that names the file."""
    try:
        return _tiff_header(path) if _is_tiff(path) else _header(path)
    # each reader has errors of its own
    except Exception as error:
        raise _unreadable(path, error) from error


def read_picture(path: Path) -> NDArray[np.generic]:
    """Raw pixels (y, x) of one channel.

    Colours are read where the channels are equal, as of a grey image that was saved so.  Raises
    Unreadable, which names the file, for any other, and for a file that is lost or damaged.
    """
    return _read(path, of_mask=False)


def read_mask(path: Path) -> NDArray[np.uint64]:
    """The numbers of a mask (y, x); of an image with a palette, places in that; of greys of 1, 2 or
    4 bits, as they are in the file.

    Raises Unreadable, which names the file, for numbers below 0 or with fractions, and as
    `read_picture`.
    """
    numbers = _read(path, of_mask=True)
    if numbers.dtype.kind == "f":
        raise Unreadable(
            f"{path} holds {numbers.dtype}; a mask holds whole numbers: save it as integers"
        )
    if numbers.dtype.kind == "i" and numbers.size and numbers.min() < 0:
        raise Unreadable(f"{path} holds {numbers.min()}; numbers of a mask are 0 and above")
    return numbers.astype(np.uint64)


def _read(path: Path, *, of_mask: bool) -> NDArray[np.generic]:
    try:
        pixels = (_tiff_pixels if _is_tiff(path) else _pixels)(path, of_mask=of_mask)
        return _one_channel(pixels)
    except Unreadable:
        raise
    # each codec has errors of its own
    except Exception as error:
        raise _unreadable(path, error) from error


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def _tiff_header(path: Path) -> Header:
    with tifffile.TiffFile(path) as file:
        page = _page(file)
        check_codec(page)
        height, width = page.imagelength, page.imagewidth
        return Header(height, width, np.dtype(page.dtype).newbyteorder("="))


def _tiff_pixels(path: Path, *, of_mask: bool) -> NDArray[Any]:
    with tifffile.TiffFile(path) as file:
        page = _page(file)
        check_codec(page)
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not of_mask:
            raise ValueError(_OF_PALETTE)
        pixels: NDArray[Any] = page.asarray()
    pixels = np.moveaxis(pixels, 0, -1) if _channels_first(page) else pixels
    # the last channel says what is seen through, as in Pillow's modes LA and RGBA
    return pixels[..., :-1] if page.extrasamples[-1:] in _ALPHAS else pixels


def _page(file: tifffile.TiffFile) -> Any:
    """The only page.  Raises ValueError where there are more."""
    if len(file.pages) != 1:
        raise ValueError(
            f"it holds {len(file.pages)} pages, which are a volume and no image: write a file a "
            f"page, or name it as Volume(path=...)"
        )
    page: Any = file.pages[0]
    if page.dtype is None:
        raise ValueError("its numbers are of no known type; save it as integers or floats")
    return page


def _channels_first(page: Any) -> bool:
    return bool(page.samplesperpixel > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE)


def _header(path: Path) -> Header:
    with _opened(path) as image:
        return Header(image.height, image.width, np.dtype(_GREY.get(image.mode, "u1")))


def _pixels(path: Path, *, of_mask: bool) -> NDArray[Any]:
    with _opened(path) as image:
        if image.mode == "P" and not of_mask:
            raise ValueError(_OF_PALETTE)
        if image.mode not in (*_GREY, *_COLOURS, "P"):
            raise ValueError(f"its mode is {image.mode}; save it as one channel of grey")
        pixels = np.array(image)
        bits = _bits(path)
        if of_mask and image.mode == "L" and bits < 8:
            # Pillow spreads the greys of few bits over 0..255
            pixels //= np.uint8(255 // (2**bits - 1))
        # what is seen through, if anything is, is no colour
        return pixels[..., : _COLOURS[image.mode]] if image.mode in _COLOURS else pixels


def _opened(path: Path) -> Image.Image:
    limit = Image.MAX_IMAGE_PIXELS
    try:
        # sections are large, and no attack on who names them
        Image.MAX_IMAGE_PIXELS = None
        image = Image.open(path)
    except UnidentifiedImageError as error:
        raise ValueError("it is no TIFF, PNG or other image that is read, or damaged") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    if image.mode in _COLOURS and _bits(path) > 8:
        image.close()
        # Pillow would leave out the lower half of each number
        raise ValueError(
            f"its mode is {image.mode} with 16 bits a channel, of which 8 are read; save it as one "
            f"channel of grey, or as TIFF"
        )
    return image


def _bits(path: Path) -> int:
    """Bits of a number of a PNG file; 8 of any other."""
    with path.open("rb") as file:
        begin = file.read(25)
    return begin[24] if begin.startswith(_PNG) and len(begin) > 24 else 8


def _one_channel(pixels: NDArray[Any]) -> NDArray[np.generic]:
    """Pixels (y, x) of (y, x) or (y, x, c).  Raises ValueError where channels differ."""
    if pixels.ndim == 2:
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    grey = pixels[..., 0]
    if any((pixels[..., channel] != grey).any() for channel in range(1, min(pixels.shape[-1], 3))):
        raise ValueError(
            f"it has {pixels.shape[-1]} channels that differ; one is needed: save the one to use, "
            f"or a mask as numbers"
        )
    return np.ascontiguousarray(grey, dtype=grey.dtype.newbyteorder("="))


def _unreadable(path: Path, error: Exception) -> Unreadable:
    if isinstance(error, FileNotFoundError):
        return Unreadable(f"{path} is not there any more; put it back")
    if isinstance(error, IsADirectoryError):
        return Unreadable(f"{path} is a folder; take a pattern that matches images alone")
    return Unreadable(f"{path} cannot be read: {error}")
