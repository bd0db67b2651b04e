"""What a network predicted, and what a decoder made of it, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components, relabel
from lsd.segmentation.kernels.nearest import unit

Offsets = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a head gave.

    values:       (c, z, y, x), floats in 0..1 or uint8 (0..255 for 0..1); 2D drops z
    neighborhood: an offset in voxels for each channel, without z of a 2D network; None: the head
                  holds no affinities
    """

    values: NDArray[Any]
    neighborhood: Offsets | None = None

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The values as floats in 0..1."""
        return unit(self.values)


Heads = Mapping[str, Prediction]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Fragments (z, y, x) with ids 1..n, 0 where there is none; edges (m, 2) between them and their
    scores (m,).

    Where nothing is left to join, segments are the fragments, and there are no edges.
    """

    fragments: NDArray[np.uint64]
    edges: NDArray[np.uint64]
    scores: NDArray[np.float32]

    @classmethod
    def final(cls, segments: NDArray[np.uint64]) -> Decoded:
        """Segments that nothing joins any more."""
        return cls(segments, np.zeros((0, 2), np.uint64), np.zeros(0, np.float32))

    @property
    def nodes(self) -> NDArray[np.uint64]:
        """Ids of the fragments, with 0."""
        return np.arange(int(self.fragments.max(initial=0)) + 1, dtype=np.uint64)

    def table(self, threshold: float) -> NDArray[np.uint64]:
        """Segment of each of `nodes` where edges with score <= threshold join."""
        return components(self.nodes, self.edges, self.scores, threshold)

    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Segments (z, y, x), named by their smallest fragment."""
        return relabel(self.fragments, self.nodes, self.table(threshold))
