"""1 - mean affinity between two regions, by our own average linkage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.kernels.linkage import linkage, links
from lsd.segmentation.kernels.meetings import meetings
from lsd.segmentation.scoring.scoring import EdgeScoring, Neighborhood


class MeanScoring(EdgeScoring):
    """Over the affinities that it looks at, added up as regions join."""

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
        sizes = np.bincount(fragments.reshape(-1).astype(np.int64))
        between = links(affs, neighborhood, fragments)
        merges, heights = linkage(between, sizes, caution=caution, above=cautious_above)
        return meetings(len(sizes), merges, heights, edges)
