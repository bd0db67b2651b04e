"""Where a block lies by its name."""

from __future__ import annotations

import re
from fractions import Fraction

from lsd.volumes.metadata import SPACE

_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
# z0_y64_x128, z_0_y_64_x_128, z=0,y=64,x=-128
_GUESS = re.compile(rf"(?:^|[^a-zA-Z0-9])([zyx])[_=]?({_NUMBER})(?![0-9])")
_SUFFIX = re.compile(r"(\.[A-Za-z]+[0-9]?)+$")

Offset = tuple[Fraction, ...]


class Names:
    """Names that follow a pattern: block_z{z}_y{y}_x{x}.tif; {} stands for anything."""

    def __init__(self, pattern: str) -> None:
        """Raises ValueError for a pattern without the axes of space."""
        self.pattern = pattern
        parts = re.split(r"(\{[^{}]*\})", pattern)
        fields = [part[1:-1] for part in parts if part.startswith("{")]
        axes = [field for field in fields if field]
        if sorted(axes) not in (["x", "y"], ["x", "y", "z"]):
            raise ValueError(
                f"pattern {pattern!r} has the fields {', '.join(axes) or 'none'}; it needs {{z}}, "
                f"{{y}} and {{x}}, in 2D {{y}} and {{x}}, each once, as in "
                f"'block_z{{z}}_y{{y}}_x{{x}}.tif'"
            )
        self._axes = [axis for axis in SPACE if axis in axes]
        self._matched = re.compile("".join(map(_expression, parts)))

    def offset(self, name: str) -> Offset | None:
        """The numbers in a name, z y x; None where it does not follow the pattern."""
        match = self._matched.fullmatch(name)
        return None if match is None else tuple(Fraction(match[axis]) for axis in self._axes)


def guessed(name: str, *, dims: int) -> Offset | None:
    """The numbers behind z, y and x in a name, one for each axis; None where there are others, and
    where all have a "-" before them, which may be a minus or stand between name and number."""
    pairs = _GUESS.findall(_SUFFIX.sub("", name))
    numbers = dict(pairs)
    axes = SPACE[-dims:]
    if len(pairs) != len(axes) or set(numbers) != set(axes):
        return None
    if all(number.startswith("-") for number in numbers.values()):
        return None
    return tuple(Fraction(numbers[axis]) for axis in axes)


def _expression(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return f"(?P<{part[1:-1]}>{_NUMBER})" if part[1:-1] else ".*?"
