"""Arguments of the functions that people call by hand.  What can be meant in one way only is
accepted; anything else is refused in a sentence."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from pydantic import ValidationError

from lsd.arrays.offsets import Offset
from lsd.spec import Spec
from lsd.spec.mistakes import brief, lines, suggestion

# names that are listed beside the one that was probably meant
_FEW = 6
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Settings = TypeVar("Settings", bound=Spec)


def explaining_calls(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function; a call that does not fit its arguments raises ValueError, which says what was
    meant.  The __init__ of a class answers for a call of the class."""
    parameters = inspect.signature(function).parameters.values()
    by_position = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    needed = [p.name for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    takes_others = any(p.kind is p.VAR_KEYWORD for p in parameters)
    names = keywords(function)
    title = _title(function)

    @wraps(function)
    def called(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        if len(arguments) > len(by_position):
            raise ValueError(_too_many(title, by_position, names))
        unknown = [name for name in named if name not in names and not takes_others]
        if unknown:
            raise ValueError(unknown_keyword(title, unknown[0], names))
        missing = set(needed) - set(by_position[: len(arguments)]) - set(named)
        if missing:
            listed = ", ".join(name for name in needed if name in missing)
            raise ValueError(f"{title} was called without {listed}, which it needs")
        return function(*arguments, **named)

    return called


def keywords(function: Callable[..., object]) -> tuple[str, ...]:
    """Names of the arguments of a function that can be given by name."""
    return tuple(
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name != "self"
    )


def unknown_keyword(function: str, name: str, allowed: Iterable[str]) -> str:
    """That a function has no argument of this name, and which was meant; where it has few, all."""
    names = list(allowed)
    meant = suggestion(name, names)
    listed = f" There are: {', '.join(names)}" if meant.endswith("?") and len(names) <= _FEW else ""
    return f"{function} has no argument {name!r}{meant}{listed}"


def number(value: Any, name: str, *, low: float = -math.inf, high: float = math.inf) -> float:
    """The number, of Python or numpy.  Raises ValueError for anything else, NaN, and what is not in
    low..high."""
    try:
        if isinstance(value, str | bytes | bool | np.bool_) or np.ndim(value) > 0:
            raise TypeError
        single = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number{_within(low, high)}, got {brief(value)}") from None
    if not low <= single <= high:
        raise ValueError(f"{name} is a number{_within(low, high)}, got {brief(value)}")
    return single


def whole_number(value: Any, name: str, *, low: int) -> int:
    """The same of a whole number, of at least `low`."""
    single = number(value, name)
    if not (math.isfinite(single) and single == int(single) >= low):
        raise ValueError(f"{name} is a whole number, {low} or more, got {brief(value)}")
    return int(single)


def per_axis(values: Any, name: str, *, dims: int, of: str) -> tuple[float, ...]:
    """One positive number an axis, nm; one alone is that of all axes.

    of: what has so many axes, for the message
    """
    try:
        entries = [values] * dims if _is_one(values) else list(values)
        lengths = tuple(number(entry, name) for entry in entries)
    except (TypeError, ValueError):
        lengths = ()
    if len(lengths) != dims or not all(0 < length < math.inf for length in lengths):
        raise ValueError(
            f"{name} has one positive number an axis, in nm, {dims} for {of} (one alone counts for "
            f"all axes); got {brief(values)}"
        )
    return lengths


def offsets_of(neighborhood: Any) -> tuple[Offset, ...]:
    """The offsets of a neighborhood, each a tuple of numbers; whether they fit an array is checked
    by whoever uses them.

    Raises ValueError where it is no list of offsets, such as one offset alone.
    """
    try:
        # fractions stay, so that whoever checks them can say so
        return tuple(
            tuple(_whole(number(step, "step")) for step in offset) for offset in neighborhood
        )
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            "a neighborhood is a list of offsets in voxels, one for each channel, as in "
            f"[(-1, 0, 0), (0, -1, 0), (0, 0, -1)]; got {brief(neighborhood)}"
        ) from None


def derived(settings: Settings, **values: Any) -> Settings:
    """The settings, a spec, with these values in the place of its fields.  Raises ValueError, in
    plain words, for values that a field cannot have."""
    try:
        return settings.derive(**values)
    except ValidationError as error:
        # who calls a function has never seen the name of the spec
        title = f"{type(settings).__name__}."
        raise ValueError("; ".join(line.removeprefix(title) for line in lines(error))) from None


def names_of(values: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    """One name or several, as a tuple.  Raises ValueError for anything else."""
    several = (values,) if isinstance(values, str) else values
    if not isinstance(several, Sequence | set | frozenset) or not all(
        isinstance(each, str) for each in several
    ):
        raise ValueError(f"{name} is a name or a list of names, got {brief(values)}")
    return tuple(several)


def _too_many(function: str, by_position: Sequence[str], names: Sequence[str]) -> str:
    others = [f"{name}=" for name in names if name not in by_position]
    allowed = [name for name in by_position if name != "self"]
    way_out = f"; name the others: {', '.join(others)}" if others else ""
    most = f"no more than {', '.join(allowed)}" if allowed else "nothing"
    return f"{function} takes {most} without a name{way_out}"


def _title(function: Callable[..., object]) -> str:
    """What people call it by."""
    name = function.__name__
    return function.__qualname__.split(".")[-2] if name == "__init__" else name


def _whole(single: float) -> Any:
    """A whole number as such, a fraction as it is.  Raises OverflowError for infinity."""
    return int(single) if single == int(single) else single


def _is_one(values: Any) -> bool:
    return isinstance(values, str | bytes) or np.ndim(values) == 0


def _within(low: float, high: float) -> str:
    return f", {low:g} to {high:g}" if high < math.inf else ""
