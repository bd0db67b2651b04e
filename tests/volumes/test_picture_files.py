"""One picture in a file: its numbers, of whatever program wrote them."""

import itertools
import warnings

import numpy as np
import pytest
import tifffile
from image_folders import write_bits, write_png
from PIL import Image

from lsd.volumes.images.picture import read_header, read_mask, read_picture

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, bool])
def test_png(tmp_path, dtype) -> None:
    pixels = (GREY > 3) if dtype is bool else GREY.astype(dtype)
    file = write_png(tmp_path / "a.png", pixels)
    header, read = read_header(file), read_picture(file)
    assert (header.height, header.width, header.dtype) == (*read.shape, read.dtype)
    assert (read == pixels).all()
    assert (read_mask(file) == pixels).all()


@pytest.mark.parametrize(
    "dtype", ["u1", "<u2", ">u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", "bool"]
)
def test_tiff(tmp_path, dtype) -> None:
    pixels = GREY.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pixels, byteorder="<" if dtype[0] != ">" else ">")
    header, read = read_header(tmp_path / "a.tif"), read_picture(tmp_path / "a.tif")
    assert (header.height, header.width) == (3, 4)
    assert header.dtype == read.dtype == pixels.dtype.newbyteorder("=")
    assert (read == pixels).all()
    if pixels.dtype.kind != "f":
        assert (read_mask(tmp_path / "a.tif") == pixels).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_that_was_saved_as_colours(tmp_path, mode) -> None:
    assert (read_picture(write_png(tmp_path / "a.png", GREY, mode=mode)) == GREY).all()
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY] * 3, axis=-1), photometric="rgb")
    assert (read_picture(tmp_path / "a.tif") == GREY).all()
    write_png(tmp_path / "b.tif", GREY, mode=mode)
    assert (read_picture(tmp_path / "b.tif") == GREY).all()
    both = np.stack([GREY, GREY + 1], axis=-1)
    tifffile.imwrite(tmp_path / "c.tif", both, photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match="it has 2 channels that differ"):
        read_picture(tmp_path / "c.tif")


@pytest.mark.parametrize(
    "begin", [b"", b"II*\0", b"II*\0 and no more", b"\x89PNG\r\n\x1a\n", b"GIF"]
)
def test_files_that_were_cut_are_named(tmp_path, begin) -> None:
    (tmp_path / "a.png").write_bytes(begin)
    for read in (read_header, read_mask):
        with pytest.raises(ValueError, match=r"a\.png cannot be read: "):
            read(tmp_path / "a.png")


@pytest.mark.parametrize("most", [4, 8])
def test_sections_may_be_large(tmp_path, monkeypatch, most) -> None:
    """Pillow takes pictures of many pixels for an attack: it warns, and refuses twice as many."""
    file = write_png(tmp_path / "a.png", GREY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with warnings.catch_warnings(action="error"):
        assert read_header(file)[:2] == GREY.shape
        assert (read_picture(file) == GREY).all()
    assert most == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_numbers_of_a_mask_are_those_of_the_file(tmp_path, bits) -> None:
    """Readers of pictures spread greys of few bits over 0..255; numbers of a mask are names."""
    names = np.minimum(GREY.astype(np.uint16), 2**bits - 1)
    names[0, 0] = 2**bits - 1
    assert (read_mask(write_bits(tmp_path / "a.png", names, bits=bits)) == names).all()


@pytest.mark.parametrize(("mode", "colours", "channels"), [("RGB", 2, 3), ("LA", 4, 2)])
def test_colours_of_16_bits_are_not_halved(tmp_path, mode, colours, channels) -> None:
    """Pillow reads the upper 8 bits: masks of less than 256 objects would be empty."""
    pixels = np.stack([GREY.astype(np.uint16)] * channels, axis=-1)
    file = write_bits(tmp_path / "a.png", pixels, bits=16, colours=colours)
    for read in (read_header, read_mask, read_picture):
        with pytest.raises(ValueError, match=r"a\.png cannot be read: .* with 16 bits a channel"):
            read(file)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([pixels[..., 0]] * 3, -1), photometric="rgb")
    assert (read_mask(tmp_path / "a.tif") == GREY).all()


def test_colours_and_palettes(tmp_path) -> None:
    colours = np.zeros((3, 4, 3), np.uint8)
    colours[1, 1] = 5, 6, 7
    file = write_png(tmp_path / "a.png", colours)
    with pytest.raises(ValueError, match=r"a\.png cannot be read: it has 3 channels that differ"):
        read_picture(file)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    with pytest.raises(ValueError, match="it has 3 channels that differ"):
        read_mask(tmp_path / "a.tif")
    image = Image.fromarray(GREY, mode="L").convert("P")
    image.putpalette(list(itertools.chain.from_iterable((n, 255 - n, n) for n in range(256))))
    image.save(tmp_path / "p.png")
    with pytest.raises(ValueError, match="places in a palette"):
        read_picture(tmp_path / "p.png")
    assert (read_mask(tmp_path / "p.png") == np.array(image)).all()
    palette = np.arange(3 * 256, dtype=np.uint16).reshape(3, 256)
    tifffile.imwrite(tmp_path / "p.tif", GREY, photometric="palette", colormap=palette)
    with pytest.raises(ValueError, match="places in a palette"):
        read_picture(tmp_path / "p.tif")
    assert (read_mask(tmp_path / "p.tif") == GREY).all()
    assert read_header(tmp_path / "p.tif") == (3, 4, np.uint8)


def test_masks_that_are_no_names(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.int16) - 2)
    with pytest.raises(ValueError, match=r"a\.tif holds -2"):
        read_mask(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.float32))
    with pytest.raises(ValueError, match="holds float32; a mask holds whole numbers"):
        read_mask(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 7), np.uint8), photometric="minisblack")
    with pytest.raises(ValueError, match="holds 5 pages"):
        read_header(tmp_path / "a.tif")
