"""From a segmentation of objects to a table of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from lsd.spec.base import NonNegative, Positive, Probability, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.run import Workers


class Locate(Spec):
    """Which objects of a segmentation are listed, and where; see lsd.objects.locate.

    Objects are made as `segment` says, by a decoder that knows how surely a voxel is of an object,
    such as "components".  The point of an object is one of its voxels: of those that are farthest
    from its border, as far as segment.context reaches, the nearest to its centroid.

    threshold: of segment.thresholds, whose objects are listed; None: that which validation picked,
               or the only one of them
    min_size:  list no objects of fewer voxels
    max_size:  list no objects of more voxels; None: any
    table:     file format: "csv", or "parquet", which pyarrow writes
    workers:   processes that do the blocks
    """

    threshold: Probability | None = None
    min_size: NonNegative = 0
    max_size: Positive | None = None
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
