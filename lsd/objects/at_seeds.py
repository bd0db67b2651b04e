"""Objects at the located points of each block: what workers run, wherever they are."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray
from pydantic import Field

from lsd.blockwise.on_disk.grid import Block, Grid, tile
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.objects.instance import Instance, instance_at
from lsd.objects.located import Located
from lsd.objects.seeds import Seed, Seeds
from lsd.objects.sight import Ahead, Sight
from lsd.objects.tables import read_located
from lsd.objects.windows import Lattice
from lsd.prediction.blocks import loaded, on_device
from lsd.prediction.predictor import Predictor
from lsd.segmentation.over_blocks.inputs import open_mask
from lsd.segmentation.stitch import same
from lsd.segmentation.stitching.blocks import placed
from lsd.segmentation.stitching.boxes import boxes_of
from lsd.spec import Predict, Rule, Segment, Spec
from lsd.spec.effect import NoEffect, Wording
from lsd.volumes.inputs import Box, VolumeInput
from lsd.volumes.volume import OpenVolume

STEP, ARRAY = "seeds", "labelled"
# rows: a located object; label: of its voxels in the block, that of an earlier one where both are
# one, 0 where there is no object; predicted: voxels that were computed for it in so many windows
SEED = np.dtype(
    [
        ("id", "<u8"),
        ("label", "<u8"),
        ("voxels", "<u8"),
        ("predicted", "<u8"),
        ("windows", "<u4"),
        ("cut", "<u1"),
    ]
)


class TableInput(Spec):
    """A table of located objects; content: of all of it."""

    path: Annotated[str, NoEffect("its content tells the table")]
    content: Annotated[str, Wording("the table of located objects is another one")]

    @classmethod
    def of(cls, path: Path, located: Located) -> TableInput:
        """What was read from a file."""
        return cls(path=str(path), content=_digest(located))

    def open(self) -> Located:
        """Raises ValueError where the file holds another table by now."""
        located = read_located(self.path)
        if _digest(located) != self.content:
            raise ValueError(f"{self.path} was changed since the run began; run it again")
        return located


class SeedsJob(Job):
    """Objects at the seeds of each block; see `SeedsFunction`.

    sha256:  of the checkpoint
    predict: with heads and threads named; segment: reduced to what decoding follows from, with one
             threshold
    window, room, overlap, most, min_size, rule: as of spec.Seeds
    region:  that the blocks cover, (begin, shape); block, margin: voxels, as of their grid
    by_seen: whether the decoder asks which voxels a window showed
    """

    version: Version = 1
    volume: VolumeInput
    mask: VolumeInput | None
    checkpoint: Annotated[str, NoEffect("its sha256 says what it holds")]
    sha256: Annotated[str, Wording("the checkpoint is another one")]
    table: TableInput
    predict: Predict
    segment: Segment
    window: tuple[int, ...]
    # not written where there is none: steps of before had no such field
    room: Annotated[tuple[int, ...] | None, Field(exclude_if=lambda room: room is None)] = None
    overlap: float
    most: int
    min_size: int
    rule: Rule
    region: Box
    block: tuple[int, ...]
    margin: tuple[int, ...]
    # not written where it does not matter: steps of before had no such field
    by_seen: Annotated[
        bool,
        Wording("what no window showed counted as no object"),
        Field(exclude_if=lambda by_seen: not by_seen),
    ] = False

    @property
    def grid(self) -> Grid:
        """The blocks of the region; `read`, within it, is what each holds labels of."""
        step = (1,) * len(self.block)
        context = (self.margin, self.margin)
        return tile(Roi(*self.region), self.block, step=step, context=context)

    def seeds(self, volume: OpenVolume) -> Seeds:
        """The located objects of the region."""
        return Seeds.of(
            self.table.open(),
            voxel_size=volume.voxel_size,
            remainder=volume.raw.remainder,
            region=self.grid.roi,
        )

    def open(self, container: Path, worker: int) -> SeedsFunction:
        """With a network of its own, on the device of the worker."""
        return SeedsFunction(self, self.volume.open(), worker)

    def changed(self, container: Path) -> list[str]:
        """Inputs that are others by now, the table included."""
        table = self.table
        is_same = Path(table.path).is_file() and _digest(read_located(table.path)) == table.content
        return [*super().changed(container), *([] if is_same else [f"{table.path} was changed"])]


class _Task(NamedTuple):
    """Of a block: the box that it holds labels of, its seeds, where to look for each, and what was
    read ahead of that."""

    box: Roi
    seeds: list[Seed]
    lattices: list[Lattice]
    ahead: Ahead


class SeedsFunction:
    """Labels of a block with its margin, and rows.  Block n of the step is the n-th of those that
    have a seed."""

    def __init__(self, job: SeedsJob, volume: OpenVolume, worker: int) -> None:
        restored = loaded(job.checkpoint, job.sha256)
        settings = on_device(job.predict, worker)
        predictor = Predictor(restored.cascade, restored.config.network, settings=settings)
        mask = open_mask(job.mask, volume.raw)
        self.job, self.sight = job, Sight(volume, predictor, settings=job.segment, mask=mask)
        self.grid, self.seeds = job.grid, job.seeds(volume)
        self.numbers = self.seeds.blocks(self.grid)
        self.boxes = boxes_of(self.grid, self.numbers.tolist())

    def read(self, block: Block) -> _Task:
        """Its seeds, and raw of some of their windows."""
        if not len(self.numbers):
            # a volume without any seed has one block, which is empty
            return _Task(self.grid.block(0).write, [], [], {})
        box = self.boxes.roi(block.index)
        seeds = self.seeds.in_roi(self.grid.block(int(self.numbers[block.index])).write)
        lattices = [self._lattice(seed, box) for seed in seeds]
        ahead = self.sight.read_ahead([lattice.roi((0,) * box.dims) for lattice in lattices])
        return _Task(box, seeds, lattices, ahead)

    def compute(self, block: Block, source: _Task) -> Output:
        """Seed after seed, in the order of their ids."""
        labels = Labelled(source.box, self.job.rule)
        rows = np.zeros(len(source.seeds), SEED)
        for row, seed, lattice in zip(rows, source.seeds, source.lattices, strict=True):
            row["id"], row["label"] = seed.id, labels.at(seed.voxel)
            if row["label"]:
                continue
            instance = self._instance(seed, lattice, source.ahead)
            is_kept = instance.voxels >= max(self.job.min_size, 1)
            row["label"] = labels.add(seed.id, instance) if is_kept else 0
            row["predicted"], row["windows"] = instance.predicted, instance.windows
            row["voxels"], row["cut"] = instance.voxels * is_kept, instance.cut * is_kept
        rows["label"] = [labels.name(int(label)) for label in rows["label"]]
        return Output({ARRAY: placed(labels.values, self.grid)}, rows)

    def _lattice(self, seed: Seed, box: Roi) -> Lattice:
        return Lattice.around(
            seed.box,
            seed.voxel,
            window=Coordinate(self.job.window),
            room=self.job.room,
            overlap=self.job.overlap,
            step=self.sight.step,
            limit=box,
        )

    def _instance(self, seed: Seed, lattice: Lattice, ahead: Ahead) -> Instance:
        sight = self.sight
        return instance_at(
            seed,
            lattice,
            look=partial(sight.look, ahead=ahead),
            decode=sight.decode,
            most=self.job.most,
            region=self.grid.roi,
        )


class Labelled:
    """Labels of what a block holds, uint64 (*box.shape); rule: when two objects are one."""

    def __init__(self, box: Roi, rule: Rule) -> None:
        self.box, self.rule = box, rule
        self.values: NDArray[np.uint64] = np.zeros(box.shape, np.uint64)
        self._became: dict[int, int] = {}

    def at(self, voxel: Coordinate) -> int:
        """The label of a voxel, 0: none."""
        return int(self.values[tuple(voxel - self.box.begin)])

    def add(self, label: int, instance: Instance) -> int:
        """Adds an object; returns its label: that of an earlier one where the rule says that they
        are one.  A voxel that an earlier one has stays its."""
        values = self.values[(instance.roi - self.box.begin).to_slices()]
        mask = instance.mask.astype(np.uint8)
        others = same(mask, values, rule=self.rule)[:, 1].tolist()
        kept = min(others, default=label)
        for other in others:
            if other != kept:
                self.values[self.values == other] = kept
                self._became[other] = kept
        values[instance.mask & (values == 0)] = kept
        return kept

    def name(self, label: int) -> int:
        """What a label became."""
        while label in self._became:
            label = self._became[label]
        return label


def _digest(located: Located) -> str:
    content = hashlib.sha256()
    for field in fields(located):
        content.update(np.ascontiguousarray(getattr(located, field.name)).tobytes())
    return content.hexdigest()


def counts(rows: NDArray[Any]) -> dict[str, int]:
    """Of rows of SEED: seeds, those with an object, windows, voxels predicted, objects cut."""
    return {
        "seeds": len(rows),
        "found": int(np.count_nonzero(rows["label"])),
        "windows": int(rows["windows"].sum()),
        "predicted": int(rows["predicted"].sum()),
        "cut": int(np.count_nonzero(rows["cut"])),
    }
