"""How a segmentation is made of what a network predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from lsd.spec.base import NonNegative, NonNegativeFloat, PositiveFloat, Probability
from lsd.spec.kinds import Kind
from lsd.spec.names import Word
from lsd.spec.variants import Head


class Decoder(Kind):
    """How a segmentation is made of predicted heads; see `lsd.segmentation.decoders.decoder` for
    what a kind of it does."""

    default: ClassVar[str] = "watershed"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "decoder"

    def misfit(self, affinities: str, heads: Mapping[str, Head]) -> str | None:
        """What it wants of a variant and does not get, in a sentence with the way out.

        affinities: what segment.affinities names; heads: all of the variant
        """
        return None


class Watershed(Decoder):
    """Fragments by watershed, which agglomeration joins; `segment.fragments` and `.scoring` set
    how."""

    kind: Literal["watershed"] = "watershed"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.watershed:WatershedDecoder"


class MutexWatershed(Decoder):
    """Mutex watershed, by which far affinities keep apart; `segment.mutex` sets how."""

    kind: Literal["mutex"] = "mutex"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.mutex:MutexDecoder"

    def misfit(self, affinities: str, heads: Mapping[str, Head]) -> str | None:
        """What is wrong where the affinities have no far offsets."""
        target = heads[affinities].target if affinities in heads else None
        # targets that have no offsets are no affinities, which whoever opens the head says
        offsets = None if target is None else target.affinity_offsets()
        if not offsets or any(sum(map(abs, offset)) > 1 for offset in offsets):
            return None
        return (
            f"segment.decoder='mutex' wants far affinities, to repel; those of head "
            f"{affinities!r} are of the nearest voxels alone; take variant=lr, or "
            f"segment.decoder=watershed"
        )


class Components(Decoder):
    """Objects are the connected voxels of one channel from a threshold on; `segment.objects` sets
    how they are made.

    head:    that holds the channel, as of a mask, a foreground, an interior, a signed distance or
             classes
    channel: its name, or its number from 0; None: the only one
    """

    kind: Literal["components"] = "components"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.components:ComponentsDecoder"
    head: Word = "foreground"
    channel: NonNegative | str | None = None


class Consensus(Decoder):
    """Objects of local occupancy vectors: what all voxels around say of a voxel becomes one
    probability, and its variance; then as `Components`.

    head:    that learns the target Occupancy in mode "foreground"
    weights: how much the opinion of each channel counts; empty: all count the same
    centre:  only what a voxel says of itself counts, for comparison
    """

    kind: Literal["consensus"] = "consensus"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.consensus:ConsensusDecoder"
    head: Word = "occupancy"
    weights: tuple[NonNegativeFloat, ...] = ()
    centre: bool = False


class Interior(Decoder):
    """Objects of a head that learns the target InteriorBoundary: interiors that hang together by
    faces, grown back over the boundary around them.

    head:       that holds both channels
    threshold:  from which on a voxel is of an interior, or, of both channels together, of an object
    reach:      voxels that an object is grown by at most; 0: interiors are taken as they are
    min_size:   drop interiors of fewer voxels
    fill_holes: background that one interior closes in becomes part of it
    """

    kind: Literal["interior"] = "interior"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.interior:InteriorDecoder"
    head: Word = "objects"
    threshold: Probability = 0.5
    reach: NonNegative = 2
    min_size: NonNegative = 0
    fill_holes: bool = False


class Instance(Decoder):
    """Objects of affinities, which may say the same of a pair of voxels twice, once from each end:
    the mean of both counts.  They are those of segment.affinities, such as a head that learns the
    target Occupancy in mode "instance".

    by:         what joins voxels: the mutex watershed, or the watershed and agglomeration, as set
                by segment.mutex, or segment.fragments and segment.scoring
    foreground: head that says where objects are, of one channel in 0..1, or of local occupancy
                vectors in mode "foreground", of which that of the voxel itself says so; None: where
                the highest affinity of a voxel says so
    inside:     value from which on there is foreground
    """

    kind: Literal["instance"] = "instance"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.instance:InstanceDecoder"
    by: Literal["mutex", "watershed"] = "mutex"
    foreground: Word | None = None
    inside: Probability = 0.5


class Doubting(Decoder):
    """As `Watershed`, but for joins of large regions, of which predicted descriptors are asked: how
    much worse do they fit both regions joined than both apart?

    head:    that is asked: descriptors, or any other that is learned from labels alone
    weight:  the mean affinity between two regions counts less by so many times the mean difference
             of its channels, each 0..1, that joining makes
    regions: score up to which fragments are joined without being asked, so that at thresholds below
             it segments are those of `Watershed`.  0.5: affinities by themselves rather say that
             both are one
    near:    nm from the contact of two regions up to which the difference is looked at
    """

    kind: Literal["doubting"] = "doubting"
    behaviour: ClassVar[str] = "lsd.segmentation.decoders.doubting:DoubtingDecoder"
    head: Word = "lsds"
    weight: NonNegativeFloat = 1.0
    regions: Probability = 0.5
    near: PositiveFloat = 80.0
