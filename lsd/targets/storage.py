"""How values of a head lie on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lsd.spec.answering import HandedOut

if TYPE_CHECKING:
    from torch import Tensor

# the largest of uint8
TOP = 255


@dataclass(frozen=True)
class Storage(HandedOut):
    """float32 holds values as they are; k of uint8 means low + k * (high - low) / 255."""

    low: float = 0
    high: float = 1

    def to_uint8(self, values: Tensor) -> Tensor:
        """The nearest steps, uint8; values of any shape stay as they are."""
        import torch

        above = values - self.low if self.low else values
        return (above * self._steps).round_().to(torch.uint8)

    def rounded(self, values: Tensor) -> Tensor:
        """What is read back of values that were stored as uint8; they are overwritten."""
        above = values.sub_(self.low) if self.low else values
        read = above.mul_(self._steps).round_().div_(self._steps)
        return read.add_(self.low) if self.low else read

    def as_grey(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Values as brightness in 0..1, for pictures."""
        return np.asarray((values - self.low) / (self.high - self.low), np.float32)

    def attributes(self, dtype: str) -> dict[str, Any]:
        """What the attributes of an array say of its voxels.

        range: numbers on disk; values: what the first and the last of them mean
        """
        values = [self.low, self.high]
        return {"range": [0, TOP] if dtype == "uint8" else values, "values": values}

    @property
    def _steps(self) -> float:
        """How many steps of uint8 a difference of 1 between values has."""
        return TOP / (self.high - self.low)
