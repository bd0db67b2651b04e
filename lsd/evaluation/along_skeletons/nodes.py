"""A segmented volume at the nodes of its skeletons: read from disk block by block."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons, voxels_of
from lsd.blockwise.on_disk.grid import Block, Grid, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.evaluation.along_skeletons.at_nodes import AtNodes, Graph, in_roi
from lsd.evaluation.along_skeletons.cuts import EdgePiece, Ids
from lsd.evaluation.counting import counted_rows, scored_roi
from lsd.evaluation.scored_results import scored_results
from lsd.segmentation.on_disk.results import Results, Segmented
from lsd.spec import Config, SkeletonScores, Spec, Volume
from lsd.spec.effect import NoEffect, Wording
from lsd.spec.paths import data_root, run_folder
from lsd.spec.plurals import counted
from lsd.system.atomic import replacing
from lsd.volumes.array import Array, text
from lsd.volumes.inputs import ArrayInput
from lsd.volumes.skeletons.at_nodes import labels_in_voxels, read_at_once
from lsd.volumes.skeletons.sources import open_skeletons
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

Voxels = NDArray[np.int64]
# rows: a node, by its place among the nodes, and the id that lies there
NODE = np.dtype([("node", "<i8"), ("id", "<u8")])
# part of the nodes that may lie outside of what is scored without a word
_OUTSIDE = 0.5


@dataclass(frozen=True, eq=False)
class SegmentedNodes:
    """A segmented volume at the nodes of its skeletons, in `roi` (voxels).

    read: ids of an array at the nodes; what was read is kept
    """

    roi: Roi
    results: Results
    skeletons: Skeletons
    read: Callable[[Segmented], Ids]
    _ids: dict[str, Ids] = field(default_factory=dict)
    _graphs: dict[float, Graph] = field(default_factory=dict)

    def at(self, threshold: float | None) -> AtNodes:
        """The segmentation at a threshold; None: of a decoder without thresholds.  Segmentations
        that are other names for the ids of one array take no further look at the volume."""
        segmented = self.results.at(threshold)
        ids = self._at_nodes(segmented)
        segments = segmented.segments(ids)
        if threshold is None or self.results.edges() is None:
            return AtNodes(self.skeletons, segments)
        graph = Graph(self.skeletons, ids, threshold, segmented.segments, self._edges)
        # whose edits are counted once, whatever is told of them
        return AtNodes(self.skeletons, segments, self._graphs.setdefault(threshold, graph))

    def table(self, threshold: float | None) -> None:
        """None: no voxels were counted."""

    @property
    def fragments(self) -> AtNodes | None:
        """What segments were joined of, where they were."""
        fragments = self.results.fragments
        if fragments is None:
            return None
        return AtNodes.unjoined(self.skeletons, self._at_nodes(fragments))

    def __str__(self) -> str:
        lines = counted(len(np.unique(self.skeletons.skeleton_ids)), "skeleton")
        return f"{counted(len(self.skeletons), 'node')} of {lines} in {text(self.roi)}"

    def _at_nodes(self, segmented: Segmented) -> Ids:
        name = segmented.array.name
        if name not in self._ids:
            self._ids[name] = self.read(segmented)
        return self._ids[name]

    def _edges(self) -> Iterator[EdgePiece]:
        pieces = self.results.edges()
        assert pieces is not None, "asked for where there are edges"
        return ((np.stack([rows["u"], rows["v"]], axis=1), rows["score"]) for rows in pieces)


def nodes_of_volume(config: Config, name: str, spec: Volume) -> SegmentedNodes:
    """A segmented volume at the nodes of its skeletons, read in blocks as soon as it is asked for.

    What was read stands in runs/<name>/evaluation/<volume>/blocks, and is not read again for the
    same segmentation and nodes.  Raises ValueError where voxel sizes differ, or no node lies in
    what was segmented.
    """
    root = data_root(config)
    volume = open_volume(spec, name=name, data_root=root)
    results = scored_results(config, name)
    roi = scored_roi(config.evaluate, volume, results, truth=volume.roi)
    skeletons = part_of_skeletons(
        open_skeletons(volume, data_root=root), volume, roi, config.evaluate.skeletons
    )
    voxels = _voxels(skeletons, volume)

    def read(segmented: Segmented) -> Ids:
        step = _step(config, volume, segmented, voxels)
        ids = np.zeros(len(voxels), np.uint64)
        for rows in counted_rows(step, config.evaluate, title=f"{name} {step.name}"):
            ids[rows["node"]] = rows["id"]
        # nodes beyond the region lie on background
        ids[~in_roi(voxels, roi)] = 0
        segmented.check(ids)
        return ids

    return SegmentedNodes(roi, results, skeletons, read)


def part_of_skeletons(
    skeletons: Skeletons, volume: OpenVolume, roi: Roi, settings: SkeletonScores
) -> Skeletons:
    """What of skeletons is scored in `roi` (voxels of the volume); see `SkeletonScores.outside`.

    Raises ValueError where no node lies inside, and warns where most do not.
    """
    voxels = _voxels(skeletons, volume)
    inside = in_roi(voxels, roi)
    found = f"{int(inside.sum())} of {counted(len(skeletons), 'node')} of the skeletons"
    about = f"volume {volume.name!r}: {found} lie in what is scored, {text(roi)} (voxels)"
    if not inside.any():
        box = "" if not len(voxels) else f", they lie in {_extent(voxels)}"
        raise ValueError(f"{about}{box}; check unit, offset and the order of axes, z y x")
    if inside.mean() < _OUTSIDE:
        log.warning("%s; are unit, offset and the order of axes right?", about)
    return skeletons if settings.outside == "omit" else skeletons.without_stubs(inside)


def voxels_in(
    skeletons: Skeletons, volume: OpenVolume, roi: Roi
) -> tuple[NDArray[np.bool_], Voxels]:
    """Which nodes lie in `roi` (voxels of the volume), and where in it (m, axes), from 0."""
    voxels = _voxels(skeletons, volume)
    inside = in_roi(voxels, roi)
    return inside, voxels[inside] - np.asarray(roi.begin)


def _extent(voxels: Voxels) -> str:
    first, last = voxels.min(axis=0).tolist(), voxels.max(axis=0).tolist()
    return text(Roi(first, [b - a + 1 for a, b in zip(first, last, strict=True)]))


def _voxels(skeletons: Skeletons, volume: OpenVolume) -> Voxels:
    if skeletons.positions.shape[1] != len(volume.voxel_size):
        raise ValueError(
            f"volume {volume.name!r}: its skeletons are {skeletons.positions.shape[1]}D, it is "
            f"{len(volume.voxel_size)}D"
        )
    remainder = [float(nm) for nm in volume.raw.remainder]
    return voxels_of(skeletons.positions, voxel_size=volume.voxel_size, offset=remainder)


class VoxelsInput(Spec):
    """Voxels of nodes, in a file that the step's own container holds; content: of all of it."""

    path: Annotated[str, NoEffect("its content tells the file")]
    content: Annotated[str, Wording("the nodes of the skeletons are other ones")]

    @classmethod
    def written(cls, voxels: Voxels, path: Path) -> VoxelsInput:
        """Writes them."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, many_writers=True) as staged, staged.open("wb") as file:
            np.save(file, voxels)
        return cls(path=str(path), content=_digest(voxels))

    def open(self) -> Voxels:
        """Raises ValueError where the file holds others by now."""
        voxels: Voxels = np.load(self.path)
        if _digest(voxels) != self.content:
            raise ValueError(f"{self.path} was changed since the run began; run it again")
        return voxels


class NodesJob(Job):
    """The ids of an array at nodes in each block; see `NodesFunction`."""

    version: Version = 1
    segmentation: ArrayInput
    nodes: VoxelsInput

    def open(self, container: Path, worker: int) -> NodesFunction:
        """Ready to be called."""
        return NodesFunction(self)


class NodesFunction:
    """Rows: the nodes of each block, and the id at each; what workers run."""

    def __init__(self, job: NodesJob) -> None:
        self.array, self.voxels = job.segmentation.open(), job.nodes.open()
        # so that a block looks at the nodes of its own sections only
        self.order = np.argsort(self.voxels[:, 0], kind="stable")
        self.sections = self.voxels[self.order, 0]

    def read(self, block: Block) -> tuple[Voxels, Ids]:
        """Its nodes, and what lies there; each chunk is read once."""
        begin, end = block.write.begin[0], block.write.end[0]
        near = self.order[slice(*np.searchsorted(self.sections, (begin, end)))]
        nodes = near[in_roi(self.voxels[near], block.write)]
        return nodes, labels_in_voxels(self.array, self.voxels[nodes])

    def compute(self, block: Block, source: tuple[Voxels, Ids]) -> Output:
        """As rows."""
        rows = np.empty(len(source[0]), NODE)
        rows["node"], rows["id"] = source
        return Output(rows=rows)


def _step(config: Config, volume: OpenVolume, segmented: Segmented, voxels: Voxels) -> Step:
    container = run_folder(config) / "evaluation" / volume.name
    # voxels of the array itself, whatever grid those of the volume are counted on
    array = segmented.array
    moved = np.subtract(array.roi.begin, array.on_grid(volume.raw.remainder).roi.begin)
    own = voxels + moved
    revision = config.segment.revision
    job = NodesJob(
        segmentation=segmented.as_input(array.roi, revision=revision),
        nodes=VoxelsInput.written(own, container / "nodes.npy"),
    )
    title = segmented.title.replace(".", "_")
    name = "_".join(("nodes", *([title] if title else [])))
    return Step(name, container, _grid(array, config.evaluate.block), job, rows=NODE)


def _grid(array: Array, block: tuple[int, ...]) -> Grid:
    """Blocks that share no chunk of the array."""
    whole, none = array.layout.roi, (0,) * array.roi.dims
    shape = Coordinate(
        max(1, wanted // chunk) * chunk
        for wanted, chunk in zip(block[-whole.dims :], read_at_once(array), strict=True)
    )
    return tile(whole, shape, step=(1,) * whole.dims, context=(none, none))


def _digest(voxels: Voxels) -> str:
    return hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()
