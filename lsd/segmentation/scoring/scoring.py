"""What a kind of scoring does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import for_dims
from lsd.segmentation.kernels.nearest import nearest
from lsd.spec import NEAREST, Scoring
from lsd.spec.kinds import behaviour

Neighborhood = Sequence[Sequence[int]]


class EdgeScoring(ABC):
    """Scores the edges of a region adjacency graph; the spec says how, and whether it is a mean."""

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    def looked_at(
        self, affs: NDArray[Any], neighborhood: Neighborhood
    ) -> tuple[NDArray[Any], Neighborhood]:
        """The affinities (c, ...) that it looks at, and their offsets: all of them, or the
        nearest."""
        if self.spec.is_far:
            return affs, neighborhood
        near = nearest(affs, neighborhood)
        return near, for_dims(NEAREST, len(near))

    @abstractmethod
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
        """Score of each edge, float32 (n,): 0 where its two ends are surely one, 1 where they are
        surely not, inf where nothing ever joins them.

        affs:      (c, z, y, x), what `looked_at` gave: uint8, or floats in 0..1; 2D drops z
        neighborhood: an offset in voxels for each channel
        fragments: (z, y, x), ids 1..n without gaps, 0 where there is none.  Not to be changed
        edges:     (n, 2), all pairs u < v of fragments that share a face, at least one
        caution, cautious_above: of `Segment`, which sets them for means only
        """


def scoring_of(scoring: str | Scoring) -> EdgeScoring:
    """What a scoring does, by its spec or by its name.  Raises ValueError for an unknown name."""
    spec = Scoring.from_name(scoring) if isinstance(scoring, str) else scoring
    if spec is None:
        raise ValueError(
            f"scoring {scoring!r} is unknown; allowed: {', '.join(Scoring.described())}"
        )
    made: EdgeScoring = behaviour(spec)
    return made
