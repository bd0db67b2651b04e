"""How objects are segmented at points that were located before."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lsd.spec.base import NonNegative, OfEachAxis, PerAxis, Positive, Probability, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.run import Workers
from lsd.spec.stitching import Rule


class Seeds(Spec):
    """Objects at located points: a network sees windows around each of them, and what blocks hold
    is stitched to one volume.

    locator:  folder of the run whose network locates objects, such as one that sees a coarser
              scale: what it does not have of these volumes is predicted, segmented and located
              first.  None: that was done before
    located:  table of the points, CSV or Parquet, as `lsd locate` writes it; {volume} in it stands
              for the name of a volume.  Where it is named, the locator is not asked.  None: the
              table of the locator, or of this run
    window:   voxels of a window, z y x, of which the last axes count in 2D; None: what leaves the
              network in training, unless that sees sections of a volume
    room:     voxels around the box of a located object that its window has about, where `window` is
              not reached; None: windows are all as large as `window`
    overlap:  share of a window that it has in common with the next one, along each axis
    most:     windows of one object; of one that asks for more, what lies in these is taken
    threshold: of a decoder with thresholds; None: the one that validation picked, else 0.5
    min_size: objects of fewer voxels are none
    block:    voxels of a block, which does the points that lie in it; the last axes of it in 2D
    margin:   voxels around a block, that objects of its points may reach into; None: so many that
              each box of the table has half of its size of room
    rule:     when an object of one block and one of another are one
    piece:    voxels of the volume that are written at once, the last axes of it in 2D; None: see
              `Stitch`
    levels:   how many of an image pyramid are written; 1: level 0 alone
    workers:  who does the blocks
    """

    locator: Annotated[
        Annotated[str, Field(min_length=1)] | None, NoEffect("the table is what it leaves")
    ] = None
    located: Annotated[
        Annotated[str, Field(min_length=1)] | None, NoEffect("its content tells the table")
    ] = None
    window: Annotated[Shape, PerAxis] | None = None
    # not written where there is none: configs of before had no such field
    room: Annotated[
        Annotated[tuple[NonNegative, ...], OfEachAxis] | None,
        Field(exclude_if=lambda room: room is None),
    ] = None
    overlap: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    most: Positive = 64
    threshold: Probability | None = None
    min_size: NonNegative = 0
    block: Annotated[Shape, OfEachAxis] = (256, 256, 256)
    margin: Annotated[tuple[NonNegative, ...], OfEachAxis] | None = None
    rule: Rule = Rule()
    piece: Annotated[Shape, PerAxis] | None = None
    levels: Annotated[Positive, NoEffect("they are made from level 0, by a step of their own")] = 1
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()

    @property
    def asks_locator(self) -> bool:
        """Whether the table is what the locator leaves, and not one that is named."""
        return self.locator is not None and self.located is None


__all__ = ["Seeds"]
