"""What the command line changes of a config: key=value."""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from lsd.spec import Config, Kind
from lsd.spec.error_place import place_of, specs
from lsd.spec.mistakes import ConfigError, lines, suggestion, unknown

DICTIONARIES = {
    "dataset": "DATASETS",
    "variant": "VARIANTS",
    "network": "NETWORKS",
    "dataset.augment": "AUGMENTATIONS",
}
# as JSON writes them, and none
_WORDS = {"none": None, "null": None, "true": True, "false": False}
DEFAULT_CONFIG = Path("config") / "config.py"
# the first of these that is there is meant where none is named
CONFIGS = (DEFAULT_CONFIG, Path("config.py"))


def override(
    config: Config, overrides: Iterable[str], dictionaries: Mapping[str, Mapping[str, Any]]
) -> Config:
    """`config` with "key=value" applied and validated again; a value may be a name of the
    dictionary for its key.

    Raises ConfigError with every mistake found.
    """
    mistakes, texts = [], {}
    for text in overrides:
        try:
            key, texts[key] = _split(text)
        except ConfigError as error:
            mistakes.append(str(error))
    data, wrong = _plain(config), None
    for key in sorted(texts, key=_depth):
        try:
            # against the last config that was right: dataset=x changes what dataset.train.0 is
            if (opened := _opened(config, key)) is not None:
                _put(data, *opened)
                config, _ = _validated(config, data, {})
            _check_path(config, key, data)
            value = _several_names(config, key, _value(key, texts[key], dictionaries))
            _drop_of_other_kind(data, config, key, value, given=texts)
            _put(data, key, value)
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        # what is wrong now may be right with an override that is yet to come
        config, wrong = _validated(config, data, texts)
        data = data if wrong else _plain(config)
    if wrong:
        mistakes += lines(wrong)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def _validated(
    config: Config, data: dict[str, Any], texts: Mapping[str, str]
) -> tuple[Config, ValidationError | None]:
    """The config of the data, or the one given, and what is wrong.  Where text is wanted, what
    reads like a number is text."""
    try:
        return Config.model_validate(data), None
    except ValidationError as error:
        wanted = [
            place_of(Config, detail["loc"]).parts
            for detail in error.errors()
            if detail["type"] == "string_type"
        ]
        # one name stands for a tuple of it
        keys = {
            ".".join(map(str, parts[:end]))
            for parts in wanted
            for end in (len(parts), len(parts) - 1)
        } & texts.keys()
        if not keys:
            return config, error
        for key in keys:
            _put(data, key, texts[key])
        return _validated(
            config, data, {key: text for key, text in texts.items() if key not in keys}
        )


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{text!r} is no override; write key=value, as in train.batch_size=2")
    return key.strip(), value


def _depth(key: str) -> tuple[int, bool]:
    """What keys are sorted by: which kind it is comes before the fields that the kind has."""
    return key.count("."), not key.endswith(".kind")


def _opened(config: Config, key: str) -> tuple[str, dict[str, Any]] | None:
    """Where a key goes on below a spec that is not set, which has usual values: its place, and
    these; None where there is no such."""
    node: Any = config
    *parents, _ = key.split(".")
    for depth, part in enumerate(parents):
        if not _has(node, part):
            return None
        fields = type(node).model_fields if isinstance(node, BaseModel) else {}
        held, node = specs(fields[part].annotation) if fields else (), _at(node, part)
        if node is None and len(held) == 1:
            [spec] = held
            if any(field.is_required() for field in spec.model_fields.values()):
                return None
            return ".".join(parents[: depth + 1]), _plain(spec())
    return None


def _has(node: Any, part: str) -> bool:
    if isinstance(node, BaseModel):
        return part in type(node).model_fields
    if isinstance(node, tuple):
        return part.isdecimal() and int(part) < len(node)
    return isinstance(node, dict) and part in node


def _check_path(config: Config, key: str, data: Any) -> None:
    """Raises ConfigError for a key that leads nowhere; data: the config, with what was set so far,
    also where that is not right yet, as a kind whose fields are to come."""
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        where = ".".join(parts[:depth])
        if isinstance(node, Kind) and (kind := _other_kind(node, _in_data(data, parts[:depth]))):
            if part not in kind.model_fields:
                raise ConfigError(f"{where}: {unknown(part, kind.model_fields)}")
            return
        if isinstance(node, BaseModel):
            fields = list(type(node).model_fields)
            if part not in fields:
                raise ConfigError(f"{where}: " * bool(where) + unknown(part, fields, _deeper(node)))
        elif isinstance(node, tuple):
            if not part.isdecimal() or int(part) >= len(node):
                entries = (
                    f"entries 0..{len(node) - 1}" if node else f"no entries yet; set {where} itself"
                )
                raise ConfigError(f"{where} has {entries}, got {part!r}")
        elif not isinstance(node, dict):
            raise ConfigError(f"{where} is {node!r} and has no field {part!r}; set {where} itself")
        node = _at(node, part)


def _deeper(node: BaseModel) -> list[str]:
    """Fields of the specs that a spec holds, as keys from it on: train.iterations."""
    return [
        f"{key}.{name}"
        for key, value in node.__dict__.items()
        if isinstance(value, BaseModel)
        for name in (*type(value).model_fields, *_deeper(value))
    ]


def _drop_of_other_kind(
    data: Any, config: Config, key: str, value: Any, *, given: Collection[str]
) -> None:
    """Where a key names another kind: takes away what the kind of before has and this one has not,
    as Mse.balance, which Malis has not.  What the command line sets stays, and is refused by its
    name; given: its keys."""
    where, _, last = key.rpartition(".")
    node: Any = config
    for part in where.split(".") if last == "kind" and isinstance(value, str) else ():
        node = _at(node, part)
        data = data[int(part)] if isinstance(data, list) else data[part]
    if not isinstance(node, Kind):
        return
    other = _of_family(node, value)
    known = type(node).model_fields if other is None else other.model_fields
    for name in type(node).model_fields:
        if name not in known and f"{where}.{name}" not in given:
            data.pop(name, None)


def _of_family(node: Kind, name: object) -> type[Kind] | None:
    """The kind of this name in the family of a kind."""
    family: Any = next(base for base in type(node).__mro__ if Kind in base.__bases__)
    kind: type[Kind] | None = family.kinds().get(str(name))
    return kind


def _other_kind(node: Kind, data: Any) -> type[Kind] | None:
    """The kind that data name in the place of a kind, where it is another one."""
    name = data.get("kind", node.kind) if isinstance(data, dict) else node.kind
    return None if name == node.kind else _of_family(node, name)


def _in_data(data: Any, parts: Iterable[str]) -> Any:
    """What data hold at a place; None where an earlier override made something else of it."""
    with suppress(LookupError, TypeError, ValueError):
        for part in parts:
            data = data[int(part)] if isinstance(data, list) else data[part]
        return data
    return None


def _at(node: Any, part: str) -> Any:
    if isinstance(node, BaseModel):
        return getattr(node, part)
    return node[int(part)] if isinstance(node, tuple) else node.get(part)


def _put(data: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    try:
        for part in parents:
            data = data[int(part)] if isinstance(data, list) else data[part]
        data[int(last) if isinstance(data, list) else last] = value
    except (LookupError, TypeError, ValueError):
        # an earlier override, which is wrong, made something else of what holds it
        raise ConfigError(f"{key}: there is nothing of that name to set") from None


def _value(key: str, text: str, dictionaries: Mapping[str, Mapping[str, Any]]) -> Any:
    names = dictionaries.get(key, {})
    if text in names:
        return _plain(names[text])
    value = literal(text)
    # what has a dictionary is a structure: anything plainer was meant as a name
    if key not in DICTIONARIES or isinstance(value, (dict, list, tuple)):
        return value
    if names:
        raise ConfigError(f"no {key.split('.')[-1]} {text!r}{suggestion(text, names)}")
    raise ConfigError(
        f"{key}: the name {text!r} is looked up in {DICTIONARIES[key]} of a .py config, and this "
        f"config holds none (a .json "
        f"never does); name a .py config with -c that imports it, as in -c {DEFAULT_CONFIG} "
        f"{key}={text}"
    )


def _several_names(config: Config, key: str, value: Any) -> Any:
    """Names with commas between them, with brackets or without, where a field takes names; a name
    that has a comma is written as JSON."""
    if not isinstance(value, str) or "," not in value:
        return value
    node: Any = config
    *parents, last = key.split(".")
    for part in parents:
        node = _at(node, part) if _has(node, part) else None
    field = type(node).model_fields.get(last) if isinstance(node, BaseModel) else None
    if field is None or field.annotation != tuple[str, ...]:
        return value
    return [name.strip().strip("\"'") for name in value.strip().strip("[]()").split(",")]


def literal(text: str) -> Any:
    """The value that is written as in Python or in JSON, also where both are mixed; text that is
    neither stays as it is."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        if text.lstrip()[:1] in ("{", "["):
            with suppress(ValueError):
                return json.loads(text)
        return ast.literal_eval(_InWords().visit(ast.parse(text.strip(), mode="eval")))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


class _InWords(ast.NodeTransformer):
    """true, false and null of JSON, and none, as Python has them."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A constant in the place of its word."""
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node


def _plain(value: Any) -> Any:
    """Nested specs as dictionaries and lists, which overrides can change: with all of their fields,
    also those that are not written where they are the usual ones."""
    if isinstance(value, BaseModel):
        value = vars(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
