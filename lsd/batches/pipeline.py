"""Batches for training: batch i is a function of (seed, i), whatever the number of workers.

    source (a volume) - location -+
    source (a volume) - location -+- choice - geometry - intensity ... boundary - heads - scale,
    stack

The nodes are gunpowder's, run with voxel size 1; see lsd/batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import gunpowder as gp
import numpy as np
from funlib.geometry import Roi
from gunpowder import BatchRequestError, PipelineRequestError
from numpy.typing import NDArray

from lsd import spec
from lsd.arrays.memory import Memory
from lsd.batches import keys
from lsd.batches.augmentations.chain import augmenting
from lsd.batches.heads import HeadTargets, extras
from lsd.batches.keys import KNOWN, LABELS, RAW, At
from lsd.batches.recipe import Recipe
from lsd.batches.sources.choice import Choice
from lsd.batches.sources.chunk_memory import with_memory
from lsd.batches.sources.image_places import least_known
from lsd.batches.sources.location import Location
from lsd.batches.sources.source import VolumeSource
from lsd.batches.volumes import check_size, chunk_memory, find_places, open_training
from lsd.batches.workers import BatchWorkers
from lsd.spec.paths import data_root
from lsd.volumes.intensity import signed
from lsd.volumes.volume import OpenVolume

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


class Batches:
    """Endless batches of a stage, from number `start` on; the same ones for any train.workers.

    raw_shape, output_shape: voxels that enter the cascade and leave the stage; two axes for 2D
                             networks, which are fed
    sections of 3D volumes.  A context manager: leaving it ends the workers.  stop: as of Workers.
    samples, processes: as of Recipe; sample j of batch i is the same whoever makes it.
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
        samples: range | None = None,
        processes: int = 1,
    ) -> None:
        recipe = Recipe(
            config,
            stage,
            tuple(raw_shape),
            tuple(output_shape),
            samples=samples,
            processes=processes,
        )
        self._maker = Maker(recipe)
        check_size(self._maker.volumes, recipe.section(raw_shape), config.train.small)
        self._workers: BatchWorkers[Batch] | None = None
        if config.train.workers:
            # what this process found out of the volumes need not be found out again
            known = replace(recipe, places=self._maker.places, memory=self._maker.memory.size)
            count = config.train.workers
            self._workers = BatchWorkers(Maker, known, count=count, start=start, stop=stop)
        self._next = start

    @property
    def voxel_size(self) -> tuple[float, ...] | None:
        """Voxel size of all training volumes, nm; None where they have none."""
        if not all(volume.calibrated for volume in self._maker.volumes):
            return None
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
        opened = open_training(
            recipe.config.dataset,
            data_root=data_root(recipe.config),
            heads=recipe.heads,
            dims=recipe.dims,
        )
        processes = recipe.processes * (1 + recipe.config.train.workers)
        self.memory = Memory(recipe.memory or chunk_memory(opened, processes))
        self.volumes = [with_memory(volume, self.memory) for volume in opened]
        self.voxel_size = self.volumes[0].voxel_size
        locations = _locations(recipe, self.volumes)
        self.places = recipe.places or find_places(self.volumes, locations)
        self._pipeline = build_pipeline(recipe, self.volumes, locations)
        self._request = sample_request(recipe)
        self._pipeline.setup()

    def __call__(self, index: int) -> Batch:
        """Batch `index`; sample j of it is a function of (seed, index, j)."""
        train = self.recipe.config.train
        samples = [
            self._sample(np.random.SeedSequence(train.seed, spawn_key=(index, j)))
            for j in self.recipe.numbers
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
        """Ends the pipeline's nodes."""
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


def sample_request(recipe: Recipe) -> gp.BatchRequest:
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


def build_pipeline(
    recipe: Recipe, volumes: Sequence[OpenVolume], locations: Sequence[Location]
) -> gp.Pipeline:
    """The nodes of a recipe, chained but not set up."""
    sources = tuple(
        VolumeSource(volume, extras=extras(recipe.heads)) + location
        for volume, location in zip(volumes, locations, strict=True)
    )
    pipeline = sources + Choice([volume.spec.weight for volume in volumes])
    for node in augmenting(
        recipe.config.dataset.augment,
        voxel_size=volumes[0].voxel_size,
        output=recipe.section(recipe.output_shape),
        min_masked=least_known(
            volumes, recipe.section(recipe.output_shape), recipe.config.train.min_masked
        ),
        flat=recipe.dims == 2,
    ):
        pipeline += node
    return pipeline + HeadTargets(recipe.heads, voxel_size=volumes[0].voxel_size, dims=recipe.dims)


def _locations(recipe: Recipe, volumes: Sequence[OpenVolume]) -> list[Location]:
    train, places = recipe.config.train, recipe.places or {}
    return [
        Location(
            volume,
            output=recipe.section(recipe.output_shape),
            min_masked=train.min_masked,
            places=places.get(volume.name),
            sampling=train.sampling,
        )
        for volume in volumes
    ]


def _cause(error: BaseException) -> BaseException:
    """What a node raised; gunpowder wraps it once a node."""
    while (
        isinstance(error, (PipelineRequestError, BatchRequestError))
        and error.__context__ is not None
    ):
        error = error.__context__
    return error
