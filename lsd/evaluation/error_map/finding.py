"""How well suspected places find the errors that the truth tells: precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lsd.evaluation.error_map.suspects import Suspect
from lsd.evaluation.error_sites.sites import Site
from lsd.evaluation.undefined import ratio


@dataclass(frozen=True, eq=False)
class Found:
    """What the first n of all suspects find, for each n; arrays are (suspects,).

    hits:  suspects that are near an error
    sites: errors that one of them is near
    bits:  of VOI that these cost
    all_sites, all_bits: of all errors there are
    """

    hits: NDArray[np.int64]
    sites: NDArray[np.int64]
    bits: NDArray[np.float64]
    all_sites: int
    all_bits: float

    def precision(self, count: int) -> float | None:
        """Fraction of the first `count` suspects that are near an error; None of none."""
        seen = min(count, len(self.hits))
        return ratio(int(self.hits[seen - 1]), seen) if seen else None

    def recall(self, count: int) -> float | None:
        """Fraction of the errors that the first `count` suspects find; None where there are
        none."""
        seen = min(count, len(self.sites))
        return ratio(int(self.sites[seen - 1]) if seen else 0, self.all_sites)

    def recall_of_bits(self, count: int) -> float | None:
        """The same, each error counted by the bits of VOI that it costs."""
        seen = min(count, len(self.bits))
        return ratio(float(self.bits[seen - 1]) if seen else 0.0, self.all_bits)

    @property
    def average_precision(self) -> float | None:
        """Mean precision at the suspects that are near an error, each as the last one that is
        looked at; None where none is."""
        is_hit = np.diff(self.hits, prepend=0) > 0
        if not is_hit.any():
            return None
        return float((self.hits / np.arange(1, len(self.hits) + 1))[is_hit].mean())

    def as_dict(self, counts: Sequence[int] = (10, 30, 100)) -> dict[str, Any]:
        """As JSON: at some numbers of suspects."""
        at = {
            str(count): {
                "precision": self.precision(count),
                "recall": self.recall(count),
                "recall_of_bits": self.recall_of_bits(count),
            }
            for count in counts
        }
        return {
            "suspects": len(self.hits),
            "sites": self.all_sites,
            "average_precision": self.average_precision,
            "at": at,
        }


def found_sites(suspects: Sequence[Suspect], sites: Sequence[Site], *, near: float) -> Found:
    """Which errors are found by which suspects.

    suspects: worst first;  sites: as `error_sites` finds them
    near:     nm; a suspect finds a site if it is no farther away, and of one of its segments
    """
    pairs = _pairs(suspects, sites, near)
    hits, seen = np.zeros(len(suspects), np.int64), np.zeros(len(sites), np.bool_)
    counts, bits = np.zeros(len(suspects), np.int64), np.zeros(len(suspects))
    worth = np.array([site.bits for site in sites], np.float64)
    for place, near_by in enumerate(pairs):
        hits[place] = bool(near_by)
        seen[near_by] = True
        counts[place], bits[place] = seen.sum(), worth[seen].sum()
    return Found(np.cumsum(hits), counts, bits, len(sites), float(worth.sum()))


def _pairs(suspects: Sequence[Suspect], sites: Sequence[Site], near: float) -> list[list[int]]:
    """The sites that each suspect finds."""
    if not suspects or not sites:
        return [[] for _ in suspects]
    tree = cKDTree([site.place for site in sites])
    around = tree.query_ball_point([suspect.place for suspect in suspects], near)
    return [
        sorted(site for site in near_by if suspect.segment in sites[site].segments)
        for suspect, near_by in zip(suspects, around, strict=True)
    ]
