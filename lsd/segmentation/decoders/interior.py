"""Objects of a head of interior and boundary: what is inside hangs together, and its boundary is
grown back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.distances import distances_to_others
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.segmentation.kernels.flood import flood
from lsd.segmentation.kernels.prediction import Channels, Heads
from lsd.segmentation.objects import objects
from lsd.spec import Segment

# names of the channels, in their order
CHANNELS = ("interior", "boundary")


class InteriorDecoder(BlockDecoder):
    """By `spec.Interior`."""

    spec: spec.Interior

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """The head that the spec names."""
        return (self.spec.head,)

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """A head of other channels."""
        names = channels[self.spec.head].names
        if names == CHANNELS:
            return None
        return (
            f"segment.decoder='interior' wants the channels interior and boundary of head "
            f"{self.spec.head!r}, which has {', '.join(names) or 'others'}; name a head in "
            f"segment.decoder.head that learns InteriorBoundary, or take "
            f"segment.decoder=components"
        )

    def segments(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """Interiors that hang together by faces, each with the boundary that is nearest to it."""
        return self._segments(heads, mask, connectivity=None)

    def segments_of_image(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """The same in the plane: an image has no border along z, at which a hole would be open."""
        return self._segments(heads, mask, connectivity=4)

    def _segments(
        self, heads: Heads, mask: NDArray[np.bool_] | None, *, connectivity: int | None
    ) -> NDArray[np.uint64]:
        interior, boundary = (heads[self.spec.head].scaled(channel) for channel in (0, 1))
        cores = objects(
            interior >= self.spec.threshold,
            mask=mask,
            connectivity=connectivity,
            min_size=self.spec.min_size,
            fill_holes=self.spec.fill_holes,
        )
        within = interior + boundary >= self.spec.threshold
        if mask is not None:
            within &= mask
        return _grown(cores, within | (cores > 0), reach=self.spec.reach)


def _grown(
    cores: NDArray[np.uint64], within: NDArray[np.bool_], *, reach: int
) -> NDArray[np.uint64]:
    """Cores (z, y, x), grown step by step over voxels that are at most so far from one."""
    if not reach or not cores.any():
        return cores
    away = distances_to_others((cores > 0).view(np.uint8), (1.0,) * cores.ndim)
    near = within & ((cores > 0) | (away <= reach))
    level = np.zeros(cores.shape, np.int32)
    return flood(level, cores.astype(np.int32), within=near).astype(np.uint64)
