"""The usual metric: variation of information, Rand errors."""

from __future__ import annotations

from collections.abc import Collection

from lsd.arrays.contingency import Contingency
from lsd.evaluation.metric import Background, TableMetric
from lsd.evaluation.partition import Partition, score


class VoiMetric(TableMetric):
    """`spec.Voi`."""

    finds_wholes = True

    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> Partition:
        """The `Partition` of a table."""
        return score(table, ignore=ignore, background=background)
