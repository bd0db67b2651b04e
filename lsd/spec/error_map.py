"""Where a segmentation may be wrong, found without truth."""

from __future__ import annotations

from typing import Annotated

from lsd.spec.base import NonNegative, OfEachAxis, Positive, PositiveFloat, Probability, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.names import Word
from lsd.spec.run import Workers


class ErrorMap(Spec):
    """How far what a network predicted is from what the segmentation would have it be; see
    lsd.segmentation.disagreement.

    head:      that is compared: descriptors, or any other that is learnt from labels alone
    threshold: of the segmentation, one of segment.thresholds; None: that which validation picked,
               or the only one of them
    suspects:  how many places are listed, worst first
    cell:      nm; disagreement is added up over boxes of about so much a side, and a place is
               listed where that of a segment is higher than in all boxes around
    block:     voxels that are compared at once; the last axes of it in 2D
    levels:    how many of an image pyramid are written; 1: level 0 alone
    workers:   processes that do the blocks
    """

    head: Word = "lsds"
    threshold: Probability | None = None
    suspects: NonNegative = 100
    cell: PositiveFloat = 80.0
    block: Annotated[Shape, OfEachAxis] = (192, 192, 192)
    levels: Annotated[Positive, NoEffect("they follow from level 0")] = 1
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()


__all__ = ["ErrorMap"]
