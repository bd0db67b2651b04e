"""What a metric finds, as the rest of the program knows it: a number to be lowered, and its words.

Training's validation, evaluation, tables and figures know scores by this alone, so what they show
is up to the score.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

from lsd.spec.answering import HandedOut


class Score(HandedOut, ABC):
    """How good a segmentation is, or a network: of one volume, or of several taken as one.

    title: what the objective is, in words for the axis of a figure
    short: the same for the heading of a column
    unit:  of the objective, such as "bits"; "": it has none
    columns: names in `as_dict` that a table shows, with their headings; none: the objective
    over_thresholds: names in `as_dict` that are drawn over thresholds, with their labels, what is
           most important first; none: the objective
    definitions: what the numbers of `as_dict` are, a sentence for each name that needs one
    note:  what stands below a table of such scores
    """

    title: ClassVar[str] = "score"
    short: ClassVar[str] = "score"
    unit: ClassVar[str] = ""
    columns: ClassVar[Mapping[str, str]] = {}
    over_thresholds: ClassVar[Mapping[str, str]] = {}
    definitions: ClassVar[Mapping[str, str]] = {}
    note: ClassVar[str] = ""

    @property
    @abstractmethod
    def objective(self) -> float:
        """What is minimised: lower is better, and 0 or above; infinity where it is undefined."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Everything by name, as JSON has it."""

    @abstractmethod
    def pool(self, others: Sequence[Self]) -> Self:
        """This score and those of other volumes as one."""

    @abstractmethod
    def __str__(self) -> str:
        """The score in words, for the log and above a figure: "VOI split 0.2 + merge 0.1 = 0.3
        bits"."""

    @property
    def nothing_to_find(self) -> str:
        """Why no segmentation or network is better than another by this score, such as "the truth
        has no object"; "": there is something to find."""
        return ""

    @property
    def compared(self) -> float:
        """The objective as scores are compared by it: infinity also where it is NaN, and where
        there is nothing to find."""
        # a metric of one's own may give numbers of numpy, and NaN, than which nothing is lower
        objective = float(self.objective)
        return math.inf if math.isnan(objective) or self.nothing_to_find else objective

    def curves(self) -> dict[str, float]:
        """What is followed through training beside the objective, by the curve's name."""
        return {}

    def remarks(self) -> list[str]:
        """What a reader has to know of these numbers, a sentence each."""
        return [self.nothing_to_find] if self.nothing_to_find else []

    def brief(self) -> dict[str, float | None]:
        """What stands for it where there is a single column, by the heading of that."""
        return {self.short: self._shown}

    def row(self) -> dict[str, float | None]:
        """What a table shows, by heading; None is undefined."""
        values = self.as_dict()
        shown = {heading: values[name] for name, heading in self.columns.items()}
        return shown or {self.title: self._shown}

    def swept(self) -> dict[str, float | None]:
        """What is drawn over thresholds, by name, what is most important first; None is
        undefined."""
        values = self.as_dict()
        return {name: values[name] for name in self.over_thresholds} or {"score": self._shown}

    @property
    def _shown(self) -> float | None:
        """The objective, None where it is undefined."""
        return self.objective if math.isfinite(self.objective) else None

    def labels(self) -> list[str]:
        """How a figure calls what `swept` gives, in its order."""
        return list(self.over_thresholds.values()) or [self.title]


S = TypeVar("S", bound=Score)


# of a truth in which each segment is a false one
NO_OBJECT = "the truth has no object that counts, so what is found is wrong, and nothing is missed"


def as_objective(value: float | None) -> float:
    """The objective of a number that is best at 1: what it lacks; infinity where it is
    undefined."""
    return math.inf if value is None else max(0.0, 1 - value)


def defined(numbers: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are not undefined (None)."""
    return {name: value for name, value in numbers.items() if value is not None}


def pool(scores: Sequence[S]) -> S:
    """The scores of several volumes as one.  Raises ValueError where there is none."""
    if not scores:
        raise ValueError("no volume was scored; there is nothing to pool")
    first, *others = scores
    return first.pool(others)
