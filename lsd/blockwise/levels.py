"""Coarser levels of the arrays that a step wrote, block by block: resumable, by the same workers,
in bounded memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block, chunk_shape, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import forget, steps_of
from lsd.blockwise.running.run import Summary, prepare, refuse_others, run
from lsd.spec import Workers
from lsd.spec.effect import Wording
from lsd.volumes import containers
from lsd.volumes.array import Array, open_array
from lsd.volumes.create import announce_level, create_level, has_array
from lsd.volumes.inputs import OwnArray
from lsd.volumes.levels import Factor, How, factors
from lsd.volumes.scaled import ScaledSource, Scaling

log = logging.getLogger(__name__)

# no array has more voxels along an axis than levels could halve
_MOST = 64
# voxels of a level that are written at once, along each axis
_BLOCK = {2: 1024, 3: 128}


def make_levels(
    source: Step,
    how: Mapping[str, How],
    *,
    levels: int,
    by_image: bool = False,
    workers: Workers | None = None,
    title: str = "",
) -> Iterator[Summary]:
    """Levels 1 .. levels - 1 of arrays that `source`, which is whole, wrote; yields what was done
    for each level.

    how:      of each array to be made coarser, the mean or the majority; all are of one shape
    by_image: whether sections are images of their own, which stay apart
    A level is listed in the metadata of its image when it is whole.  Arrays of earlier versions
    stand where their levels would be: they get none, which is said.
    """
    how = {name: of for name, of in how.items() if not _is_plain(source.container, name, levels)}
    if levels < 2 or not how:
        return
    base = open_array(source.container, next(iter(how)))
    there = _there(source)
    # as many as there are, though fewer may be asked for
    most = max((levels, *(level + 1 for level in there)))
    by_level = factors(base.voxel_size, base.roi.shape, most, by_image=by_image)
    _forget_others(there, by_level)
    for level, factor in enumerate(by_level[: levels - 1], start=1):
        refuse_others(source.container, [f"{name}/{level}" for name in how])
        _forget_what_is_gone(source, how, level)
        step = _step(
            source, how, level, factor, _create(source.container, how, level, factor, base)
        )
        prepare(step)
        # anew, if it was forgotten
        _create(source.container, how, level, factor, base)
        yield run(step, workers=workers, title=f"{title} level {level}".strip())
        for name in how:
            announce_level(source.container, name, level)


class LevelJob(Job):
    """A level of each of several arrays, from their level 0; see `LevelFunction`.

    arrays: level -> (array, how it is made coarser); factor: voxels of level 0 in one, along each
            axis
    """

    made_from: Annotated[str, Wording("level 0 was made anew")]
    sources: tuple[OwnArray, ...]
    arrays: dict[str, tuple[str, How]]
    factor: Factor

    def open(self, container: Path, worker: int) -> LevelFunction:
        """Ready to be called."""
        return LevelFunction(self, container)


class LevelFunction:
    """A level of each of several arrays, from their level 0."""

    def __init__(self, job: LevelJob, container: Path) -> None:
        bases = {source.name: source.open(container) for source in job.sources}
        self.parts = [
            _Part(level, bases[name], open_array(container, level), job.factor, how)
            for level, (name, how) in job.arrays.items()
        ]

    def read(self, block: Block) -> dict[str, NDArray[Any]]:
        """What the block holds, made coarser as it is read, so that level 0 is never in memory as a
        whole."""
        return {part.name: part.read(block.write) for part in self.parts}

    def compute(self, block: Block, source: dict[str, NDArray[Any]]) -> Output:
        """It is done by then."""
        return Output(source)


@dataclass(frozen=True)
class _Part:
    name: str
    base: Array
    level: Array
    factor: Factor
    how: How

    @cached_property
    def scaled(self) -> ScaledSource:
        """Level 0, read as the level is to be."""
        factor = self.base.layout.on_disk(self.factor, channel=1)
        return ScaledSource(self.base.source, Scaling(factor, (0,) * len(factor), self.how))

    def read(self, roi: Roi) -> NDArray[Any]:
        """What the level is to hold in `roi`."""
        return self.scaled.read(self.level.layout.slices(roi))


def _there(source: Step) -> dict[int, Step]:
    """The levels that are begun, by their number."""
    names = {_name(source, level): level for level in range(1, _MOST)}
    return {names[step.name]: step for step in steps_of(source.container) if step.name in names}


def _forget_others(there: Mapping[int, Step], by_level: Sequence[Factor]) -> None:
    """Levels of other voxels than they are made of now are made again, or are no more."""
    for level, step in there.items():
        wanted = list(by_level[level - 1]) if level <= len(by_level) else None
        if step.job.fingerprint().get("factor") != wanted:
            forget(step)


def _forget_what_is_gone(source: Step, how: Mapping[str, How], level: int) -> None:
    """A level that somebody deleted is made again."""
    folder = step_folder(source.container, _name(source, level))
    if (folder / "step.json").exists() and not all(
        has_array(source.container, f"{name}/{level}") for name in how
    ):
        forget(load_step(folder))


def _name(source: Step, level: int) -> str:
    return f"{source.name}-level{level}"


def _create(
    container: Path, how: Mapping[str, How], level: int, factor: Factor, base: Array
) -> Roi:
    """Makes the arrays of a level, if they are not there; returns what they cover, in their
    voxels."""
    shape = [-(-n // f) for n, f in zip(base.roi.shape, factor, strict=True)]
    chunks = chunk_shape(_block(shape))
    made = [create_level(container, name, level, factor=factor, chunks=chunks) for name in how]
    return made[0].roi


def _step(source: Step, how: Mapping[str, How], level: int, factor: Factor, roi: Roi) -> Step:
    arrays = {f"{name}/{level}": (name, of) for name, of in how.items()}
    sources = tuple(OwnArray.of(source.container, name) for name in how)
    job = LevelJob(made_from=source.digest, sources=sources, arrays=arrays, factor=factor)
    none = (0,) * roi.dims
    grid = tile(roi, _block(roi.shape), step=(1,) * roi.dims, context=(none, none))
    return Step(_name(source, level), source.container, grid, job, arrays=tuple(arrays))


def _block(shape: Sequence[int]) -> Coordinate:
    return Coordinate(min(n, _BLOCK[len(shape)]) for n in shape)


def _is_plain(container: Path, name: str, levels: int) -> bool:
    plain = containers.find_array(container, name) == name
    if plain and levels > 1:
        log.warning("%s:%s is of an earlier version, which has no room for levels", container, name)
    return plain
