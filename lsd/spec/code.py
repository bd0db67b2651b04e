"""Modules of kinds that are not of this package, and which state they are in."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

from lsd.spec.imported_files import with_imported
from lsd.spec.kinds import Kind, modules_outside, outside


def is_outside(kind: Kind) -> bool:
    """Whether a kind, or the class that does what it says, is not of this package."""
    return bool(modules_outside(type(kind)))


def code_digest(kind: Kind) -> str:
    """What tells the code of a kind from what it was before it was edited; "" where it has no file,
    as in a notebook.  It is that of the file when this process first asked."""
    return "-".join(map(module_digest, modules_outside(type(kind))))


def code_digests(value: Any) -> dict[str, str]:
    """The digest of each module outside of this package that defines kinds inside a value."""
    return {
        module: module_digest(module)
        for kind in outside(value)
        for module in modules_outside(type(kind))
    }


@cache
def module_digest(module: str) -> str:
    """What tells a module from what it was before it was edited, when this process first asked:
    its file, and those of a person's own that it imports, as of a base class.  "" where it has no
    file.  Raises ModuleNotFoundError where there is no module."""
    file = _file(module)
    if file is None:
        return ""
    # a module alone has the digest that it had before imports counted
    whole, *others = (each.read_bytes() for each in with_imported(file, module))
    whole += b"".join(hashlib.sha256(other).digest() for other in others)
    return hashlib.sha256(whole).hexdigest()[:16]


def _file(module: str) -> Path | None:
    if module in sys.modules:
        name = getattr(sys.modules[module], "__file__", None)
    else:
        # that of a class is imported when it is first asked for, and is the same before
        module_spec = importlib.util.find_spec(module)
        name = module_spec.origin if module_spec else None
    return Path(name) if name else None
