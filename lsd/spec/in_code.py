"""A spec as a config file has it: code that gives it, where all of `lsd.spec` is imported."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from lsd import spec as public
from lsd.spec.base import Spec
from lsd.spec.kinds import Kind


def as_code(value: Any, *, always: Collection[str] = ()) -> str:
    """The code of a field's value, or of a whole spec, with the fields that are not the usual ones.

    A kind that `lsd.spec` does not export is called by its family and its name:
    `Synthetic(kind='anisotropic')`.  always: fields of the spec that are there in any case
    """
    if isinstance(value, Spec):
        name, shown = _called(type(value))
        said = [
            f"{field}={as_code(getattr(value, field))}"
            for field, info in type(value).model_fields.items()
            if field in (*always, *shown)
            or getattr(value, field) != info.get_default(call_default_factory=True)
        ]
        return f"{name}({', '.join(said)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{as_code(key)}: {as_code(of)}' for key, of in value.items())}}}"
    if isinstance(value, tuple | list):
        inner = ", ".join(map(as_code, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)


def _called(cls: type[Spec]) -> tuple[str, tuple[str, ...]]:
    """The name of a spec in code, and the fields that are said beside it."""
    if not issubclass(cls, Kind) or _is_public(cls):
        return cls.__name__, ()
    family = next(base for base in cls.__mro__ if Kind in base.__bases__)
    return family.__name__, ("kind",)


def _is_public(cls: type[Spec]) -> bool:
    return cls.__name__ in public.__all__ and getattr(public, cls.__name__) is cls
