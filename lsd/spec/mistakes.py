"""What is wrong with a spec, in a sentence for each mistake that names the field as the user wrote
it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from lsd.spec.error_place import Place, members, place_of, specs

Lines = list[InitErrorDetails]
# the spec that fields are named from without saying so
WHOLE = "Config"
# the types of errors that have our words already; of the second the place, too, is as it is told
EXPLAINED, PLACED = "explained", "placed"
# pydantic's own for a field that is not there, and how our words for it begin
UNKNOWN, _NO_FIELD = "extra_forbidden", "no field"
_LONGEST = 120
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a tuple",
    "dict": "a dictionary, as in {name: value}",
    "model": "several fields",
}
_BOUNDS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")


class ConfigError(ValueError):
    """A config file, an override or a setting that cannot be used.  The message says why, a line
    for each mistake; commands exit with status 2."""


def lines(error: ValidationError) -> list[str]:
    """One line for each mistake: where (from the spec that was built, unless it is the whole
    config), what, what was found."""
    top = () if error.title == WHOLE else (error.title,)
    messages = []
    for detail in explained(error, _named(error.title)).errors(include_url=False):
        # a field that is not there is named by the message
        path = detail["loc"][:-1] if detail["type"] == UNKNOWN else detail["loc"]
        where = ".".join(str(part) for part in (*top, *path))
        messages.append(
            f"{where}: {_without_field(detail['msg'], path)}" if where else detail["msg"]
        )
    return messages


def _without_field(message: str, path: Sequence[int | str]) -> str:
    """The message; where it says that a kind is unknown, without the name of its field, which is
    said before it."""
    field = str(path[-1]) if path else ""
    is_twice = re.match(rf"{re.escape(field)} '[^']*' is unknown", message) is not None
    return message.removeprefix(f"{field} ") if is_twice else message


def explained(error: ValidationError, spec: type[BaseModel]) -> ValidationError:
    """The error with our words in the place of pydantic's."""
    return ValidationError.from_exception_data(error.title, line_errors(error, spec))


def line_errors(error: ValidationError, spec: type[BaseModel]) -> Lines:
    """The mistakes of building `spec`, each at the place of the field that is wrong, once."""
    errors: dict[tuple[int | str, ...], InitErrorDetails] = {}
    flat: set[tuple[int | str, ...]] = set()
    for detail in error.errors(include_url=False):
        if detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]:
            # pydantic counts what was right in it; what was not has a line of its own
            continue
        path = detail["loc"]
        if _is_placed(detail):
            errors[path] = _told(detail["type"], detail["msg"], path, detail["input"])
            continue
        # of a tuple that is too short, the tuple is wrong, not what it lacks
        is_short = detail["type"] == "missing" and isinstance(path[-1], int)
        where = place_of(spec, path[:-1] if is_short else path)
        if detail["type"] == "tuple_type" and where.parts and isinstance(where.parts[-1], int):
            # numbers in the place of tuples are all wrong for one reason
            if where.parts[:-1] in flat:
                continue
            flat.add(where.parts[:-1])
        kind = UNKNOWN if detail["type"] == UNKNOWN else PLACED
        told = _told(kind, _message(detail, where), where.parts, detail["input"])
        # of a field that may be of several types each is tried, and the first says what is usual
        errors.setdefault(where.parts, told)
    return list(errors.values())


def _told(kind: str, message: str, place: tuple[int | str, ...], value: Any) -> InitErrorDetails:
    words = PydanticCustomError(kind, "{message}", {"message": message})
    return InitErrorDetails(type=words, loc=place, input=value)


def _is_placed(detail: ErrorDetails) -> bool:
    """Whether an error was explained before, so that its place is no longer pydantic's path."""
    is_unknown = detail["type"] == UNKNOWN and detail["msg"].startswith(_NO_FIELD)
    return detail["type"] == PLACED or is_unknown


def without_index(error: ValidationError) -> ValidationError:
    """The same error, with its mistakes placed in the one element that was checked as a tuple."""
    return _moved(error, drop=1)


def inside(error: ValidationError, part: str) -> ValidationError:
    """The same error, with its mistakes placed in that part of something larger."""
    return _moved(error, before=(part,))


def _moved(
    error: ValidationError, *, before: tuple[str, ...] = (), drop: int = 0
) -> ValidationError:
    errors: Lines = []
    for detail in error.errors(include_url=False):
        kind: str | PydanticCustomError = detail["type"]
        if kind in (EXPLAINED, "value_error"):
            kind = PydanticCustomError(kind, "{message}", {"message": detail["msg"]})
        loc = (*before, *detail["loc"][drop:])
        errors.append(
            InitErrorDetails(type=kind, loc=loc, input=detail["input"], ctx=detail.get("ctx", {}))
        )
    return ValidationError.from_exception_data(error.title, errors)


def not_a_kind(value: object, kinds: Mapping[str, type[Any]]) -> str:
    """A message for a value that says no kind; kinds: those that are allowed, by name."""
    if isinstance(value, type):
        return f"wants a value, got the class {value.__name__}; write {value.__name__}()"
    example = "".join(f", as in '{name}' or {{'kind': '{name}'}}" for name in [*kinds][:1])
    return f"wants one of several kinds, so name it{example}; got {brief(value)}"


def unknown(name: str, fields: Iterable[str], deeper: Sequence[str] = ()) -> str:
    """A message which says that there is no field of this name, and which was probably meant."""
    return f"{_NO_FIELD} {name!r}{suggestion(name, fields, deeper)}"


def suggestion(name: str, allowed: Iterable[str], deeper: Sequence[str] = ()) -> str:
    """What a name may stand for: one of these, or the end of one of the deeper keys."""
    names = list(allowed)
    ends: dict[str, list[str]] = {}
    for key in deeper:
        ends.setdefault(key.rpartition(".")[2], []).append(key)
    # where a deeper field is called just so, only what looks much like it is as likely
    close = difflib.get_close_matches(
        name, names, n=1, cutoff=0.8 if name in ends else 0.6
    ) + ends.get(name, [])
    close = close or [
        key for like in difflib.get_close_matches(name, ends, n=1) for key in ends[like]
    ]
    return (
        f"; did you mean {' or '.join(map(repr, close))}?"
        if close
        else f"; there are: {', '.join(names)}"
    )


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """The end of a message that lists what is allowed: the name that was probably meant, "" where
    none is like it."""
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def deeper(spec: type[BaseModel]) -> list[str]:
    """Fields of the specs that a spec holds, as keys from it on, each once: train.iterations.

    A kind may hold one of its own family, as a loss that has another as a part: what holds a spec
    is not gone into again below it.
    """
    return list(dict.fromkeys(_deeper(spec, around=())))


def _deeper(spec: type[BaseModel], *, around: tuple[type[BaseModel], ...]) -> Iterator[str]:
    around = (*around, spec)
    for name, field in spec.model_fields.items():
        for held in specs(field.annotation):
            if held not in around:
                yield from (f"{name}.{key}" for key in held.model_fields)
                yield from (f"{name}.{key}" for key in _deeper(held, around=around))


def brief(value: object) -> str:
    """The value as it is written, cut where it is long."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _message(detail: ErrorDetails, where: Place) -> str:
    kind, value = detail["type"], detail["input"]
    message = detail["msg"].removeprefix("Value error, ")
    if kind == UNKNOWN:
        owner, name = where.owner or BaseModel, str(where.parts[-1])
        return (
            f"{_NO_FIELD} {name!r}; in code, a field of another one is given as {_nested(name)}"
            if name in deeper(owner)
            else unknown(name, owner.model_fields, deeper(owner))
        )
    if kind == "missing" and isinstance(detail["loc"][-1], int):
        return f"wants {_how_many(where)}, got {brief(value)}"
    if kind == "missing":
        return "it has no default, so give it"
    if kind in (EXPLAINED, "value_error"):
        return message
    wanted = _wanted(detail)
    message = f"wants {wanted}" if wanted else f"{message[:1].lower()}{message[1:]}"
    return f"{message}{_way_out(detail, where)}, got {brief(value)}"


def _nested(name: str) -> str:
    """As in train={'schedule': {'kind': ..}}, of a dotted name."""
    first, *others = name.split(".")
    inner = ".."
    for other in reversed(others):
        inner = f"{{{other!r}: {inner}}}"
    return f"{first}={inner}"


def _how_many(where: Place) -> str:
    """How many values a tuple of several has."""
    counts = {len(get_args(kind)) for kind in where.types if get_origin(kind) is tuple}
    return f"{' or '.join(map(str, sorted(counts)))} values" if counts else "more values"


def _wanted(detail: ErrorDetails) -> str | None:
    """What a field wants, where pydantic says it in words of its own."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("too_short", "too_long"):
        bound, count = (
            ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        )
        return f"{bound} {context[count]} value{'s' if context[count] != 1 else ''}"
    return (
        _KINDS.get(kind.split("_")[0])
        if kind.endswith(("_type", "_parsing", "_from_float"))
        else None
    )


def _way_out(detail: ErrorDetails, where: Place) -> str:
    kind, value = detail["type"], detail["input"]
    if value is None and where.may_be_zero:
        return ", 0 for none or never"
    if kind in _BOUNDS and where.may_be_none:
        return ", or None"
    if kind == "tuple_type" and where.held:
        return f" of {' or '.join(spec.__name__ for spec in where.held)}"
    if kind == "tuple_type" and isinstance(value, int | float):
        return _as_tuple(value, where)
    if kind == "model_type" and where.types:
        names = [name for spec in where.types for each in specs(spec) for name in each.model_fields]
        return f" by name: {', '.join(names)}"
    return ""


def _as_tuple(value: float, where: Place) -> str:
    """A tuple that may have been meant by a number: one for each axis, or as many as there are."""
    inner = next((get_args(kind) for kind in where.types if get_origin(kind) is tuple), ())
    if inner and inner[-1] is not ...:
        return f" of {len(inner)}"
    one = ", ".join([str(value)] * 3)
    return (
        f", as in (({one}),)"
        if inner and any(get_origin(kind) is tuple for kind in members(inner[0]))
        else f", as in ({one})"
    )


def _named(title: str) -> type[BaseModel]:
    """The spec that an error is about; of those of the same name the one defined last."""
    specs = (spec for spec in reversed(_subclasses(BaseModel)) if hasattr(spec, "derive"))
    return next((spec for spec in specs if spec.__name__ == title), BaseModel)


def _subclasses(base: type[BaseModel]) -> list[type[BaseModel]]:
    children = base.__subclasses__()
    return [spec for child in children for spec in (child, *_subclasses(child))]
