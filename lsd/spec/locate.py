"""From a segmentation of objects to a table of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from lsd.spec.base import NonNegative, NonNegativeFloat, Positive, Probability, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.run import Workers


class Locate(Spec):
    """Which objects of a segmentation are listed, and where; see lsd.objects.locate.

    Objects are made as `segment` says, by a decoder that knows how surely a voxel is of an object,
    such as "components".

    threshold: of segment.thresholds, whose objects are listed; None: that which validation picked,
               or the only one of them
    min_size:  list no objects of fewer voxels
    max_size:  list no objects of more voxels; None: any
    depth:     nm; the point of an object is one of its voxels, as far from its border as there is
               any, up to so far: of those the nearest to its centroid
    table:     file format: "csv", or "parquet", which pyarrow writes
    workers:   processes that do the blocks
    """

    threshold: Probability | None = None
    min_size: NonNegative = 0
    max_size: Positive | None = None
    depth: NonNegativeFloat = 1000.0
    table: Literal["csv", "parquet"] = "csv"
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()

    @model_validator(mode="after")
    def _sizes_are_ordered(self) -> Locate:
        if self.max_size is not None and self.max_size < self.min_size:
            raise ValueError(
                f"max_size {self.max_size} is below min_size {self.min_size}, so that no object "
                f"is listed; swap the two"
            )
        return self


__all__ = ["Locate"]
