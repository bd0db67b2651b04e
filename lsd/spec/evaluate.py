"""How segmentations are compared with the truth."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lsd.spec.base import Id, OfEachAxis, Probability, Region, Several, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.kinds import Kind
from lsd.spec.run import Workers


class Metric(Kind):
    """How a segmentation is scored; see `lsd.evaluation.metric` for what a kind of it says."""

    default: ClassVar[str] = "voi"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "metric"


class Voi(Metric):
    """Variation of information and Rand errors; the VOI sum is what is lowest at the best
    threshold."""

    kind: Literal["voi"] = "voi"
    behaviour: ClassVar[str] = "lsd.evaluation.voi:VoiMetric"


class Evaluate(Spec):
    """Scoring against the truth.

    metric:      what is computed, by name; "voi": variation of information and Rand errors
    ignore:      truth labels left out
    background:  label 0 of the segmentation: one "label" like others, "ignore"d, or every voxel a
                 "singleton"
    use_mask:    score only where it is known what is there, as with segment.use_mask
    connected:   relabel the truth into connected components inside the region first
    tolerance:   thresholds whose objective (the VOI sum) on validation is above the best by no more
                 than this fraction are as good, and the lowest of them is picked: chance decides
                 between them, and a wrong merge is dearer than a split
    region:      part of each volume to score; empty: all of it
    block:       voxels that are counted at once
    workers:     processes that count
    """

    # not written where it is the usual one: configs and scores of before had no such field
    metric: Annotated[Metric, Field(exclude_if=lambda metric: metric == Voi())] = Voi()
    ignore: Annotated[tuple[Id, ...], Several] = (0,)
    background: Literal["label", "ignore", "singletons"] = "label"
    use_mask: bool = True
    connected: bool = False
    tolerance: Probability = 0.0
    region: Region = ()
    block: Annotated[
        Shape, OfEachAxis, NoEffect("counts of blocks add up to those of the volume")
    ] = (256, 256, 256)
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()
