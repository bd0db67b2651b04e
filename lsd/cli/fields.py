"""Every field that a config has, with what it means and its default: taken from the specs, so that
the help of a command says what there is.

Meanings are the lines "name: meaning" of the docstrings of specs.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lsd.spec import Config, Kind
from lsd.spec.error_place import members

# how keys go on below a tuple and below a dictionary
INDEX, NAME = "N", "NAME"
_ENTRY = re.compile(r"([a-z_]+(?:, [a-z_]+)*):\s+(\S.*)")
_LONGEST = 40


@dataclass(frozen=True)
class Field:
    """name: as it is written in a config; default: as text, of a kind its name, "" where a section
    says it or none is; meaning: sentences, in one line"""

    name: str
    default: str
    meaning: str
    required: bool


@dataclass(frozen=True)
class Section:
    """The fields of a spec.  keys: where such a spec stands, "train" or "dataset.train.N"; kind: of
    a spec that is one of several kinds, "" of others."""

    spec: type[BaseModel]
    kind: str
    keys: list[str] = field(default_factory=list)

    @property
    def about(self) -> str:
        """What it is, in a sentence or two."""
        return " ".join(inspect.cleandoc(self.spec.__doc__ or "").split("\n\n")[0].split())

    @property
    def fields(self) -> list[Field]:
        """All of them; which kind it is says the section."""
        meaning = meanings(self.spec)
        return [
            Field(name, _default(info), meaning.get(name, ""), info.is_required())
            for name, info in self.spec.model_fields.items()
            if not (self.kind and name == "kind")
        ]


def sections(spec: type[BaseModel] = Config) -> list[Section]:
    """The spec and all that it holds, however deep, in the order of their fields; each once."""
    by_spec: dict[type[BaseModel], Section] = {}
    for key, one in _walk(spec, ""):
        kind = one.model_fields["kind"].default if issubclass(one, Kind) else ""
        section = by_spec.setdefault(one, Section(one, kind))
        if key not in section.keys:
            section.keys.append(key)
    return list(by_spec.values())


def meanings(spec: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a spec, and of those that it is made from, say of its fields."""
    by_field: dict[str, str] = {}
    for base in reversed(spec.__mro__):
        if isinstance(base, type) and issubclass(base, BaseModel):
            by_field |= _documented(base.__dict__.get("__doc__") or "", spec.model_fields)
    return by_field


def _documented(doc: str, fields: dict[str, FieldInfo]) -> dict[str, str]:
    lines: dict[str, list[str]] = {}
    current: tuple[str, ...] = ()
    for line in inspect.cleandoc(doc).splitlines():
        entry = _ENTRY.fullmatch(line)
        names = tuple(entry[1].split(", ")) if entry else ()
        if entry and all(name in fields for name in names):
            current = names
            for name in names:
                lines.setdefault(name, []).append(entry[2].strip())
        elif line.startswith(" ") and current:
            for name in current:
                lines[name].append(line.strip())
        else:
            current = ()
    return {name: " ".join(parts) for name, parts in lines.items()}


def _walk(
    spec: type[BaseModel], key: str, *, around: tuple[type[BaseModel], ...] = ()
) -> Iterator[tuple[str, type[BaseModel]]]:
    """The keys and specs below `key`; around: the specs that hold `spec`, which it may hold again,
    as a loss that has another as a part."""
    yield key, spec
    for name, info in spec.model_fields.items():
        below = f"{key}.{name}" if key else name
        for suffix, held in _held(info.annotation):
            if held is not spec and held not in around:
                yield from _walk(held, f"{below}{suffix}", around=(*around, spec))


def _held(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The specs that a field may hold, and how keys go on to them."""
    for member in members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            yield "", member
        elif get_origin(member) in (tuple, dict):
            suffix = f".{INDEX}" if get_origin(member) is tuple else f".{NAME}"
            for inner in dict.fromkeys(get_args(member)):
                if inner is not ...:
                    yield from ((f"{suffix}{deeper}", held) for deeper, held in _held(inner))
        elif get_origin(member) is Annotated:
            yield from _held(get_args(member)[0])


def _default(info: FieldInfo) -> str:
    is_section = isinstance(info.default, BaseModel) and not isinstance(info.default, Kind)
    if info.is_required() or is_section:
        return ""
    text = _shown(info.default)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _shown(value: Any) -> str:
    """As it is written on a command line."""
    if isinstance(value, Kind):
        fields = value.model_dump(mode="json", exclude_defaults=True)
        return value.to_name() or json.dumps({"kind": value.kind, **fields})
    if isinstance(value, tuple):
        items = (repr(item) if isinstance(item, str) else _shown(item) for item in value)
        return f"({', '.join(items)}{',' if len(value) == 1 else ''})"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else repr(value)
