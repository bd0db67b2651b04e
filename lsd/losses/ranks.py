"""The processes that share a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Ranks(Protocol):
    """Processes of which each has a share of every batch."""

    @property
    def size(self) -> int:
        """How many there are."""

    @property
    def rank(self) -> int:
        """The number of this one, from 0."""

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum of each tensor over all processes, the same in each; without gradient."""


@dataclass(frozen=True)
class Alone:
    """One process, which has the whole batch."""

    size: int = 1
    rank: int = 0

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The tensors themselves."""
        return list(tensors)


ALONE = Alone()
