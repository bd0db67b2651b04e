"""What all batches of a stage follow from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from funlib.geometry import Coordinate

from lsd import spec
from lsd.batches.sources.location import Places


@dataclass(frozen=True)
class Recipe:
    """What all batches of a stage follow from, sent to the workers.  Shapes have as many axes as
    the network.

    places: by volume, where its samples may lie, None: almost anywhere; without it, each process
            looks for itself
    memory: bytes of chunks that a process keeps.  None: as many as is sensible on this machine
    samples: numbers of the samples that are made of each batch.  None: all
    processes: how many like this one, each with its workers, share the memory of this machine
    """

    config: spec.Config
    stage: str
    raw_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    places: Mapping[str, Places | None] | None = None
    memory: int | None = None
    samples: range | None = None
    processes: int = 1

    @property
    def numbers(self) -> range:
        """Of the samples that are made of each batch."""
        return range(self.config.train.batch_size) if self.samples is None else self.samples

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
