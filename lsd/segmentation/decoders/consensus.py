"""Local occupancy vectors: what all voxels around say of a voxel, as one probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.offsets import reach
from lsd.segmentation.decoders.thresholds import ThresholdDecoder
from lsd.segmentation.kernels.prediction import Channels, Heads, Offsets, Prediction, centre
from lsd.segmentation.over_blocks.foreground import FOREGROUND
from lsd.segmentation.over_blocks.inputs import HeadInput
from lsd.spec import Segment
from lsd.targets.occupancy import consensus

VARIANCE = "variance"


class ConsensusDecoder(ThresholdDecoder):
    """By `spec.Consensus`.

    Beside the foreground it gives the variance of what is said of each voxel: where that is high,
    the network disagrees with itself.
    """

    spec: spec.Consensus
    reads_occupancy = True
    asks_seen = True
    further = (VARIANCE,)

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """The head that the spec names."""
        return (self.spec.head,)

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """A head that says nothing of voxels around, or weights of other channels."""
        head = self.spec.head
        occupancy = channels[head].occupancy
        if occupancy is None:
            is_pairs = channels[head].neighborhood is not None
            way_out = (
                f"it holds affinities, so take segment.decoder=instance with "
                f"segment.affinities={head}"
                if is_pairs
                else "take segment.decoder=components, or name another in segment.decoder.head"
            )
            return (
                f"segment.decoder='consensus' reads head {head!r}, which does not say of the "
                f"voxels around where objects are, as the target Occupancy in mode 'foreground' "
                f"does; {way_out}"
            )
        weights = self.spec.weights
        if weights and (len(weights) != len(occupancy) or not any(weights)):
            return (
                f"segment.decoder.weights are {len(weights)}, and head {head!r} has "
                f"{len(occupancy)} channels; give one for each, not all of them 0, or none"
            )
        if self.spec.centre and centre(occupancy) is None:
            return (
                f"segment.decoder.centre takes what a voxel says of itself, and head {head!r} has "
                f"no channel of the offset 0; leave centre out"
            )
        return None

    def context(self, heads: Mapping[str, HeadInput]) -> tuple[int, ...]:
        """As far as the kernel reaches."""
        occupancy = heads[self.spec.head].occupancy
        assert occupancy is not None, "the head fits"
        return reach(occupancy)

    def foreground(self, heads: Heads) -> NDArray[np.float32]:
        """The consensus."""
        return self.maps(heads)[FOREGROUND]

    def maps(self, heads: Heads) -> dict[str, NDArray[np.float32]]:
        """The consensus, and the variance of what it is made of."""
        head = heads[self.spec.head]
        assert head.occupancy is not None, "the head fits"
        probability, variance = _consensus(head, head.occupancy, self.spec.weights or None)
        if self.spec.centre:
            own = centre(head.occupancy)
            assert own is not None, "the head fits"
            probability = head.scaled(own)
        return {FOREGROUND: probability, VARIANCE: variance}


def _consensus(
    head: Prediction, offsets: Offsets, weights: tuple[float, ...] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of all; section by section where the offsets have no z.  0 where nothing is said of a
    voxel."""
    dims = head.values.ndim - 1
    full = [(0,) * (dims - len(offset)) + tuple(offset) for offset in offsets]
    probability, variance = consensus(head.values, full, weights=weights, seen=head.seen)
    return np.nan_to_num(probability), np.nan_to_num(variance)
