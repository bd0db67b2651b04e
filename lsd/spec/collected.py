"""Mistakes that are noted instead of raised while a config file runs, so that all of them are found
at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic import BaseModel, ValidationError

from lsd.spec.mistakes import Lines, line_errors


class Collected:
    """errors: the mistakes so far, each once, whatever specs hold the one that is wrong."""

    def __init__(self) -> None:
        self.errors: list[ValidationError] = []
        # kept, so that what is compared with them by identity is never something new at the same
        # address
        self._stand_ins: list[BaseModel] = []

    def note(self, error: ValidationError, data: Mapping[str, Any], spec: BaseModel) -> None:
        """The error of building `spec` from `data`, but for what stand-ins inside the data said
        when they were built."""
        new: Lines = [
            line for line in line_errors(error, type(spec)) if not self._is_known(data, line["loc"])
        ]
        if new:
            self.errors.append(ValidationError.from_exception_data(error.title, new))
        self._stand_ins.append(spec)

    def _is_known(self, value: Any, place: Sequence[int | str]) -> bool:
        for part in place:
            if self._is_stand_in(
                value.base if isinstance(value, Changed) and part not in value.names else value
            ):
                return True
            value = _inside(value, part)
        return self._is_stand_in(value)

    def _is_stand_in(self, value: Any) -> bool:
        return any(value is spec for spec in self._stand_ins)


class Changed(dict[str, Any]):
    """The fields of the spec `base` with others in the place of those in `names`."""

    def __init__(self, base: BaseModel, names: Mapping[str, Any]) -> None:
        super().__init__(base.__dict__)
        self.base, self.names = base, set(names)


_collected: ContextVar[Collected | None] = ContextVar("collected", default=None)


def collected() -> Collected | None:
    """Where mistakes are noted now; None: they are raised."""
    return _collected.get()


@contextmanager
def collecting() -> Iterator[list[ValidationError]]:
    """Inside, a spec that is wrong is noted and stands in for itself, so that all mistakes of a
    file are found at once.

    Yields the list of errors.  Specs built inside are only to be used if it stays empty: what stood
    in is refused by whoever validates it.
    """
    collector = Collected()
    token = _collected.set(collector)
    try:
        yield collector.errors
    finally:
        _collected.reset(token)


def _inside(value: Any, part: int | str) -> Any:
    """What `value` holds at a part of an error's place; itself where the part only says which of
    several types was tried."""
    if isinstance(value, BaseModel):
        value = value.__dict__
    if isinstance(value, Mapping):
        return value.get(part, value)
    if isinstance(value, (tuple, list)) and isinstance(part, int) and part < len(value):
        return value[part]
    return value
