"""What a person found wrong in a segmentation."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from lsd.spec.base import MOST_ID, Id, Spec
from lsd.spec.mistakes import brief

# nm, z y x, or y x
Place = tuple[float, float, float] | tuple[float, float]
# an id, or a place in it; 0 is where nothing is
Named = Annotated[int, Field(gt=0, le=MOST_ID)] | Place


def _two(value: Any, noun: str) -> Any:
    """ValueError for what is no pair."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return value
    raise ValueError(
        f"a {noun} is two fragments, each an id or a place in it, as in [17, 23], got "
        f"{brief(value)}"
    )


Join = Annotated[tuple[Named, Named], BeforeValidator(partial(_two, noun="join"))]
Cut = Annotated[tuple[Named, Named], BeforeValidator(partial(_two, noun="cut"))]


class Corrections(Spec):
    """What becomes of the segmentation of a volume at a threshold.

    A fragment is named by its id, or by a place in it in nm, z y x.  A segment has the id of one of
    its fragments, so that names it too.

    joins:   pairs of fragments that are of one neuron
    cuts:    pairs that are not: their segment is cut in two where the region graph is weakest
             between them
    painted: an array of ids of the volume's voxels, "file.zarr:name", integers >= 0; 0 where the
             segmentation is right.  The id of a segment means that segment, any other a new one
    nothing: the painted id that means that there is no segment
    trusted: fragments, or segments, whose whole neuron is right now, which training may learn from;
             None: those that joins and cuts are about.  What is painted is trusted in any case
    margin:  voxels around what is trusted that are known too: that they are not of it; of an image
             of its own in the plane alone
    """

    joins: tuple[Join, ...] = ()
    cuts: tuple[Cut, ...] = ()
    painted: Annotated[str, Field(min_length=1)] | None = None
    nothing: Id | None = None
    trusted: tuple[Named, ...] | None = None
    margin: Annotated[int, Field(ge=0)] = 1


__all__ = ["Corrections", "Named", "Place"]
