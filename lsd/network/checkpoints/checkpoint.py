"""Checkpoints on disk: written whole or not at all, verified when read, loaded without executing
anything.

A file is what torch.save writes, an uncompressed zip archive, whose comment (the last bytes of the
file) holds the sha256 of all bytes before it.  Data and checksum thus appear in one rename and stay
together in a copy, and torch.load reads the file as it is.  A second file beside it would leave a
moment at which only one of the two is new.

It is written to a name of its own in the folder it is for, fsynced, renamed over the target, and
the folder is fsynced: a process killed at any moment leaves the previous checkpoint or the new one,
and at most a stray `*.partial` that `files.prune` sweeps.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from lsd.network.checkpoints.files import BEST, listing
from lsd.spec.mistakes import brief
from lsd.system.atomic import replacing

FORMAT = 1
REQUIRED = {"config": str, "stage": str, "iteration": int, "model": dict, "normalisation": dict}
_WORDS = {str: "text", int: "a whole number", dict: "a dictionary"}
_COMMENT = b"sha256 "
# at the end of an archive without a comment: its signature, 16 bytes, the length of the comment
_END, _END_SIZE = b"PK\x05\x06", 22


class Damaged(ValueError):
    """A file that is no whole checkpoint.  what: what is wrong with it, without the way out that
    the message ends with."""

    def __init__(self, what: str, way_out: str = "take another one") -> None:
        super().__init__(f"{what}; {way_out}")
        self.what = what


def save(path: str | Path, content: Mapping[str, Any]) -> str:
    """Writes content and gives its sha256; whoever reads `path` meanwhile finds the previous file,
    whole.

    content: `config` (resolved, as JSON), `stage`, `iteration`, `model` (state of the cascade up to
             the stage) and `normalisation` (how raw was scaled); `ema` (averages of weights),
             `losses` and `ema_of_losses` (parameters that losses own), `optimizer`, `scheduler`,
             `scaler`, `random` and whatever else.  Dictionaries, lists, tuples, tensors, strings
             and Python's own numbers: what loads without running code.
    Raises ValueError where content holds anything else, OSError where the disk does not take it.
    """
    content = {
        "format": FORMAT,
        **{key: value for key, value in content.items() if key != "sha256"},
    }
    _check_keys(content, where=str(path))
    _check_plain(content, "content")
    with _replacing(Path(path)) as file:
        torch.save(content, file)
        return _seal(file)


def load(path: str | Path, *, device: str | torch.device = "cpu") -> dict[str, Any]:
    """The content of a checkpoint, tensors on device, and the `sha256` of the file.

    Raises Damaged, a ValueError that names the whole ones beside it, where it is truncated,
    changed, no checkpoint, or holds anything but plain values; there is no fallback.
    """
    with _naming_others(path):
        return _load(path, device)


def _load(path: str | Path, device: str | torch.device) -> dict[str, Any]:
    with _opened(path) as file:
        digest = _verify(file, path)
        file.seek(0)
        try:
            content = torch.load(file, map_location=device, weights_only=True)
        except MemoryError:
            raise
        except Exception as error:
            reason = str(error).splitlines()[0]
            wrong = (
                f"{path} is no checkpoint: torch, loading weights only, says {reason!r}; nothing "
                f"was executed"
            )
            raise Damaged(wrong) from error
    try:
        _check_keys(content, where=str(path))
    except ValueError as error:
        raise Damaged(str(error)) from error
    return {**content, "sha256": digest}


def verify(path: str | Path) -> str:
    """sha256 of a checkpoint, all bytes read and compared.  Raises Damaged where they differ from
    what was written."""
    with _naming_others(path), _opened(path) as file:
        return _verify(file, path)


def is_whole(path: Path) -> bool:
    """Whether the file is an undamaged checkpoint, which `load` would take."""
    try:
        _load(path, "cpu")
    except (ValueError, OSError):
        return False
    return True


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    with replacing(path, many_writers=True, durable=True) as staged:
        try:
            with open(staged, "x+b") as file:
                yield file
        except (OSError, RuntimeError) as error:
            # torch turns an error of the disk into a RuntimeError
            raise OSError(
                f"checkpoint {path} could not be written: {error}; earlier ones are untouched"
            ) from error


@contextmanager
def _opened(path: str | Path) -> Iterator[BinaryIO]:
    try:
        with open(path, "rb") as file:
            yield file
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ValueError(
            f"{path} is no file; name a checkpoint (.pt), or 'best' or 'latest'"
        ) from error


def _seal(file: BinaryIO) -> str:
    """Appends the sha256 of file as the comment of the archive."""
    file.seek(-2, os.SEEK_END)
    file.write(struct.pack("<H", len(_COMMENT) + 64))
    digest = _digest(file, file.tell())
    file.write(_COMMENT + digest.encode())
    return digest


def _verify(file: BinaryIO, path: str | Path) -> str:
    size = file.seek(0, os.SEEK_END)
    body = size - len(_COMMENT) - 64
    file.seek(max(body - _END_SIZE, 0))
    tail = file.read()
    if body < _END_SIZE or not (tail.startswith(_END) and tail[_END_SIZE:].startswith(_COMMENT)):
        raise Damaged(f"{path} ends without a checksum, so it is truncated or no checkpoint")
    digest = _digest(file, body)
    if tail[-64:] != digest.encode():
        recorded = tail[-64:].decode(errors="replace")
        raise Damaged(f"{path} is damaged: its sha256 is {digest}, not {recorded} as recorded")
    return digest


@contextmanager
def _naming_others(path: str | Path) -> Iterator[None]:
    """A Damaged of `path` says which file may stand in for it."""
    try:
        yield
    except Damaged as error:
        raise Damaged(error.what, _way_out(Path(path))) from error


def _way_out(path: Path) -> str:
    beside = [
        other
        for other in (*reversed(listing(path.parent)), path.with_name(BEST))
        if other.name != path.name
    ]
    whole = next(
        (other for other in beside if not _same_file(other, path) and is_whole(other)), None
    )
    if whole is None:
        return "no whole checkpoint lies beside it: take one from elsewhere"
    if path.name != BEST:
        return f"{whole} is whole: name that one"
    # not over it: best.pt may be another name of a checkpoint that is to stay
    typed = f"rm {shlex.quote(str(path))} && cp {shlex.quote(str(whole))} {shlex.quote(str(path))}"
    return f"{whole} is whole: name that one, or make it the best with `{typed}`"


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _digest(file: BinaryIO, size: int) -> str:
    sha256 = hashlib.sha256()
    file.seek(0)
    while size > 0:
        piece = file.read(min(size, 1 << 22))
        if not piece:
            break
        sha256.update(piece)
        size -= len(piece)
    return sha256.hexdigest()


def _check_keys(content: Any, *, where: str) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{where} holds no checkpoint of format {FORMAT}; take one that this version wrote"
        )
    for key, kind in REQUIRED.items():
        if not isinstance(content.get(key), kind):
            stored = f"holds {brief(content[key])} there" if key in content else "has none"
            raise ValueError(
                f"{where}: a checkpoint needs {key!r}, {_WORDS[kind]}, and this one {stored}"
            )


def _check_plain(value: Any, where: str) -> None:
    """Refuses what torch.load(weights_only=True) would; exact types, since numpy's float64 is a
    float, too."""
    if isinstance(value, Tensor) or type(value) in (str, int, float, bool, type(None), bytes):
        return
    if type(value) not in (dict, OrderedDict, list, tuple):
        kind = f"{type(value).__module__}.{type(value).__name__}"
        raise ValueError(
            f"{where} is a {kind}, which would not load without running code; make it plain data"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        _check_plain(key, f"key {key!r} of {where}")
        _check_plain(item, f"{where}[{key!r}]")
