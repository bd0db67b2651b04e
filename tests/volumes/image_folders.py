"""Folders of 2D images and masks as MitoLab has them on disk, written by tifffile and Pillow."""

import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIZES = {"a/one": (24, 24), "a/two": (24, 24), "b/one": (40, 30), "b/three": (16, 20)}


def picture(key: str, size: tuple[int, int]) -> np.ndarray:
    """Grey values that no two keys share."""
    rng = np.random.default_rng(sum(key.encode()))
    return rng.integers(0, 256, size, np.uint8)


def mask(key: str, size: tuple[int, int]) -> np.ndarray:
    """Two objects, 1 and 2; none in "b/three"."""
    numbers = np.zeros(size, np.uint16)
    if key != "b/three":
        numbers[2:7, 3:9], numbers[10:14, 5:16] = 1, 2
    return numbers


def write_tree(root: Path, sizes: dict[str, tuple[int, int]] = SIZES) -> Path:
    """<root>/mito/<source>/images/<name>.tiff and masks/<name>.tiff."""
    for key, size in sizes.items():
        source, name = key.split("/")
        for folder, pixels in (("images", picture(key, size)), ("masks", mask(key, size))):
            file = root / "mito" / source / folder / f"{name}.tiff"
            file.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(file, pixels)
    return root


def write_png(file: Path, pixels: np.ndarray, *, mode: str | None = None) -> Path:
    """A PNG, of another mode than the pixels have if that is given."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(file)
    return file


def write_bits(file: Path, pixels: np.ndarray, *, bits: int, colours: int = 0) -> Path:
    """A PNG of so many bits a number, which Pillow does not write: of grey (y, x), or of another
    kind of colours, by its number in PNG, (y, x, c)."""
    height, width = pixels.shape[:2]
    # bits of each number, the highest first
    each = pixels.astype(">u2").view(np.uint8).reshape(height, -1, 2)
    rows = np.packbits(
        np.unpackbits(each, axis=-1).reshape(height, -1, 16)[..., 16 - bits :].reshape(height, -1),
        axis=1,
    )
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(content)) + name + content
            + struct.pack(">I", zlib.crc32(name + content))
            for name, content in chunks
        )
    )  # fmt: skip
    return file


def write_blobs(root: Path, *, sources: int = 4, images: int = 3) -> Path:
    """The same tree of dark discs on grey, in images of several sizes, some smaller than a sample
    and some without any."""
    rng = np.random.default_rng(3)
    for source in range(sources):
        for number in range(images):
            height, width = (56, 64) if number else (40 + 4 * source, 30)
            pixels, numbers = rng.normal(170, 12, (height, width)), np.zeros((height, width), "u2")
            y, x = np.mgrid[:height, :width]
            for name in range(1, 1 + (number + source) % 4):
                cy, cx, radius = rng.integers((6, 6, 4), (height - 6, width - 6, 9))
                inside = ((y - cy) ** 2 + (x - cx) ** 2 < radius**2) & (numbers == 0)
                numbers[inside], pixels[inside] = name, rng.normal(80, 12, inside.sum())
            for folder, made in (("images", pixels.clip(0, 255).astype("u1")), ("masks", numbers)):
                file = root / f"mito/source {source}" / folder / f"{number}.tiff"
                file.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(file, made)
    return root
