"""The list of a volume's images on disk, a CSV file that people can read: which there are, which of
them train, validate and test, and how large each is.

key,part,height,width,image,mask
a/1,train,224,224,mito/a/images/1.tiff,mito/a/masks/1.tiff

Paths are relative to the folder of the list.  A row is a section of the volume, in the order of the
list; where only a part is wanted, the rows of that part are counted.
"""

from __future__ import annotations

import csv
import hashlib
import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from lsd.arrays.components import connected_components
from lsd.spec import Images
from lsd.spec.plurals import counted, some
from lsd.system.atomic import write_text
from lsd.volumes.images.pairs import Pair, find_pairs
from lsd.volumes.images.picture import read_header, read_mask
from lsd.volumes.images.splitting import PARTS, split_keys
from lsd.volumes.reference import locate

log = logging.getLogger(__name__)

COLUMNS = ("key", "part", "height", "width", "image", "mask")
HEAD = ",".join(COLUMNS)
# how many keys a message names
_NAMED = 3
# about so many masks are read while a list is made
_LOOKED_AT = 20
# the folder of lists that are only looked at
_aside: ContextVar[Path | None] = ContextVar("aside", default=None)


class Row(NamedTuple):
    """An image of a list.  part: "" where there is no split; mask: None where there is none"""

    key: str
    part: str
    height: int
    width: int
    image: Path
    mask: Path | None


def listed(images: Images, *, root: Path) -> Path:
    """The list of the images, written if it is not there yet.

    root: folder that relative paths start from
    Raises ValueError where pairs are not complete, an image cannot be used, or the list is not of
    what lies on disk.
    """
    file, pairs = _place(images, root), find_pairs(images, root=root)
    if not file.exists():
        write_list(file, list_rows(images, pairs))
    rows = read_list(file)
    _check_pairs(file, rows, pairs)
    _check_parts(file, rows, images)
    return file


@contextmanager
def lists_aside() -> Iterator[None]:
    """Inside, lists that are not there yet are written to a folder that is removed: for whoever
    only looks at what would be done."""
    with TemporaryDirectory() as folder:
        token = _aside.set(Path(folder))
        try:
            yield
        finally:
            _aside.reset(token)


def _place(images: Images, root: Path) -> Path:
    file, aside = locate(images.list_file, root=root), _aside.get()
    if aside is None or file.exists():
        return file
    digest = hashlib.sha256(str(file.resolve()).encode()).hexdigest()
    return aside / digest / file.name


def list_rows(images: Images, pairs: Mapping[str, Pair]) -> list[Row]:
    """A row for each pair: parts in their order, in each the images of one size together, so that
    few voxels are computed that belong to none.

    Looks at the header of each file, and at some masks.  Raises ValueError where a mask is of
    another size than its image, or images are of several types; warns of masks of instances that
    are one number.
    """
    log.info("looking at %s, once for all runs", counted(len(pairs), "image"))
    parts: Mapping[str, str] = split_keys(pairs, images.split) if images.split else {}
    headers = {key: read_header(pair.image) for key, pair in pairs.items()}
    types = Counter(str(header.dtype) for header in headers.values())
    if len(types) > 1:
        few = min(types, key=lambda dtype: types[dtype])
        first = next(key for key, header in headers.items() if str(header.dtype) == few)
        raise ValueError(
            f"images are of several types ({', '.join(types)}), which one raw_range cannot scale: "
            f"{pairs[first].image} is {few}; save all as one type, or take a pattern for each"
        )
    for key, pair in pairs.items():
        _check_mask(pair, (headers[key].height, headers[key].width))
    if images.holds == "instances":
        _warn_of_plain_masks([pair.mask for pair in pairs.values() if pair.mask])
    rows = [
        Row(key, parts.get(key, ""), headers[key].height, headers[key].width, *pair)
        for key, pair in pairs.items()
    ]
    order = ("", *PARTS)
    return sorted(rows, key=lambda row: (order.index(row.part), row.height, row.width, row.key))


def write_list(file: Path, rows: Iterable[Row]) -> None:
    """Writes the list; several processes may do so at once."""
    folder, text = file.parent, io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        paths = [os.path.relpath(path, folder) if path else "" for path in (row.image, row.mask)]
        writer.writerow([*row[:4], *(path.replace(os.sep, "/") for path in paths)])
    try:
        write_text(file, text.getvalue())
    except OSError as error:
        raise ValueError(
            f"the list of the images is kept as {file}, which cannot be written: {error}; set "
            f"file= of the images, or data_root (or $LSD_DATA), to a place that can be"
        ) from error


def read_list(file: Path) -> tuple[Row, ...]:
    """The rows of a list.  Raises ValueError, naming the line, for what is no such list."""
    status = file.stat()
    return _rows(file, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=8)
def _rows(file: Path, changed: int, size: int) -> tuple[Row, ...]:
    # spreadsheets write a mark before the first line
    with file.open(newline="", encoding="utf-8-sig") as text:
        lines = csv.reader(text)
        if tuple(next(lines, [])) != COLUMNS:
            raise ValueError(f"{file} is no list of images: its first line must be {HEAD}")
        rows = tuple(_row(file, number, line) for number, line in enumerate(lines, 2) if line)
    twice = [key for key, count in Counter(row.key for row in rows).items() if count > 1]
    if twice:
        raise ValueError(f"{file} lists {twice[0]!r} twice; leave one line of it")
    return rows


def _row(file: Path, number: int, line: Sequence[str]) -> Row:
    try:
        key, part, height, width, image, mask = line
        if part not in ("", *PARTS):
            raise ValueError(f"part {part!r} is none of {', '.join(PARTS)}")
        folder = file.parent
        return Row(
            key, part, int(height), int(width), folder / image, folder / mask if mask else None
        )
    except ValueError as error:
        raise ValueError(
            f"{file}, line {number}: {','.join(line)} is no image with its {HEAD}: {error}; "
            f"correct the line, or delete the file to have it written anew"
        ) from error


def rows_of(file: Path, part: str) -> tuple[Row, ...]:
    """The rows of a part of a list, all for ""."""
    return tuple(row for row in read_list(file) if part in ("", row.part))


def _check_mask(pair: Pair, size: tuple[int, int]) -> None:
    if pair.mask is None:
        return
    header = read_header(pair.mask)
    if (header.height, header.width) != size:
        raise ValueError(
            f"{pair.mask} is of {header.height}x{header.width} pixels, its image {pair.image} of "
            f"{size[0]}x{size[1]}; they must be the same"
        )


def _warn_of_plain_masks(masks: Sequence[Path]) -> None:
    """Warns where all masks that are looked at hold one number, in several pieces: no names."""
    numbers, pieces = set[int](), 0
    for mask in masks[:: max(1, len(masks) // _LOOKED_AT)]:
        found, labels = connected_components(read_mask(mask))
        numbers |= set(labels[1:].tolist())
        pieces = max(pieces, int(found.max(initial=0)))
    if len(numbers) == 1 and pieces > 1:
        log.warning(
            "masks hold %s and 0 alone, in up to %s an image, which are one object to "
            "holds='instances'; evaluate.connected=True counts pieces, and masks that tell objects "
            "apart teach more",
            numbers.pop(),
            counted(pieces, "piece"),
        )


def _check_pairs(file: Path, rows: Sequence[Row], pairs: Mapping[str, Pair]) -> None:
    """Raises ValueError where images of the list are not on disk, warns of those that the list does
    not have."""
    lost = [row.key for row in rows if row.key not in pairs]
    new = sorted(set(pairs) - {row.key for row in rows})
    if lost:
        raise ValueError(
            f"{file} lists {counted(len(lost), 'image')} that are not there any more: "
            f"{some(lost, _NAMED)}; put them back or delete their lines.  To have it made anew, "
            f"with another split, delete the file"
        )
    moved = next((row for row in rows if not _same(row, pairs[row.key])), None)
    if moved is not None:
        pair = pairs[moved.key]
        raise ValueError(
            f"{file} lists {moved.image} and {moved.mask or 'no mask'} as {moved.key!r}, and the "
            f"patterns find {pair.image} and {pair.mask or 'no mask'}; correct the patterns, or "
            f"name another list by file="
        )
    if new:
        log.warning(
            "%s on disk are not in %s and left out: %s; add a line for each, or delete the file to "
            "have it made anew, with another split",
            counted(len(new), "image"),
            file,
            some(new, _NAMED),
        )


def _same(row: Row, pair: Pair) -> bool:
    """Whether both are the same files, written in whatever way."""
    ours, theirs = (row.image, row.mask), (pair.image, pair.mask)
    return all(
        (one is None) == (other is None)
        and (one is None or os.path.abspath(one) == os.path.abspath(str(other)))
        for one, other in zip(ours, theirs, strict=True)
    )


def _check_parts(file: Path, rows: Sequence[Row], images: Images) -> None:
    sizes = Counter(row.part for row in rows)
    unsplit = [row.key for row in rows if not row.part]
    if (images.split or images.part) and unsplit:
        raise ValueError(
            f"{file} says of {counted(len(unsplit), 'image')} no part (train, validate or test), "
            f"as {unsplit[0]!r}; write it into its lines, or delete the file to have it made anew, "
            f"by split="
        )
    if images.part and not sizes[images.part]:
        parts = ", ".join(f"{part} {sizes[part]}" for part in PARTS)
        raise ValueError(
            f"{file} has no image of part {images.part!r} ({parts}); take other fractions, delete "
            f"the file to have it made anew, or leave the part out of the dataset"
        )
