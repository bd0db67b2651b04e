"""What a field of a value has to do with results that are made with it.

Every field of a job, and of the specs inside it, is part of its fingerprint: what differs in one is
made anew.  To leave one out is said at the field, with the reason:

    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lsd.spec.code import code_digest, is_outside
from lsd.spec.kinds import Kind


@dataclass(frozen=True)
class NoEffect:
    """A field that changes no value of a result; reason: why, in a sentence."""

    reason: str


@dataclass(frozen=True)
class Wording:
    """How it is said that a field differs, where its values tell a person nothing; "{name}" stands
    for a field beside it."""

    words: str


def effective(value: Any) -> Any:
    """JSON of a value without the fields that have no effect, however deep they lie."""
    if isinstance(value, Kind) and is_outside(value):
        # its code is no version of this program, and people edit it between two runs
        return {**_effective_fields(value), "code": code_digest(value)}
    name = _name(value) if isinstance(value, Kind) else None
    if name is not None:
        return name
    if isinstance(value, BaseModel):
        return _effective_fields(value)
    if isinstance(value, Mapping):
        return {str(key): effective(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [effective(item) for item in value]
    return value


def wordings(value: Any, prefix: str = "") -> dict[str, str]:
    """Dotted path of each field of a value that has words of its own, and these words."""
    if isinstance(value, Mapping):
        return {
            path: words
            for key, item in value.items()
            for path, words in wordings(item, f"{prefix}{key}.").items()
        }
    if not isinstance(value, BaseModel):
        return {}
    wording_of = {}
    if isinstance(value, Kind) and is_outside(value):
        wording_of[f"{prefix}code"] = (
            f"module {type(value).__module__}, or one that it imports, was edited"
        )
    for name, field in type(value).model_fields.items():
        words = next((mark.words for mark in field.metadata if isinstance(mark, Wording)), None)
        if words is not None:
            wording_of[f"{prefix}{name}"] = words.format_map(
                {key: getattr(value, key) for key in type(value).model_fields}
            )
        wording_of |= wordings(getattr(value, name), f"{prefix}{name}.")
    return wording_of


def _effective_fields(value: BaseModel) -> dict[str, Any]:
    return {name: effective(getattr(value, name)) for name, kept in _fields(value).items() if kept}


def without_effect(spec: type[BaseModel]) -> frozenset[str]:
    """Names of the fields of a spec that change no result."""
    return frozenset(
        name
        for name, field in spec.model_fields.items()
        if any(isinstance(mark, NoEffect) for mark in field.metadata)
    )


def _name(kind: Kind) -> str | None:
    """The name that stands for a kind, whatever its fields without effect are."""
    fields, kept = type(kind).model_fields, _fields(kind)
    idle = {name: fields[name].get_default() for name in fields if not kept[name]}
    return (kind.derive(**idle) if idle else kind).name_alone()


def _fields(value: BaseModel) -> dict[str, bool]:
    """Names of fields, and whether they have an effect.

    What is not written where it is the usual one (`exclude_if`) has none there: results of before
    there was such a field are the same.
    """
    left_out = without_effect(type(value))
    return {
        name: name not in left_out and not _is_usual(field, getattr(value, name))
        for name, field in type(value).model_fields.items()
    }


def _is_usual(field: FieldInfo, value: Any) -> bool:
    return field.exclude_if is not None and bool(field.exclude_if(value))


def written_out(settings: Mapping[str, Any], spec: type[BaseModel]) -> dict[str, Any]:
    """Fields of a spec as JSON, and of those that it holds, also fields that are not written where
    they are the usual ones; of specs that may be left out so, those fields that have an effect."""
    usual = {
        name: effective(field.default)
        for name, field in spec.model_fields.items()
        if field.exclude_if is not None
    }
    held = {
        name: field.annotation
        for name, field in spec.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    written = {**usual, **settings}
    for name, value in settings.items():
        if isinstance(value, dict) and name in held and not issubclass(held[name], Kind):
            idle = without_effect(held[name]) if name in usual else ()
            fields = {key: field for key, field in value.items() if key not in idle}
            written[name] = written_out(fields, held[name])
    return written
