"""How a segmentation is made of what a network predicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from lsd.spec.kinds import Kind
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
