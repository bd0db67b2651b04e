"""What every spec has in common: frozen plain data, unknown fields refused, regions written as
slices."""

from __future__ import annotations

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, NoReturn, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from lsd.spec.collected import Changed, collected
from lsd.spec.mistakes import explained, lines, without_index
from lsd.spec.plurals import counted


class Spec(BaseModel):
    """Base of all specs: an immutable value that equals itself after a round trip through JSON.

    A spec is validated when it is built, and again whenever another spec takes it in, so it does
    not matter how it was made.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always"
    )

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            _stand_in(self, data, error)

    # pydantic validates specs inside of specs by itself, so that errors say where in the whole they
    # are
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __iter__(self) -> NoReturn:
        """A spec is one value: where several are wanted, its fields are never what was meant."""
        raise TypeError(
            f"{type(self).__name__} is one value; write a tuple of it, as in "
            f"({type(self).__name__}(...),)"
        )

    def derive(self, /, **changes: Any) -> Self:
        """A spec like this one but for `changes`, validated as if it were written out; this one
        stays as it is.

            config.derive(name="longer", train={"iterations": 800_000, "schedule": {"kind":
            "cosine"}})

        A mapping for a field that holds a spec changes the fields it names and leaves the others
        (one that names another of several kinds, such as a loss, stands for itself); anything else
        takes the field's place: values, tuples, dictionaries like train.init.  Raises
        ValidationError, a ValueError, that names all mistakes at once, by dotted path.
        """
        data = _changed(self, changes)
        try:
            return type(self).model_validate(data)
        except ValidationError as error:
            stand_in = type(self).__new__(type(self))
            _stand_in(stand_in, data, error)
            return stand_in

    def _is_changed_by(self, change: Mapping[str, Any]) -> bool:
        """Whether fields of a mapping change this spec, rather than stand for another one."""
        return True

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As `derive`: no copy of a spec is without validation."""
        return self.derive(**(update or {}))

    @classmethod  # type: ignore[no-redef]  # the type checker's plugin writes one, too
    def model_construct(  # type: ignore[override]
        cls, _fields_set: set[str] | None = None, **values: Any
    ) -> Self:
        """Without validation, but not without what nobody knows, which pydantic drops: whoever
        validates it later names it."""
        spec = super().model_construct(_fields_set, **values)
        vars(spec).update(
            {name: value for name, value in values.items() if name not in cls.model_fields}
        )
        return spec

    def checked(self) -> Self:
        """This spec, validated anew, for those who cannot know how it was made.  ValueError, a line
        for each mistake."""
        try:
            return type(self).model_validate(self)
        except ValidationError as error:
            raise ValueError("\n".join(lines(error))) from None


def _stand_in(spec: Spec, data: Mapping[str, Any], error: ValidationError) -> None:
    """Notes the error and fills `spec` with what it was given, or raises where nobody collects.

    It holds nothing but what was wrong, so whoever validates it later, in this process or another,
    finds the same mistakes.
    """
    collector = collected()
    if collector is None:
        raise explained(error, type(spec)) from None
    collector.note(error, data, spec)
    object.__setattr__(spec, "__dict__", dict(data))
    object.__setattr__(spec, "__pydantic_fields_set__", set(data))
    object.__setattr__(spec, "__pydantic_extra__", None)
    object.__setattr__(spec, "__pydantic_private__", None)


def _changed(spec: Spec, changes: Mapping[str, Any]) -> Changed:
    """The fields of `spec` with the changes in their place."""
    merged = Changed(spec, changes)
    for name, change in changes.items():
        current = spec.__dict__.get(name)
        within = (
            isinstance(current, Spec)
            and isinstance(change, Mapping)
            and current._is_changed_by(change)
        )
        merged[name] = _changed(cast(Spec, current), change) if within else change
    return merged


# what int64 and uint64 hold: numbers of voxels, and ids
MOST = 2**63 - 1
MOST_ID = 2**64 - 1

Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Positive = Annotated[int, Field(gt=0, le=MOST)]
NonNegative = Annotated[int, Field(ge=0, le=MOST)]
Id = Annotated[int, Field(ge=0, le=MOST_ID)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Ints = tuple[Whole, ...]
Shape = tuple[Positive, ...]
# one value an axis, z y x, or y x
PerAxis = AfterValidator(lambda values: _per_axis(values))
# of a 2D volume the last two count
OfEachAxis = AfterValidator(lambda sizes: _of_each_axis(sizes))
OneOrEachAxis = Annotated[
    Annotated[PositiveFloat, Tag("one")]
    | Annotated[tuple[PositiveFloat, ...], PerAxis, Tag("each")],
    # so that a mistake is told of the type that was meant
    Discriminator(lambda value: "each" if isinstance(value, tuple | list) else "one"),
]
# one alone is a tuple of one
Several = WrapValidator(lambda value, handler: several(value, handler, str | int | float))
SeveralSpecs = WrapValidator(lambda value, handler: several(value, handler, BaseModel | Mapping))
# a kind may be its name alone
SeveralKinds = WrapValidator(
    lambda value, handler: several(value, handler, BaseModel | Mapping | str)
)
SeveralOffsets = BeforeValidator(lambda offsets: _several_offsets(offsets))
Range = Annotated[tuple[float, float], AfterValidator(lambda r: _ordered(r))]


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"a range is (low, high), got {bounds}; swap the two")
    return bounds


def several(value: Any, handler: ValidatorFunctionWrapHandler, one: type | UnionType) -> Any:
    """A tuple of what is `one` alone; errors name no index that nobody wrote."""
    if not isinstance(value, one):
        return handler(value)
    try:
        return handler((value,))
    except ValidationError as error:
        raise without_index(error) from None


def _several_offsets(offsets: Any) -> Any:
    """One offset, such as (0, 0, 1), is a tuple of it."""
    alone = (
        isinstance(offsets, tuple | list)
        and offsets
        and all(isinstance(step, int) for step in offsets)
    )
    return (offsets,) if alone else offsets


def _per_axis(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(values) not in (2, 3):
        raise ValueError(f"give one value an axis, z, y and x, in 2D y and x, got {values}")
    return values


def _of_each_axis(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(sizes) != 3:
        raise ValueError(f"give z, y and x (of a 2D volume the last two count), got {sizes}")
    return sizes


def too_few(values: tuple[float, ...], dims: int) -> str:
    """A message which says that these values, one an axis, are fewer than the network has axes."""
    return (
        f"{values} is of {counted(len(values), 'axis')}, the network of {dims}; give "
        f"{' '.join('zyx'[-dims:])}"
    )


def _parse_region(value: Any) -> Any:
    """Reads "0:170, :, 10:" as ((0, 170), (None, None), (10, None)); anything else passes
    through."""
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
            f"region {whole!r}: {part!r} is no slice; write begin:end for each axis, as in '0:170, "
            f":, 10:90'"
        ) from None


def _check_region(
    region: tuple[tuple[int | None, int | None], ...],
) -> tuple[tuple[int | None, int | None], ...]:
    if len(region) > 3:
        raise ValueError(f"region has {len(region)} slices; give one an axis, z, y and x at most")
    for begin, end in region:
        if begin is not None and end is not None and begin >= end:
            raise ValueError(f"region holds the empty slice {begin}:{end}; begin must be below end")
    return region


Region = Annotated[
    tuple[tuple[Whole | None, Whole | None], ...],
    BeforeValidator(_parse_region),
    AfterValidator(_check_region),
]
"""A box in voxels, one (begin, end) an axis from z on, None for an open end; as text: "0:170, :,
10:90".

Axes that are not named are whole.  Voxels are counted from the origin of the world (offset 0), so a
crop that
keeps its offset on disk keeps its coordinates.
"""
