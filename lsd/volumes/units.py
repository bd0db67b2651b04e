"""Lengths in nanometres, without the rounding that binary floats bring: 0.00524 micrometres are 5.24 nm."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from funlib.geometry import Coordinate

NANOMETRES = {
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), Fraction(1)),
    **dict.fromkeys(("um", "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m"), Fraction(1000)),
    **dict.fromkeys(("micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"), Fraction(1000)),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), Fraction(10**6)),
    **dict.fromkeys(("m", "meter", "metre"), Fraction(10**9)),
    **dict.fromkeys(("angstrom", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"), Fraction(1, 10)),
}
WHOLE = Fraction(1, 1000)


def exact(value: Any) -> Fraction:
    """The decimal number that `value` is written as: 5.24 is 524/100, float32 too.  ValueError if it is no finite number."""
    if isinstance(value, str | bytes | bool):
        raise ValueError(f"{value!r} is no number")
    return Fraction(str(value))


def nanometres(values: Iterable[Any], unit: str) -> tuple[float, ...]:
    """`values` of a known unit in nm.  ValueError if the unit is unknown or a value is no finite number."""
    factor = NANOMETRES.get(unit.strip().lower())
    if factor is None:
        raise ValueError(f"unit {unit!r} is unknown; known are {', '.join(NANOMETRES)}")
    return tuple(float(exact(value) * factor) for value in values)


def voxels(lengths: Sequence[float], voxel_size: Sequence[float]) -> Coordinate:
    """Lengths (nm) in voxels, down to the next.  ValueError if they are no whole numbers, to a thousandth of a voxel, and not
    where levels of halved voxels begin: an odd number of quarters, eighths .."""
    counts = [exact(length) / exact(size) for length, size in zip(lengths, voxel_size, strict=True)]
    whole = [math.floor(count) if _is_of_level(count) else round(count) for count in counts]
    counts = [Fraction(n) if _is_of_level(count) else count for count, n in zip(counts, whole, strict=True)]
    if any(abs(count - near) > WHOLE for count, near in zip(counts, whole, strict=True)):
        found = ", ".join(f"{float(count):g}" for count in counts)
        raise ValueError(
            f"offset {tuple(lengths)} nm is ({found}) voxels of {tuple(voxel_size)} nm; it must be a whole number of voxels"
        )
    return Coordinate(whole)


def _is_of_level(count: Fraction) -> bool:
    return 4 <= count.denominator <= 1 << 16 and count.denominator & (count.denominator - 1) == 0


def lengths(counts: Sequence[int], voxel_size: Sequence[float]) -> tuple[float, ...]:
    """Voxels as lengths in nm; the inverse of `voxels`."""
    return tuple(float(int(count) * exact(size)) for count, size in zip(counts, voxel_size, strict=True))


def agree(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two voxel sizes are the same up to the rounding of floats in files (one in a million)."""
    return len(one) == len(other) and all(abs(a - b) <= 1e-6 * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True))
