"""What every spec has in common: frozen plain data, unknown fields refused, regions written as slices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

_collected: ContextVar[list[ValidationError] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[list[ValidationError]]:
    """Inside, a spec that is wrong is noted and stands in as it is, so that all mistakes of a file are found at once.

    Yields the list of errors.  Specs built inside are only to be used if it stays empty.
    """
    errors: list[ValidationError] = []
    token = _collected.set(errors)
    try:
        yield errors
    finally:
        _collected.reset(token)


class Spec(BaseModel):
    """Base of all specs: an immutable value that equals itself after a round trip through JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            errors = _collected.get()
            if errors is None:
                raise
            errors.append(error)
            stand_in = type(self).model_construct(**data)
            object.__setattr__(self, "__dict__", stand_in.__dict__)
            object.__setattr__(self, "__pydantic_fields_set__", stand_in.model_fields_set)
            object.__setattr__(self, "__pydantic_extra__", None)
            object.__setattr__(self, "__pydantic_private__", None)


Ints = tuple[int, ...]
Floats = tuple[float, ...]
Positive = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Shape = tuple[Positive, ...]
Range = Annotated[tuple[float, float], AfterValidator(lambda r: _ordered(r))]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"a range is (low, high), got {bounds}; swap the two")
    return bounds


def _parse_region(value: Any) -> Any:
    """Reads "0:170, :, 10:" as ((0, 170), (None, None), (10, None)); anything else passes through."""
    if not isinstance(value, str | int):
        return value
    text = str(value).strip()
    return tuple(_parse_slice(part.strip(), text) for part in text.split(",")) if text else ()


def _parse_slice(part: str, whole: str) -> tuple[int | None, int | None]:
    begin, colon, end = part.partition(":")
    try:
        if not colon:
            raise ValueError
        return (int(begin) if begin.strip() else None, int(end) if end.strip() else None)
    except ValueError:
        raise ValueError(
            f"region {whole!r}: {part!r} is no slice; write begin:end for each axis, as in '0:170, :, 10:90'"
        ) from None


def _check_region(region: tuple[tuple[int | None, int | None], ...]) -> tuple[tuple[int | None, int | None], ...]:
    for begin, end in region:
        if begin is not None and end is not None and begin >= end:
            raise ValueError(f"region holds the empty slice {begin}:{end}; begin must be below end")
    return region


Region = Annotated[
    tuple[tuple[int | None, int | None], ...],
    BeforeValidator(_parse_region),
    AfterValidator(_check_region),
]
"""A box in voxels, one (begin, end) an axis from z on, None for an open end; as text: "0:170, :, 10:90".

Axes that are not named are whole.  Voxels are counted from the origin of the world (offset 0), so a crop that
keeps its offset on disk keeps its coordinates.
"""
