"""Pairs of image and mask on disk, found by patterns, joined by what their wildcards stand for."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from lsd.spec import Images
from lsd.spec.plurals import some
from lsd.spec.user_paths import with_variables
from lsd.volumes.reference import way_out

# how many paths a message names
_NAMED = 3
# a bracket that closes comes first where it is one of those in brackets
_WILDCARD = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]")


class Pair(NamedTuple):
    """Files of an image and of its mask, None where there are no masks."""

    image: Path
    mask: Path | None


def find_pairs(images: Images, *, root: Path) -> dict[str, Pair]:
    """The images and masks on disk by their keys, sorted by key.

    root: folder that relative patterns start from
    Raises ValueError where nothing matches, two files have one key, or an image or a mask has no
    partner.
    """
    masks = {} if images.masks is None else _files(_mask_pattern(images), root)
    taken = set(masks.values())
    found = {key: path for key, path in _files(images.images, root).items() if path not in taken}
    if not found:
        place = root / with_variables(images.images)
        raise ValueError(f"no image matches {str(place)!r}; correct it{way_out(place, root=root)}")
    if images.masks is None:
        return {key: Pair(found[key], None) for key in sorted(found)}
    _check_partners(found, masks, images)
    return {key: Pair(found[key], masks[key]) for key in sorted(found)}


def _mask_pattern(images: Images) -> str:
    """The pattern of the masks; of their folder, with the wildcards of the images below it."""
    assert images.masks is not None, images
    if glob.has_magic(images.masks):
        return images.masks
    parts = PurePosixPath(images.images).parts
    first = next(n for n, part in enumerate(parts) if glob.has_magic(part))
    return str(PurePosixPath(images.masks, *parts[first:]))


def _files(pattern: str, root: Path) -> dict[str, Path]:
    """The files that match, by key.  Raises ValueError where two have the same."""
    # as paths are written: without "./" and the like
    written = str(PurePosixPath(with_variables(pattern)))
    # as they are written below the root, so that messages and keys are the same on any machine
    matches = sorted(glob.glob(written, root_dir=root, recursive=True))
    expression, files = _expression(written), dict[str, Path]()
    for match in matches:
        parts = expression.fullmatch(match.replace(os.sep, "/"))
        assert parts is not None, (pattern, match)
        key = "/".join(part for part in parts.groups() if part)
        if key in files:
            raise ValueError(
                f"{files[key]} and {root / match} have one key, {key!r}, by the pattern "
                f"{pattern!r}; write a pattern whose wildcards tell them apart"
            )
        files[key] = root / match
    return files


def _expression(pattern: str) -> re.Pattern[str]:
    """Of a pattern, with a group for each part of the path that has wildcards: what is between the
    first of them and the last."""
    parts = PurePosixPath(pattern).parts
    begin = "/" if pattern.startswith("/") else ""
    written = [
        "**" if is_any else part
        for is_any, some in groupby(parts, lambda part: part == "**")
        for part in (["**"] if is_any else some)
        if part != "/"
    ]
    pieces = []
    for number, part in enumerate(written):
        last = number == len(written) - 1
        slash = "" if last else "/"
        if part == "**":
            # no folder, one or several
            pieces.append("(.+)" if last else "(?:(.+)/)?")
            continue
        pieces.append(_part(part) + slash)
    return re.compile(re.escape(begin) + "".join(pieces))


def _part(part: str) -> str:
    """The expression of one part of a path."""
    marks = list(_WILDCARD.finditer(part))
    if not marks:
        return re.escape(part)
    first, last = marks[0].start(), marks[-1].end()
    inside, place = "", first
    for mark in marks:
        inside += re.escape(part[place : mark.start()]) + _wildcard(mark.group())
        place = mark.end()
    return f"{re.escape(part[:first])}({inside}){re.escape(part[last:])}"


def _wildcard(mark: str) -> str:
    if mark[0] == "*":
        return "[^/]*"
    if mark == "?":
        return "[^/]"
    other = mark[1] == "!"
    # all that means something in an expression but not in a pattern; - means the same
    inside = re.sub(r"([\\^\[\]&~|])", r"\\\1", mark[2 if other else 1 : -1])
    return f"[{'^' if other else ''}{inside}]"


def _check_partners(found: Mapping[str, Path], masks: Mapping[str, Path], images: Images) -> None:
    for these, others, one, other, pattern in (
        (found, masks, "image", "mask", _mask_pattern(images)),
        (masks, found, "mask", "image", images.images),
    ):
        alone = sorted(str(path) for key, path in these.items() if key not in others)
        if alone:
            raise ValueError(
                f"{one} without {other}: {some(alone, _NAMED)}; each {one} wants a {other} by the "
                f"pattern {pattern!r} whose wildcards stand for the same: add it, or move the "
                f"{one} away"
            )


__all__ = ["Pair", "find_pairs"]
