"""What a metric says: the base of every kind of it.

A metric is two classes: a spec, which is plain data and names the kind, and the class that computes
and is made from the spec.  Both may stand in a module of your own that the config names
(`imports`), and are asked for by name, `evaluate.metric="purity"`:

    class Purity(spec.Metric):
        kind: Literal["purity"] = "purity"
        behaviour: ClassVar[str] = "my_metrics:PurityMetric"

    class PurityMetric(TableMetric):
        def score(self, table, *, ignore, background):
            ...
            return PurityScore(...)   # a `lsd.evaluation.score.Score`

A score must say its objective, `as_dict`, `pool` and its words (`__str__`); see
`lsd.evaluation.score`.  Validation during training, the choice of a threshold, evaluation.json,
tables and figures go by these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from lsd import spec
from lsd.arrays.contingency import Contingency
from lsd.evaluation.score import Score
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.spec.kinds import behaviour

Background = Literal["label", "ignore", "singletons"]


class MetricKind(ABC):
    """What every metric does.  Made from its spec (`self.spec`).

    cuts_graph:   whether it needs the region graph that segments were joined by
    finds_wholes: whether an object of the truth whose pieces lie apart should be one segment
    """

    cuts_graph: ClassVar[bool] = False
    finds_wholes: ClassVar[bool] = False

    def __init__(self, spec: spec.Metric) -> None:
        # of the kind that this class belongs to, so its fields are known to it alone
        self.spec: Any = spec

    @abstractmethod
    def scoring(self, settings: spec.Evaluate) -> Callable[[Any], Score]:
        """What scores a segmentation beside that which the metric is against: a table of what it
        shares with labels (`Contingency`), or what lies at the nodes of skeletons (`AtNodes`)."""

    def words(self, settings: spec.Evaluate) -> type[Score]:
        """The class of the scores that `scoring` gives, for its words alone; any score unless a
        kind says so."""
        return Score


class TableMetric(MetricKind):
    """A metric that follows from how many voxels each segment shares with each object of the truth.

    A segmentation at another threshold has the same table with other names, so no metric of this
    kind reads a volume.
    """

    def scoring(self, settings: spec.Evaluate) -> Callable[[Contingency], Score]:
        """By what is ignored, and what segment 0 is."""
        # where the truth was relabelled, what is left out is not in the table
        ignore = () if settings.connected else settings.left_out
        return partial(self.score, ignore=ignore, background=settings.background)

    def words(self, settings: spec.Evaluate) -> type[Score]:
        """The class of the score of a volume of one voxel; of a metric that has none for that, the
        words of any score."""
        label = np.array([max((*settings.left_out, 0)) + 1], np.uint64)
        try:
            return type(self.scoring(settings)(Contingency.of(label, label)))
        except ValueError:
            return Score

    @abstractmethod
    def score(
        self, table: Contingency, *, ignore: Collection[int], background: Background
    ) -> Score:
        """The score of a table (segments, objects, voxels; a row for each pair that occurs).

        ignore:     objects whose rows are left out
        background: what segment 0 is: a "label" like others, "ignore": its rows are left out too,
                    "singletons": each of its voxels is a segment of its own
        Raises ValueError where nothing is left to score; see `refuse_nothing`.
        """


def refuse_nothing(table: Contingency, ignored: Collection[int], *, counted: int) -> None:
    """Raises ValueError where no voxel of a table is left to be scored.

    ignored: labels of the truth that are left out;  counted: voxels that are left
    """
    voxels = int(table.voxels.sum())
    if not voxels:
        raise ValueError("nothing to score: no voxel is compared; check region and mask")
    if not counted:
        raise ValueError(
            f"nothing to score: all {voxels} voxels are truth labelled {sorted(ignored)} or "
            "background; check region, mask and ignore"
        )


def check_joined(settings: spec.Evaluate, segment: spec.Segment) -> None:
    """Refuses a metric that needs a region graph, where the decoder leaves none."""
    metric: MetricKind = behaviour(settings.metric)
    if metric.cuts_graph and not decoder_of(segment).has_region_graph:
        raise ValueError(
            f"the metric {settings.metric.kind!r} cuts the region graph of fragments, and the "
            f"decoder {segment.decoder.kind!r} leaves none; take evaluate.metric='nerl', or the "
            f"decoder 'watershed'"
        )


def scoring(settings: spec.Evaluate) -> Callable[[Any], Score]:
    """Scores a segmentation as `settings` say, by their metric; see `MetricKind.scoring`."""
    metric: MetricKind = behaviour(settings.metric)
    return metric.scoring(settings)


def words_of(settings: spec.Evaluate) -> type[Score]:
    """The class of the scores of the metric: for its words, where scores are at hand as JSON
    alone."""
    metric: MetricKind = behaviour(settings.metric)
    return metric.words(settings)
