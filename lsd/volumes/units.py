"""Lengths in nanometres, without the rounding that binary floats bring: 0.00524 micrometres are
5.24 nm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from funlib.geometry import Coordinate

Remainder = tuple[Fraction, ...]

NANOMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), Fraction(1)),
    **dict.fromkeys(("pm", "picometer", "picometre"), Fraction(1, 1000)),
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"), Fraction(1000)),
    **dict.fromkeys(
        ("micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"),
        Fraction(1000),
    ),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), Fraction(10**6)),
    **dict.fromkeys(("m", "meter", "metre"), Fraction(10**9)),
    **dict.fromkeys(
        ("angstrom", "angstroms", "\N{LATIN SMALL LETTER A WITH RING ABOVE}"), Fraction(1, 10)
    ),
}
WHOLE = Fraction(1, 1000)
# nm, or voxels: what fits into 64-bit arithmetic
LARGEST = 2**60


def exact(value: Any) -> Fraction:
    """The decimal number that `value` is written as: 5.24 is 524/100, float32 too.  ValueError if
    it is no finite number."""
    if isinstance(value, Fraction):
        return value
    if not isinstance(value, int | float | np.integer | np.floating) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no number")
    number: Any = value
    if not abs(number) <= LARGEST:  # nan neither
        raise ValueError(f"{value!r} is no finite number, or larger than anything measured")
    return Fraction(str(value))


def nanometres(values: Iterable[Any], unit: str) -> tuple[float, ...]:
    """`values` of a known unit in nm.  ValueError if the unit is unknown or a value is no finite
    number."""
    factor = _factor(unit)
    if factor is None:
        raise ValueError(f"unit {unit!r} is unknown; known are {', '.join(NANOMETRES)}")
    return tuple(float(exact(value) * factor) for value in values)


def is_known(unit: str) -> bool:
    """Whether a length in this unit can be said in nm; "pixel" cannot."""
    return _factor(unit) is not None


def whole_voxels(lengths: Sequence[float], voxel_size: Sequence[float]) -> Coordinate:
    """Lengths (nm) in voxels, to the nearest whole number."""
    nm, sizes = [exact(length) for length in lengths], [exact(size) for size in voxel_size]
    if any(abs(length) > LARGEST * size for length, size in zip(nm, sizes, strict=True)):
        raise ValueError(
            f"offset {tuple(lengths)} nm lies too many voxels of {tuple(voxel_size)} nm from the "
            f"origin"
        )
    # half voxels go up, also those that are a little below by rounding: arrays beside each other
    # must not be split here
    whole = [
        math.floor(length / size + Fraction(1, 2) + WHOLE)
        for length, size in zip(nm, sizes, strict=True)
    ]
    return Coordinate(whole)


def left_over(
    lengths: Sequence[float], counts: Sequence[int], voxel_size: Sequence[float]
) -> Remainder:
    """What lengths (nm) are beyond whole voxels: nm, exact."""
    return tuple(
        exact(nm) - int(n) * exact(size)
        for nm, n, size in zip(lengths, counts, voxel_size, strict=True)
    )


def voxels_between(
    one: Remainder, other: Remainder, voxel_size: Sequence[float]
) -> Coordinate | None:
    """How many voxels `one` lies behind `other`; None if these are no whole numbers, to a
    thousandth of a voxel."""
    counts = [(a - b) / exact(size) for a, b, size in zip(one, other, voxel_size, strict=True)]
    whole = [round(count) for count in counts]
    apart = any(abs(count - near) > WHOLE for count, near in zip(counts, whole, strict=True))
    return None if apart else Coordinate(whole)


def lengths(
    counts: Sequence[int], voxel_size: Sequence[float], remainder: Sequence[Any] | None = None
) -> tuple[float, ...]:
    """Voxels, and what is left over (nm), as lengths in nm; the inverse of `whole_voxels`."""
    rest = [exact(nm) for nm in remainder] if remainder is not None else [Fraction(0)] * len(counts)
    return tuple(
        float(int(n) * exact(size) + nm)
        for n, size, nm in zip(counts, voxel_size, rest, strict=True)
    )


def centre(
    voxel: Sequence[int], voxel_size: Sequence[float], offset: Sequence[float]
) -> tuple[float, ...]:
    """The middle of a voxel, nm; offset: of voxel 0, nm."""
    return tuple(
        (n + 0.5) * size + nm for n, size, nm in zip(voxel, voxel_size, offset, strict=True)
    )


def agree(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two voxel sizes are the same up to the rounding of floats in files (one in a
    million)."""
    return len(one) == len(other) and all(
        abs(a - b) <= 1e-6 * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True)
    )


def _factor(unit: str) -> Fraction | None:
    return NANOMETRES.get(unit.strip().lower())
