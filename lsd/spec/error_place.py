"""Where in a spec an error lies: pydantic's path, without what only says which of several types was
tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

# what pydantic's path ends with where a key of a dictionary is wrong
KEY = "[key]"
# how the tags begin that say which of several types was chosen
CHOSEN = "<"


@dataclass(frozen=True)
class Place:
    """Where an error lies, and what is allowed there.

    parts: fields, indices and keys, from the spec that was built down to what is wrong
    owner: the innermost spec on the way
    field: of it that is wrong, or holds what is wrong; None where it has none of that name
    types: that the value may have
    """

    parts: tuple[int | str, ...] = ()
    owner: type[BaseModel] | None = None
    field: FieldInfo | None = None
    types: tuple[Any, ...] = ()

    @property
    def may_be_none(self) -> bool:
        """Whether None is a value."""
        return NoneType in self.types

    @property
    def may_be_zero(self) -> bool:
        """Whether it is a number for which 0 is the least, and so stands for none."""
        return self.field is not None and any(
            getattr(limit, "ge", None) == 0 for limit in self.field.metadata
        )

    @property
    def held(self) -> list[type[BaseModel]]:
        """The specs that a tuple of them holds there."""
        return [
            spec
            for kind in self.types
            if get_origin(kind) is tuple
            for spec in specs(get_args(kind)[0])
        ]

    def at(self, part: int | str) -> Place:
        """One step further along pydantic's path."""
        if isinstance(part, str) and part.startswith(CHOSEN):
            return self
        # one alone is checked as a tuple of one, and named without an index
        held = [spec for kind in self.types for spec in specs(kind)] + (
            self.held if isinstance(part, str) else []
        )
        owner = next((spec for spec in held if part in spec.model_fields), None)
        if owner is not None:
            field = owner.model_fields[str(part)]
            return Place((*self.parts, part), owner, field, members(field.annotation))
        chosen = [spec for spec in held if part in _kinds(spec)] if len(held) > 1 else []
        if chosen:
            return Place(self.parts, chosen[0], self.field, tuple(chosen))
        if held and part != KEY:
            return Place((*self.parts, part), held[0])
        items = [
            member for kind in self.types for item in _items(kind, part) for member in members(item)
        ]
        # where nothing holds it, it names a type, or says that it is a key that is wrong
        return Place((*self.parts, part), self.owner, self.field, tuple(items)) if items else self


def place_of(spec: type[BaseModel], path: Sequence[int | str]) -> Place:
    """The place that the path of an error of `spec` means."""
    place = Place(owner=spec, types=(spec,))
    for part in path:
        place = place.at(part)
    return place


def specs(kind: Any) -> tuple[type[BaseModel], ...]:
    """The specs that an annotation allows."""
    return tuple(
        member
        for member in members(kind)
        if isinstance(member, type) and issubclass(member, BaseModel)
    )


def members(kind: Any) -> tuple[Any, ...]:
    """The types that an annotation allows."""
    if get_origin(kind) is Annotated:
        return members(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(member for each in get_args(kind) for member in members(each))
    # a family stands for all of its kinds
    kinds = kind.kinds() if isinstance(kind, type) and hasattr(kind, "kinds") else {}
    return tuple(kinds.values()) or (kind,)


def _items(kind: Any, part: int | str) -> tuple[Any, ...]:
    """What a tuple or a dictionary holds at an index or a key."""
    inner = get_args(kind)
    if get_origin(kind) is tuple and isinstance(part, int):
        return inner[:1] if inner[1:] == (...,) else inner[part : part + 1]
    return inner[1:] if get_origin(kind) in (dict, Mapping) and part != KEY else ()


def _kinds(spec: type[BaseModel]) -> tuple[Any, ...]:
    """The values that tell a spec from others of its union."""
    return get_args(spec.model_fields["kind"].annotation) if "kind" in spec.model_fields else ()
