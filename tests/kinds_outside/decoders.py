"""A decoder and a scoring as somebody writes them beside a config."""

from typing import ClassVar, Literal

import numpy as np
from scipy import ndimage

from lsd.arrays.offsets import views
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.segmentation.decoders.thresholds import ThresholdDecoder
from lsd.segmentation.scoring.scoring import EdgeScoring
from lsd.spec import Decoder, Scoring


class Pieces(Decoder):
    """Connected pieces of where a head sees no boundary.

    head:    that holds boundaries, one channel
    highest: boundary, 0..1, up to which a voxel is inside
    """

    kind: Literal["pieces"] = "pieces"
    behaviour: ClassVar[str] = "kinds_outside.decoders:PiecesDecoder"
    head: str = "boundary"
    highest: float = 0.5


class PiecesDecoder(BlockDecoder):
    """By `Pieces`."""

    def reads(self, settings):
        return (self.spec.head,)

    def segments(self, heads, *, mask, first_section):
        inside = heads[self.spec.head].probabilities[0] <= self.spec.highest
        if mask is not None:
            inside &= mask
        # voxels that share a face
        return ndimage.label(inside)[0].astype(np.uint64)


class Above(Decoder):
    """Connected pieces of where a channel of a head is high.

    head, channel: by their names; None: the first channel
    level:         above which a voxel is inside, in the range of the head
    """

    kind: Literal["above"] = "above"
    behaviour: ClassVar[str] = "kinds_outside.decoders:AboveDecoder"
    head: str
    channel: str | None = None
    level: float = 0.5


class AboveDecoder(BlockDecoder):
    """By `Above`."""

    def reads(self, settings):
        return (self.spec.head,)

    def segments(self, heads, *, mask, first_section):
        head, channel = heads[self.spec.head], self.spec.channel
        values = head.predicted[0 if channel is None else head.names.index(channel)]
        return ndimage.label(values > self.spec.level)[0].astype(np.uint64)


class Dark(Decoder):
    """Objects are where a head is low.

    head: of one channel
    """

    kind: Literal["dark"] = "dark"
    behaviour: ClassVar[str] = "kinds_outside.decoders:DarkDecoder"
    head: str = "boundary"


class DarkDecoder(ThresholdDecoder):
    """By `Dark`."""

    def reads(self, settings):
        return (self.spec.head,)

    def foreground(self, heads):
        return 1 - heads[self.spec.head].probabilities[0]


class Strongest(Scoring):
    """1 - the highest affinity on the contact of two fragments.

    power: that the affinity is taken to
    """

    kind: Literal["strongest"] = "strongest"
    behaviour: ClassVar[str] = "kinds_outside.decoders:StrongestScoring"
    power: float = 1.0


class StrongestScoring(EdgeScoring):
    """By `Strongest`."""

    def scores(self, affs, neighborhood, fragments, edges, *, caution, cautious_above):
        names = edges[:, 0] * (int(fragments.max()) + 1) + edges[:, 1]
        order, highest = np.argsort(names), np.zeros(len(edges), affs.dtype)
        for channel, offset in zip(affs, neighborhood, strict=True):
            one, other = (fragments[side] for side in views(fragments.shape, offset))
            touching = (one != other) & (one > 0) & (other > 0)
            u, v = np.minimum(one, other)[touching], np.maximum(one, other)[touching]
            contact = (u * (fragments.max() + 1) + v).astype(np.int64)
            edge = order[np.searchsorted(names[order], contact)]
            np.maximum.at(highest, edge, channel[views(fragments.shape, offset)[0]][touching])
        strength = highest / 255 if affs.dtype == np.uint8 else highest
        return (1 - strength.astype(np.float32) ** self.spec.power).astype(np.float32)
