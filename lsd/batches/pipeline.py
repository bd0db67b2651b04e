"""Batches for training: batch i is a function of (seed, i), whatever the number of workers.

    source (a volume) - location -+
    source (a volume) - location -+- choice - geometry - intensity ... boundary - heads - scale,
    stack

The nodes are gunpowder's, run with voxel size 1; see lsd/batches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, assert_never

import gunpowder as gp
import numpy as np
from funlib.geometry import Coordinate, Roi
from gunpowder import BatchRequestError, PipelineRequestError
from numpy.typing import NDArray

from lsd import spec
from lsd.batches import keys
from lsd.batches.augmentations.contrast import Contrast
from lsd.batches.augmentations.defects import Defects
from lsd.batches.augmentations.deform import Deform
from lsd.batches.augmentations.grow_boundary import GrowBoundary
from lsd.batches.augmentations.intensity import Intensity
from lsd.batches.augmentations.noise import Noise
from lsd.batches.augmentations.simple import Simple
from lsd.batches.augmentations.warp import Geometric, groups
from lsd.batches.heads import Heads, extras
from lsd.batches.keys import KNOWN, LABELS, RAW, At
from lsd.batches.sources.choice import Choice
from lsd.batches.sources.location import Location, truth
from lsd.batches.sources.places import Places
from lsd.batches.sources.reject import Reject
from lsd.batches.sources.remembered import Memory, budget, remember, warn_of_large
from lsd.batches.sources.source import Source
from lsd.batches.unit import Unit
from lsd.batches.workers import Workers
from lsd.spec import paths
from lsd.system.memory import available
from lsd.volumes.intensity import signed
from lsd.volumes.plausible import check_raw
from lsd.volumes.units import agree
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Batch:
    """What one iteration learns from; (b, c, z, y, x), in 2D without z.

    raw:     float32 (b, 1, ...) in [-1, 1]
    targets: by head, float32 (b, c, ...);  weights: of the same shape, 1 where the target is
             known, else 0
    labels:  uint64 (b, 1, ...) at the output, as the targets were computed from them
    known:   bool (b, 1, ...) at the output, where the label is known
    voxel_size: nm, one for each of z y x, or of y x
    """

    index: int
    raw: NDArray[np.float32]
    targets: Arrays
    weights: Arrays
    labels: NDArray[np.uint64]
    known: NDArray[np.bool_]
    voxel_size: tuple[float, ...]


@dataclass(frozen=True)
class Recipe:
    """What all batches of a stage follow from, sent to the workers.  Shapes have as many axes as
    the network.

    places: by volume, where its samples may lie; None where almost anywhere.  Not there: it is to
            be found out
    memory: bytes of chunks that a process keeps.  None: as many as is sensible here
    """

    config: spec.Config
    stage: str
    raw_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    places: Mapping[str, Places | None] | None = None
    memory: int | None = None

    @property
    def dims(self) -> int:
        """2 or 3."""
        return len(self.output_shape)

    @property
    def heads(self) -> dict[str, spec.Head]:
        """The heads to be trained."""
        (stage,) = (stage for stage in self.config.variant.stages if stage.name == self.stage)
        return stage.heads

    def section(self, shape: Sequence[int]) -> Coordinate:
        """A shape with z, of one section in 2D."""
        return Coordinate((1,) * (3 - len(shape)) + tuple(shape))


class Batches:
    """Endless batches of a stage, from number `start` on; the same ones for any train.workers.

    raw_shape, output_shape: voxels that enter the cascade and leave the stage; two axes for 2D
                             networks, which are fed
    sections of 3D volumes.  A context manager: leaving it ends the workers.  stop: as of Workers.
    Raises ValueError for volumes that cannot be trained on.
    """

    def __init__(
        self,
        config: spec.Config,
        stage: str,
        raw_shape: Sequence[int],
        output_shape: Sequence[int],
        *,
        start: int = 0,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        recipe = Recipe(config, stage, tuple(raw_shape), tuple(output_shape))
        self._maker = Maker(recipe)
        _check_size(self._maker.volumes, recipe.section(raw_shape), config.train.small)
        found, count = (
            replace(recipe, places=self._maker.places, memory=self._maker.memory.size),
            config.train.workers,
        )
        made = Workers(Maker, found, count=count, start=start, stop=stop) if count else None
        self._workers: Workers[Batch] | None = made
        self._next = start

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Of all that is trained on, nm."""
        return tuple(float(size) for size in self._maker.voxel_size)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        batch = next(self._workers) if self._workers else self._maker(self._next)
        self._next += 1
        return batch

    def close(self) -> None:
        """Ends the workers."""
        if self._workers:
            self._workers.close()
        self._maker.close()

    def __enter__(self) -> Batches:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Maker:
    """Makes batch number i of a recipe in this process."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        opened = _open(recipe.config, extras(recipe.heads))
        self.memory = Memory(recipe.memory or _memory(opened, recipe.config.train.workers))
        self.volumes = [remember(volume, self.memory) for volume in opened]
        self.voxel_size = self.volumes[0].voxel_size
        locations = _locations(recipe, self.volumes)
        self.places = recipe.places or _look_at(self.volumes, locations)
        self._pipeline = build(recipe, self.volumes, locations)
        self._request = request(recipe)
        self._pipeline.setup()

    def __call__(self, index: int) -> Batch:
        """Batch `index`; sample j of it is a function of (seed, index, j)."""
        train = self.recipe.config.train
        samples = [
            self._sample(np.random.SeedSequence(train.seed, spawn_key=(index, j)))
            for j in range(train.batch_size)
        ]
        targets = {head: self._stack(samples, keys.target(head)) for head in self.recipe.heads}
        weights = {head: self._stack(samples, keys.weight(head)) for head in self.recipe.heads}
        return Batch(
            index=index,
            raw=signed(self._stack(samples, RAW))[:, None],
            targets=targets,
            weights=weights,
            labels=self._stack(samples, LABELS)[:, None],
            known=self._stack(samples, KNOWN).astype(np.bool_, copy=False)[:, None],
            voxel_size=tuple(float(size) for size in self.voxel_size[-self.recipe.dims :]),
        )

    def close(self) -> None:
        """Takes the pipeline apart."""
        self._pipeline.internal_teardown()

    def _sample(self, seed: np.random.SeedSequence) -> gp.Batch:
        wanted = gp.BatchRequest(
            self._request.array_specs, random_seed=int(seed.generate_state(1)[0])
        )
        try:
            return self._pipeline.request_batch(wanted)
        except (PipelineRequestError, BatchRequestError) as error:
            raise _cause(error) from None

    def _stack(self, samples: Sequence[gp.Batch], key: gp.ArrayKey) -> NDArray[Any]:
        """Data of all samples (b, ...), for 2D networks without z."""
        data = [
            sample[key].data.squeeze(-3) if self.recipe.dims == 2 else sample[key].data
            for sample in samples
        ]
        return (
            np.stack(data) if len(data) > 1 else np.ascontiguousarray(data[0])[None]
        )  # spares a copy


def request(recipe: Recipe) -> gp.BatchRequest:
    """What one sample consists of: raw, and at the output in its middle labels, where they are
    known, targets and weights."""
    raw, output = recipe.section(recipe.raw_shape), recipe.section(recipe.output_shape)
    inside = Roi((raw - output) / 2, output)
    wanted = gp.BatchRequest({RAW: At(Roi((0, 0, 0), raw))})
    wanted[LABELS], wanted[KNOWN] = At(inside), At(inside)
    for head in recipe.heads:
        for key in (keys.target(head), keys.weight(head)):
            wanted[key] = At(inside)
    return wanted


def build(
    recipe: Recipe, volumes: Sequence[OpenVolume], locations: Sequence[Location]
) -> gp.Pipeline:
    """The nodes of a recipe, chained but not set up."""
    sources = tuple(
        Source(volume, extras=extras(recipe.heads)) + location
        for volume, location in zip(volumes, locations, strict=True)
    )
    pipeline = sources + Choice([volume.spec.weight for volume in volumes])
    for node in _augment(recipe, volumes[0].voxel_size):
        pipeline += node
    return pipeline + Heads(recipe.heads, voxel_size=volumes[0].voxel_size, dims=recipe.dims)


def _locations(recipe: Recipe, volumes: Sequence[OpenVolume]) -> list[Location]:
    output, least, places = (
        recipe.section(recipe.output_shape),
        recipe.config.train.min_masked,
        recipe.places or {},
    )
    return [
        Location(volume, output=output, min_masked=least, places=places.get(volume.name))
        for volume in volumes
    ]


def _augment(recipe: Recipe, voxel_size: Sequence[float]) -> list[gp.BatchFilter]:
    """The augmentations in the order of the dataset; raw is scaled before the first that computes
    with it."""
    runs = groups(recipe.config.dataset.augment)
    nodes = [_nodes(run, voxel_size, flat=recipe.dims == 2) for run in runs]
    last = max(
        (place for place, run in enumerate(runs) if isinstance(run[0], Geometric)), default=None
    )
    if last is not None:
        check = Reject(
            output=recipe.section(recipe.output_shape), min_masked=recipe.config.train.min_masked
        )
        nodes[last].append(check)
    first = next(
        (place for place, run in enumerate(runs) if not isinstance(run[0], Geometric)), len(runs)
    )
    return [node for group in (*nodes[:first], [Unit()], *nodes[first:]) for node in group]


def _open(config: spec.Config, arrays: Sequence[str]) -> list[OpenVolume]:
    """The training volumes, each with something to learn from and with these further arrays."""
    root = paths.data_root(config)
    volumes = [
        open_volume(volume, name=name, data_root=root)
        for name, volume in config.dataset.part("train").items()
    ]
    if not volumes:
        raise ValueError("dataset.train is empty; name at least one volume with labels to train on")
    for volume in volumes:
        if volume.roi.dims != 3:
            raise ValueError(
                f"training volume {volume.name!r} has {volume.roi.dims} axes, wanted: z, y and x; "
                f"store a plane as one "
                "section, (1, y, x)"
            )
        truth(volume)
        for name in arrays:
            volume.read_array(name, Roi(volume.roi.begin, (1, 1, 1)))  # says so where there is none
        if not agree(volume.voxel_size, volumes[0].voxel_size):
            raise ValueError(
                f"training volumes {volumes[0].name!r} and {volume.name!r} have voxel sizes "
                f"{volumes[0].voxel_size} and "
                f"{volume.voxel_size} nm; a network learns one: train on volumes of one voxel size"
            )
    return volumes


def _memory(volumes: Sequence[OpenVolume], workers: int) -> int:
    """Bytes of chunks that each process keeps; says so where large chunks need more than there
    is."""
    size = budget(volumes, processes=workers + 1, free=available())
    warn_of_large(volumes, size)
    return size


def _look_at(
    volumes: Sequence[OpenVolume], locations: Sequence[Location]
) -> dict[str, Places | None]:
    """Where samples may lie, by volume.  Raises ValueError for raw or truth that nothing can be
    learnt from."""
    for volume in volumes:
        check_raw(volume)
    return {location.volume.name: location.scout() for location in locations}


def _check_size(
    volumes: Sequence[OpenVolume], wanted: Coordinate, small: Literal["pad", "refuse"]
) -> None:
    """Says which volumes have less raw than a sample; raises ValueError for the first of them where
    they are refused."""
    for volume in volumes:
        if any(has < needs for has, needs in zip(volume.raw.roi.shape, wanted, strict=True)):
            there, needed = ("x".join(map(str, shape)) for shape in (volume.raw.roi.shape, wanted))
            what = (
                f"training volume {volume.name!r} has raw of {there} voxels, a sample takes "
                f"{needed}"
            )
            if small == "refuse":
                raise ValueError(
                    f"{what}; take a smaller network.train_shape, or continue raw by reflection, "
                    f"train.small=pad"
                )
            log.warning(
                "%s: what lies beyond is its reflection; a smaller network.train_shape needs less "
                "of it",
                what,
            )


def _nodes(
    run: Sequence[spec.Augmentation], voxel_size: Sequence[float], *, flat: bool
) -> list[gp.BatchFilter]:
    """Nodes of a run of groups()."""
    geometric = [step for step in run if isinstance(step, Geometric)]
    if any(isinstance(step, spec.Elastic) for step in geometric):
        return [Deform(geometric, voxel_size=voxel_size, flat=flat)]
    return [_node(step, voxel_size, flat=flat) for step in run]


def _node(
    augmentation: spec.Augmentation, voxel_size: Sequence[float], *, flat: bool
) -> gp.BatchFilter:
    match augmentation:
        case spec.Simple():
            return Simple(augmentation, voxel_size=voxel_size, flat=flat)
        case spec.Contrast():
            return Contrast(augmentation)
        case spec.Intensity():
            return Intensity(augmentation)
        case spec.Noise():
            return Noise(augmentation)
        case spec.Defects():
            return Defects(augmentation)
        case spec.GrowBoundary():
            return GrowBoundary(augmentation)
        case spec.Elastic():
            return Deform([augmentation], voxel_size=voxel_size, flat=flat)
        case _:
            assert_never(augmentation)


def _cause(error: BaseException) -> BaseException:
    """What a node raised; gunpowder wraps it once a node."""
    while (
        isinstance(error, (PipelineRequestError, BatchRequestError))
        and error.__context__ is not None
    ):
        error = error.__context__
    return error
