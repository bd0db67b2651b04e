"""Modules of kinds that are not of this package: which state they are in, and where in them
something went wrong."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from lsd.spec.kinds import OURS, Kind, outside


def is_outside(kind: Kind) -> bool:
    """Whether a kind, or the class that does what it says, is not of this package."""
    return bool(_modules(kind))


def digest(kind: Kind) -> str:
    """What tells the code of a kind from what it was before it was edited; "" where it has no file,
    as in a notebook.  It is that of the file when this process first asked."""
    return "-".join(map(_digest, _modules(kind)))


def digests(value: Any) -> dict[str, str]:
    """That of each module that defines kinds inside a value and is not of this package."""
    return {module: _digest(module) for kind in outside(value) for module in _modules(kind)}


@contextmanager
def blamed(kind: Kind) -> Iterator[None]:
    """Inside, code of the kind runs: what it raises is told as its own, with the line.

    Of this package's own kinds, errors stay as they are.
    """
    try:
        yield
    except Exception as error:
        files = {_file(name) for name in _modules(kind)}
        if not is_outside(kind) or isinstance(error, MemoryError):
            raise
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename in files
        ]
        place = f"line {lines[-1]} of {type(kind).__module__}" if lines else type(kind).__module__
        raise ValueError(
            f"{kind.noun} {kind.kind!r} ({place}): {type(error).__name__}: {error}"
        ) from error


def _modules(kind: Kind) -> tuple[str, ...]:
    """Of the spec, and of the class, but for those of this package, which have versions."""
    both = dict.fromkeys((type(kind).__module__, kind.behaviour.partition(":")[0]))
    return tuple(module for module in both if module.partition(".")[0] != OURS)


def _file(module: str) -> str | None:
    if module in sys.modules:
        return getattr(sys.modules[module], "__file__", None)
    # that of a class is imported when it is first asked for, and is the same before
    found = importlib.util.find_spec(module)
    return found.origin if found else None


@cache
def _digest(module: str) -> str:
    file = _file(module)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""
