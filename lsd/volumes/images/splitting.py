"""Which images train, validate and test, from their keys alone, so that it is the same on any
machine."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

from lsd.spec import Part, Split

PARTS: tuple[Part, ...] = ("train", "validate", "test")


def split_keys(keys: Iterable[str], split: Split) -> dict[str, Part]:
    """The part of each key.  Raises ValueError where keys of one folder are to stay together and
    there is only one folder.

    Keys, or folders, are taken in the order of a digest of seed and name, so neither the order of
    `keys` nor a library's random numbers matter.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for key in sorted(set(keys)):
        groups[str(PurePosixPath(key).parent) if split.by == "folder" else key].append(key)
    if split.by == "folder" and len(groups) < 2:
        raise ValueError(
            f"split by folder: all images are in one folder, {next(iter(groups), '')!r} by their "
            f"keys; take a pattern with a wildcard for the folder, or Split(by='image')"
        )
    order = sorted(groups, key=lambda group: (_digest(split.seed, group), group))
    wanted = dict(zip(PARTS, split.fractions, strict=True))
    total, taken, parts = sum(map(len, groups.values())), Counter[Part](), dict[str, Part]()
    for group in order:
        # what lacks most of what it is to have; the first of them where several do
        part = max(PARTS, key=lambda part: wanted[part] * total - taken[part])
        taken[part] += len(groups[group])
        parts.update(dict.fromkeys(groups[group], part))
    return {key: parts[key] for key in sorted(parts)}


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
