"""Doubts over blocks: what each block says of regions that touch in it, and edges that go by all of
it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import fastremap
import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import step_folder
from lsd.segmentation.doubt import (
    DOUBT,
    Look,
    changes_of,
    doubted_scores,
    doubts,
    together,
)
from lsd.segmentation.kernels.prediction import Channels, Learned, Prediction, range_of
from lsd.segmentation.on_disk.segments import OpenSegments
from lsd.segmentation.on_disk.tables import FragmentPlaces, Table, segments_of
from lsd.segmentation.over_blocks.edges import EDGE, edge_pieces
from lsd.segmentation.over_blocks.inputs import Apart
from lsd.segmentation.over_blocks.whole import Graph, between_regions, read_graph, summed
from lsd.spec import Scores, Target
from lsd.spec.effect import Wording
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput

# the step whose edges say which fragments are a region
JOINED, DOUBTS = "joined", "doubts"


class DoubtsJob(Job):
    """What each block says of the regions that touch in it; see `DoubtsFunction`.

    head: that is asked, and what it learned;  dims: axes of its network
    made_from: digest of the step whose edges up to `regions` say what is one region
    images:   the volume whose sections are images of their own; None: they are not
    """

    version: Version = 2
    fragments: OwnArray
    head: ArrayInput
    target: Target
    dims: int
    made_from: Annotated[str, Wording("the regions were made anew")]
    regions: float
    near: float
    apart: Apart
    # not written where they are none: jobs of before had no such field
    images: Annotated[
        VolumeInput | None,
        Wording("images were not looked at one by one"),
        Field(exclude_if=lambda images: images is None),
    ] = None

    def open(self, container: Path, worker: int) -> DoubtsFunction:
        """Ready to be called."""
        return DoubtsFunction(self, container)


class DoubtsFunction:
    """Rows: DOUBT of the regions that touch near the voxels of each block, by their names.  Memory:
    8 bytes for each fragment of the volume, beside what a block takes."""

    def __init__(self, job: DoubtsJob, container: Path) -> None:
        self.job, self.head = job, job.head.open()
        images = job.images
        self.images = None if images is None else images.open().on_grid(self.head.remainder)
        counts = read_ledger(step_folder(container, "fragments")).records["count"]
        places = FragmentPlaces.of(counts, job.apart)
        edges = edge_pieces(step_folder(container, JOINED))
        table = Table(places, segments_of(places, edges, job.regions))
        self.regions = OpenSegments(job.fragments.open(container), table)

    def read(self, block: Block) -> list[Look]:
        """What was predicted of the block, and the regions of it and around; of images one by one,
        and none where none touch."""
        around = block.read.intersect(self.regions.ids.roi)
        parts = [around] if self.images is None else self.images.image_rois(around)
        looks = (self._look(part, block.write.intersect(part)) for part in parts)
        return [look for look in looks if look is not None]

    def compute(self, block: Block, source: list[Look]) -> Output:
        """In ascending order."""
        rows = [np.empty(0, DOUBT), *(doubts(look, near=self.job.near) for look in source)]
        return Output(rows=together(np.concatenate(rows)))

    def _look(self, around: Roi, own: Roi) -> Look | None:
        """own: of the block, in what is around it."""
        if own.empty:
            return None
        regions = self.regions.read(around)
        if np.count_nonzero(fastremap.unique(regions)) < 2:
            return None
        learned = Learned(self.job.target, self.job.dims)
        predicted = Prediction.of(
            self.head.read(own),
            Channels(self.head.channels or 0, learned=learned),
            limits=range_of(self.head.source.handle.attrs),
            voxel_size=self.head.voxel_size,
        ).predicted
        inside = (own - around.begin).to_slices()
        return Look(predicted, regions, tuple(inside), learned, self.head.voxel_size)


class DoubtedJob(Job):
    """Edges of the whole volume where regions join on with doubts; see `DoubtedFunction`.

    made_from: digest of the doubts' step, whose rows it reads, beside those of the fragments and of
               the contacts
    """

    version: Version = 1
    made_from: Annotated[str, Wording("the doubts were made anew")]
    fragments: Annotated[str, Wording("the fragments were made anew")]
    scores: Scores
    agglomeration: Literal["with doubts"] = "with doubts"
    regions: float
    weight: float
    apart: Apart

    def open(self, container: Path, worker: int) -> DoubtedFunction:
        """Ready to be called."""
        return DoubtedFunction(self, container)


class Doubted(NamedTuple):
    """What blocks left, the edges by which regions came to be, and the doubts."""

    graph: Graph
    joined: NDArray[Any]
    doubts: NDArray[np.void]


class DoubtedFunction:
    """Rows: the edges (u < v) of the volume and their scores, in ascending order.  One block: all
    of it."""

    def __init__(self, job: DoubtedJob, container: Path) -> None:
        self.job, self.container = job, container

    def read(self, block: Block) -> Doubted:
        """All of it."""
        graph = read_graph(self.container, self.job.apart)
        joined = [*edge_pieces(step_folder(self.container, JOINED))]
        ledger = read_ledger(step_folder(self.container, DOUBTS))
        rows = [part for _, part in ledger.rows(DOUBT, alone=True)]
        return Doubted(
            graph,
            np.concatenate([np.empty(0, EDGE), *joined]),
            together(np.concatenate([np.empty(0, DOUBT), *rows])),
        )

    def compute(self, block: Block, source: Doubted) -> Output:
        """Scores in the order in which regions join."""
        job, places = self.job, source.graph.places
        contacts, _ = summed(places, source.graph.contacts)
        segments = segments_of(places, [source.joined], job.regions)
        names, regions = np.unique(segments, return_inverse=True)
        between = between_regions(contacts, regions)
        edges = np.stack([places.place_of(source.joined[name]) for name in ("u", "v")], axis=1)
        rows = source.joined.copy()
        rows["score"] = doubted_scores(
            edges,
            source.joined["score"],
            between,
            np.bincount(regions, source.graph.sizes, minlength=1),
            regions,
            changes_of(between.pairs, source.doubts, names),
            weight=job.weight,
            joined_at=job.regions,
            caution=job.scores.caution,
            above=job.scores.cautious_above,
        )
        return Output(rows=rows)
