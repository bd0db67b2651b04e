"""From affinities to fragments and the order in which they join: one array function for each
decoder of the config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components, relabel
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.fragments import fragments
from lsd.segmentation.mutex import mutex
from lsd.segmentation.nearest import nearest
from lsd.spec import Fragments, Mutex, Segment


@dataclass(frozen=True, eq=False)
class Decoded:
    """Fragments (z, y, x) with ids 1..n, 0 where there is none; edges (m, 2) between them and their
    scores (m,).

    The mutex decoder leaves nothing to join: its segments are the fragments, and there are no
    edges.
    """

    fragments: NDArray[np.uint64]
    edges: NDArray[np.uint64]
    scores: NDArray[np.float32]

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


def decode(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    settings: Segment,
    *,
    mask: NDArray[Any] | None = None,
    first_section: int = 0,
) -> Decoded:
    """Decode `affs` (c, z, y, x), floats in [0, 1] or uint8, by the config's `settings`; 2D drops
    z.

    neighborhood:  an offset in voxels for each channel; those of a 2D network have no z, and
                   sections stay apart
    mask:          (z, y, x), 0 where there are to be no fragments
    first_section: z of the first section in the world, from which blank_sections are counted
    """
    match settings.decoder:
        case "mutex":
            segments = decode_mutex(affs, neighborhood, settings.mutex, mask=mask)
            return Decoded(
                segments, np.zeros((0, 2), dtype=np.uint64), np.zeros(0, dtype=np.float32)
            )
        case "watershed":
            found = decode_fragments(
                affs, neighborhood, settings.fragments, mask=mask, first_section=first_section
            )
            return Decoded(
                found, *agglomerate(affs, found, neighborhood=neighborhood, **settings.scores)
            )
        case _:
            assert_never(settings.decoder)


def decode_fragments(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    settings: Fragments,
    *,
    mask: NDArray[Any] | None = None,
    first_section: int = 0,
) -> NDArray[np.uint64]:
    """Fragments (z, y, x) alone, by the config's `segment.fragments`; other arguments as of
    `decode`."""
    near = nearest(affs, neighborhood)
    options = settings.model_dump()
    sections = range(first_section, first_section + (near.shape[1] if near.ndim == 4 else 0))
    options["blank_sections"] = [
        z - first_section for z in options["blank_sections"] if z in sections
    ]
    options["in_xy"] |= len(neighborhood[0]) < near.ndim - 1
    return fragments(near, mask=mask, **options)


def decode_mutex(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    settings: Mutex,
    *,
    mask: NDArray[Any] | None = None,
) -> NDArray[np.uint64]:
    """Segments (z, y, x) of the mutex decoder, by the config's `segment.mutex`; other arguments as
    of `decode`."""
    return mutex(affs, neighborhood, mask=mask, **settings.model_dump())
