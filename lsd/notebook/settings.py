"""Settings of a function, as keywords that are fields of a spec."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from lsd.arrays.arguments import derived, keywords, unknown_keyword
from lsd.spec import Spec

Settings = TypeVar("Settings", bound=Spec)


def with_settings(
    spec: Settings,
    settings: Mapping[str, Any],
    *,
    allowed: Collection[str],
    of: Callable[..., object],
) -> Settings:
    """`spec` with the settings in the place of its fields.

    allowed: fields that may be set; of: the function whose keywords they are, beside its own
    Raises ValueError for other fields, and suggests the one that was meant, and for wrong values.
    """
    for name in settings:
        if name not in allowed:
            known = dict.fromkeys((*keywords(of), *allowed))
            raise ValueError(unknown_keyword(of.__name__, name, known))
    return derived(spec, **settings)
