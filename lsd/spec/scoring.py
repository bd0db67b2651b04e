"""How the edges between fragments are scored."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator

from lsd.spec.kinds import Kind

# percent, of the quantiles that waterz has compiled
QUANTILES = tuple(range(10, 100, 5))
_QUANTILE = re.compile(r"hist_quant_([1-9][05])(_max)?")


def _compiled(quantile: int) -> int:
    if quantile not in QUANTILES:
        raise ValueError(f"quantile {quantile} is not there; allowed: 10, 15 .. 95 (percent)")
    return quantile


class Scoring(Kind):
    """How surely two fragments that touch are one; see `lsd.segmentation.scoring.scoring` for what
    a kind of it does.

    is_mean: it is 1 - a mean of affinities.  Sums of affinities can be added up over blocks, so
             regions can grow over the whole volume, and with `caution`
    is_far:  it looks at all offsets of the head, and not only at the nearest
    """

    default: ClassVar[str] = "mean"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "scoring"
    is_mean: ClassVar[bool] = False
    is_far: ClassVar[bool] = False


class Mean(Scoring):
    """1 - mean of the nearest affinities on the contact of two regions."""

    kind: Literal["mean"] = "mean"
    behaviour: ClassVar[str] = "lsd.segmentation.scoring.means:MeanScoring"
    is_mean: ClassVar[bool] = True


class MeanAll(Scoring):
    """1 - mean over all offsets of the head, far ones too."""

    kind: Literal["mean_all"] = "mean_all"
    behaviour: ClassVar[str] = "lsd.segmentation.scoring.means:MeanScoring"
    is_mean: ClassVar[bool] = True
    is_far: ClassVar[bool] = True


class Quantile(Scoring):
    """1 - quantile of the nearest affinities on the contact of two regions.  It is written as
    "hist_quant_75", or "hist_quant_75_max".

    quantile:     percent: 10, 15 .. 95
    from_highest: a contact of two fragments starts as its highest affinity alone ("_max")
    """

    kind: Literal["hist_quant"] = "hist_quant"
    behaviour: ClassVar[str] = "lsd.segmentation.scoring.waterz:QuantileScoring"
    quantile: Annotated[int, AfterValidator(_compiled)]
    from_highest: bool = False

    @classmethod
    def from_name(cls, name: str) -> Self | None:
        """The quantile that a name such as "hist_quant_75_max" means."""
        read = _QUANTILE.fullmatch(name)
        return read and cls(quantile=int(read[1]), from_highest=read[2] is not None)

    def to_name(self) -> str:
        """The name that stands for this quantile."""
        return f"hist_quant_{self.quantile}{'_max' * self.from_highest}"

    @classmethod
    def described(cls) -> list[str]:
        """The names that stand for quantiles."""
        return ["hist_quant_10", "hist_quant_15 .. hist_quant_95", "these with _max"]


class SizeDifference(Scoring):
    """(larger - smaller) / their sum, voxels of the two regions.  It looks at no affinity: a
    control."""

    kind: Literal["size_difference"] = "size_difference"
    behaviour: ClassVar[str] = "lsd.segmentation.scoring.waterz:SizeDifferenceScoring"
