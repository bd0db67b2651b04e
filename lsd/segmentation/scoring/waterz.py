"""Scorings that the package waterz has compiled: quantiles of affinities, and sizes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.kernels.meetings import meetings
from lsd.segmentation.kernels.nearest import as_probabilities
from lsd.segmentation.kernels.quiet import quiet
from lsd.segmentation.scoring.scoring import EdgeScoring, Neighborhood

# of a quantile's histogram
BINS = 256
LARGER, SMALLER = "MaxSize<RegionGraphType>", "MinSize<RegionGraphType>"


class WaterzScoring(EdgeScoring):
    """One of the scorings of waterz.  Source: Funke et al. 2019."""

    # of the queue that orders the edges; 0: a heap
    bins = 0

    @property
    @abstractmethod
    def function(self) -> str:
        """The C++ type of it that waterz ships compiled."""

    def scores(
        self,
        affs: NDArray[Any],
        neighborhood: Neighborhood,
        fragments: NDArray[np.uint64],
        edges: NDArray[np.int64],
        *,
        caution: float,
        cautious_above: int,
    ) -> NDArray[np.float32]:
        """The height at which regions of the two ends join."""
        merges, heights = self._merges(affs, fragments)
        return meetings(int(fragments.max()) + 1, merges, heights, edges)

    def _merges(
        self, affs: NDArray[Any], fragments: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Merges in their order: (n, 2) ids, each of which stands for the region it is in by then;
        (n,) scores."""
        import waterz

        # waterz writes into the array that it is given
        near, volume = as_probabilities(affs), fragments.copy()
        if fragments.ndim == 2:
            # a single section has no affinity in z
            near, volume = np.concatenate([np.zeros_like(near[:1]), near])[:, None], volume[None]
        steps = waterz.agglomerate(
            np.ascontiguousarray(near),
            thresholds=[float("inf")],
            fragments=volume,
            scoring_function=self.function,
            discretize_queue=self.bins,
            return_merge_history=True,
        )
        with quiet():
            _, history = next(steps)
            del steps
        pairs = np.array([(merge["a"], merge["b"]) for merge in history], dtype=np.int64)
        return pairs.reshape(-1, 2), np.array([merge["score"] for merge in history], np.float32)


class QuantileScoring(WaterzScoring):
    """1 - quantile of the nearest affinities on a contact."""

    # quantiles are bins of a histogram already, so a queue with the same bins orders them exactly
    bins = BINS

    @property
    def function(self) -> str:
        """With the quantile and the start of the spec."""
        start = "true" if self.spec.from_highest else "false"
        quantile = (
            f"HistogramQuantileAffinity<RegionGraphType,{self.spec.quantile},ScoreValue,{BINS},"
            f"{start}>"
        )
        return f"OneMinus<{quantile}>"


class SizeDifferenceScoring(WaterzScoring):
    """(larger - smaller) / their sum."""

    @property
    def function(self) -> str:
        """Of the sizes alone."""
        return f"Divide<Subtract<{LARGER},{SMALLER}>,Add<{LARGER},{SMALLER}>>"
