"""Connected components of one channel, from a threshold on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.segmentation.decoders.thresholds import ThresholdDecoder
from lsd.segmentation.kernels.prediction import Channels, Heads
from lsd.spec import Segment
from lsd.spec.plurals import counted


class ComponentsDecoder(ThresholdDecoder):
    """By `spec.Components`.

    A threshold is a place in the range of the head, 0 its lowest and 1 its highest value.  So it
    is a probability of a head in 0..1, and of a signed distance in -1..1 the border is at 0.5.
    """

    spec: spec.Components

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """The head that the spec names."""
        return (self.spec.head,)

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """A head whose channels are about pairs of voxels or about others, or of several channels
        of which none is named."""
        of_head, head = channels[self.spec.head], self.spec.head
        if of_head.neighborhood is not None:
            return (
                f"segment.decoder='components' reads head {head!r}, which holds affinities; take "
                f"segment.decoder=watershed, mutex or instance with segment.affinities={head}, or "
                f"name another head in segment.decoder.head"
            )
        if of_head.occupancy is not None and self.spec.channel is None:
            return (
                f"segment.decoder='components' reads head {head!r}, whose channels are about "
                f"voxels around; take segment.decoder=consensus, or name a channel in "
                f"segment.decoder.channel"
            )
        return None if isinstance(self._channel(of_head), int) else self._no_channel(of_head)

    def foreground(self, heads: Heads) -> NDArray[np.float32]:
        """The channel between 0, the lowest value of the head's range, and 1, the highest."""
        head = heads[self.spec.head]
        channel = self._channel(head.channels)
        assert channel is not None, "the head fits"
        return head.scaled(channel)

    def _channel(self, channels: Channels) -> int | None:
        """Its number; None where there is no such channel."""
        wanted = self.spec.channel
        if wanted is None:
            return 0 if channels.count == 1 else None
        if isinstance(wanted, int):
            return wanted if wanted < channels.count else None
        return channels.names.index(wanted) if wanted in channels.names else None

    def _no_channel(self, channels: Channels) -> str:
        allowed = ", ".join(channels.names) or f"0 .. {channels.count - 1}"
        named = (
            "name one" if self.spec.channel is None else f"{self.spec.channel!r} is none of them"
        )
        return (
            f"segment.decoder='components' takes one channel of head {self.spec.head!r}, which has "
            f"{counted(channels.count, 'channel')}; {named}, segment.decoder.channel is one of: "
            f"{allowed}"
        )
