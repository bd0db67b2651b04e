"""One drawn movement of voxels, such as a rotation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Value = TypeVar("Value")


class Motion(ABC):
    """Where voxels come from; points are voxels z y x relative to the centre of what is moved."""

    @abstractmethod
    def before(self, points: Points) -> Points:
        """Where output points (3, ...) lie in the input."""

    @abstractmethod
    def displacements(self, steps: Points) -> Points:
        """Displacements (n, 3) of points of the output as they are in the input: as `before`, but
        of the difference between two points, so what is the same everywhere has no part in it."""

    def source(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """One value an axis of the output, in the order of the axes of the input; another order
        only where axes change places."""
        return tuple(values)

    def sections(self, count: int) -> Points | None:
        """Displacement (count, 3), in voxels of the input, of each of so many sections of it along
        its z; None: they stay where they are."""
        return None
