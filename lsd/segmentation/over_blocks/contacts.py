"""What the affinities of each block say of its fragments: sums that can be added up over the
blocks of a volume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import fastremap
import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import compact
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Version
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.kernels.linkage import links
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.over_blocks.edges import OnAffinities, block_inside, read_around
from lsd.segmentation.over_blocks.fragments import Source, cut_pairs
from lsd.segmentation.scoring.scoring import scoring_of
from lsd.spec import Scoring
from lsd.spec.effect import Wording
from lsd.volumes.inputs import OwnArray

# rows: what one block's affinities say of a pair of fragments
CONTACT = np.dtype(
    [("u", "<u8"), ("v", "<u8"), ("sum", "<f8"), ("weight", "<f8"), ("touch", "?"), ("uncut", "?")]
)


class ContactsJob(OnAffinities):
    """What each block says of its fragments; see `ContactsFunction`.

    scoring: a mean, which says whether all offsets are looked at or the nearest ones
    """

    version: Version = 3
    fragments: OwnArray
    uncut: OwnArray
    made_from: Annotated[str, Wording("the fragments were made anew")]
    scoring: Scoring

    def open(self, container: Path, worker: int) -> ContactsFunction:
        """Ready to be called."""
        return ContactsFunction(self, container)


class ContactsFunction:
    """Rows: what the affinities of each block say of pairs u < v, in ascending order; an affinity
    is its voxel's block's."""

    def __init__(self, job: ContactsJob, container: Path) -> None:
        self.affs, self.fragments = job.affinities.open(), job.fragments.open(container)
        self.uncut = job.uncut.open(container)
        self.neighborhood, self.scoring = job.neighborhood, scoring_of(job.scoring)

    def read(self, block: Block) -> Source | None:
        """Fragments and affinities around the block, and its `uncut`; None where it has no
        fragment."""
        source = read_around(block, self.fragments, self.affs)
        return None if source is None else {**source, "uncut": self.uncut.read(block.write)}

    def compute(self, block: Block, source: Source | None) -> Output:
        """Sums over the affinities that are the block's."""
        if source is None:
            return Output(rows=np.empty(0, CONTACT))
        inside = block_inside(block, self.affs)
        ids = fastremap.unique(source["fragments"])
        ids = ids[ids > 0]
        affs, neighborhood = self.scoring.looked_at(
            checked(source["affs"], self.neighborhood), self.neighborhood
        )
        between = links(affs, neighborhood, compact(source["fragments"]), within=inside)
        ends = ids[between.pairs - 1].reshape(-1, 2)
        cut = cut_pairs(source["fragments"], source["uncut"], inside)
        rows = np.empty(len(ends), CONTACT)
        rows["u"], rows["v"], rows["uncut"] = ends[:, 0], ends[:, 1], _among(ends, cut)
        rows["sum"], rows["weight"], rows["touch"] = between.sums, between.weights, between.touch
        return Output(rows=rows)


def _among(pairs: NDArray[Any], others: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of `pairs` (n, 2) are among `others` (m, 2), both uint64: (n,)."""
    dtype = [("u", np.uint64), ("v", np.uint64)]
    pairs_as_values, others_as_values = (
        np.ascontiguousarray(array, np.uint64).view(dtype).reshape(-1) for array in (pairs, others)
    )
    return np.isin(pairs_as_values, others_as_values)
