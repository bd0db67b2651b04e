"""How a segmentation is compared with the truth."""

from __future__ import annotations

from typing import ClassVar, Literal

from lsd.spec.kinds import Kind


class Metric(Kind):
    """How a segmentation is scored; see `lsd.evaluation.metric` for what a kind of it says."""

    default: ClassVar[str] = "voi"
    by_name: ClassVar[bool] = True


class Voi(Metric):
    """Variation of information and Rand errors; the VOI sum is what is lowest at the best
    threshold."""

    kind: Literal["voi"] = "voi"
    behaviour: ClassVar[str] = "lsd.evaluation.voi:VoiMetric"
