"""Settings of a function, as keywords that are fields of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from lsd.spec import Spec
from lsd.spec.mistakes import lines, unknown

Kind = TypeVar("Kind", bound=Spec)


def chosen(spec: Kind, given: Mapping[str, Any], *, allowed: Iterable[str]) -> Kind:
    """`spec` with what was given in place of its fields.  ValueError for others, and for wrong
    values."""
    for name in given:
        if name not in allowed:
            raise ValueError(unknown(name, allowed))
    try:
        return spec.derive(**given)
    except ValidationError as error:
        raise ValueError("; ".join(lines(error))) from None
