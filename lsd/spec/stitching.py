"""How labels of blocks become those of one volume."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator

from lsd.spec.base import NonNegative, PerAxis, Positive, Probability, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.run import Workers

_Most = Annotated[
    NonNegative | None,
    BeforeValidator(lambda most: None if isinstance(most, float) and most == math.inf else most),
]


class Rule(Spec):
    """When an object of one block and an object of another are one.

    With o the voxels that both have in what the two blocks share, and a and b all that each has
    there:  o > always, or o > least and (o > one * a or o > one * b or (o > both * a and o > both *
    b)).

    always: more common voxels than these are enough; None: no number is
    least:  so many common voxels, or fewer, are never enough by their share
    one:    share of either object, 0..1
    both:   share of each of the two, 0..1
    Source: the soma benchmark of CVPR 2023, with 400000, 500, 0.4 and 0.3 for voxels of 40x16x16
    nm.
    """

    always: _Most = None
    least: NonNegative = 0
    one: Probability = 0.4
    both: Probability = 0.3

    def __init__(
        self,
        always: Any = None,
        least: Any = 0,
        one: Any = 0.4,
        both: Any = 0.3,
        **unknown: Any,
    ) -> None:
        super().__init__(always=always, least=least, one=one, both=both, **unknown)

    # the fields are validated as those of any spec, also where it is inside of another
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


class Stitch(Spec):
    """How labelled blocks that overlap become one volume.

    rule:     when labels of two blocks are one object
    touching: also compare the two planes at the face of blocks that share no voxel
    piece:    voxels of the volume that are written at once, z y x; None: 128 along each axis, in 2D
              1024
    levels:   how many of an image pyramid are written; 1: level 0 alone
    workers:  who does the blocks
    """

    rule: Rule = Rule()
    touching: bool = False
    piece: Annotated[Shape, PerAxis] | None = None
    levels: Annotated[Positive, NoEffect("they are made from level 0, by a step of their own")] = 1
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()
