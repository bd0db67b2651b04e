"""Where objects are, block by block: what thresholds are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.offsets import Slices
from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Job, Version
from lsd.blockwise.on_disk.output import Output
from lsd.segmentation.kernels.prediction import Heads, Learned, Offsets
from lsd.segmentation.over_blocks.inputs import HeadInput, learned_heads
from lsd.spec import Decoder
from lsd.spec.effect import Wording
from lsd.spec.kinds import behaviour
from lsd.volumes.inputs import ArrayInput, VolumeInput

FOREGROUND = "foreground"

Source = dict[str, NDArray[Any]]


class MakesMaps(Protocol):
    """Of a decoder what is done with a block; see `lsd.segmentation.decoders.thresholds`."""

    def checked_maps(
        self, heads: Heads, images: Sequence[Slices] | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """By name, (z, y, x) each, in 0..1."""


class ForegroundJob(Job):
    """What a `ThresholdDecoder` makes of each block; see `ForegroundFunction`.

    neighborhoods, occupancies, names: of the channels of each head; settings: the decoder's spec;
    images: the volume whose sections are images of their own; None: they are not
    learned: see `learned_heads`
    """

    version: Version = 1
    heads: dict[str, ArrayInput]
    neighborhoods: dict[str, Offsets | None]
    occupancies: dict[str, Offsets | None]
    names: dict[str, tuple[str, ...]]
    settings: Decoder
    # not written where there are none: jobs of before had no such field
    images: Annotated[
        VolumeInput | None,
        Wording("images were not looked at one by one"),
        Field(exclude_if=lambda images: images is None),
    ] = None
    learned: Annotated[
        dict[str, Learned],
        Wording("the decoder was not told all that is known of its heads"),
        Field(exclude_if=lambda learned: not learned),
    ] = {}

    @classmethod
    def of(
        cls, heads: dict[str, HeadInput], settings: Decoder, *, images: VolumeInput | None
    ) -> ForegroundJob:
        """From these heads."""
        return cls(
            heads={name: head.array for name, head in heads.items()},
            neighborhoods={name: head.neighborhood for name, head in heads.items()},
            occupancies={name: head.occupancy for name, head in heads.items()},
            names={name: head.names for name, head in heads.items()},
            settings=settings,
            images=images,
            learned=learned_heads(heads, settings),
        )

    def inputs(self) -> dict[str, HeadInput]:
        """The heads, by name."""
        return {
            name: HeadInput(
                array,
                self.neighborhoods[name],
                self.occupancies[name],
                self.names[name],
                self.learned.get(name),
            )
            for name, array in self.heads.items()
        }

    def open(self, container: Path, worker: int) -> ForegroundFunction:
        """Ready to be called."""
        return ForegroundFunction(self)


class ForegroundFunction:
    """The decoder's maps (*block.write.shape) of each block, float32."""

    def __init__(self, job: ForegroundJob) -> None:
        heads = job.inputs()
        self.arrays = {name: head.array.open() for name, head in heads.items()}
        self.described = {name: head.described(self.arrays[name]) for name, head in heads.items()}
        first = next(iter(self.arrays.values()))
        self.roi = first.roi
        self.volume = None if job.images is None else job.images.open().on_grid(first.remainder)
        self.decoder = cast(MakesMaps, behaviour(job.settings))

    def read(self, block: Block) -> Source:
        """Heads around the block, as far as the decoder looks."""
        roi = block.read.intersect(self.roi)
        return {name: array.read(roi) for name, array in self.arrays.items()}

    def compute(self, block: Block, source: Source) -> Output:
        """Only what lies in the block is kept."""
        heads = {name: described(source[name]) for name, described in self.described.items()}
        roi = block.read.intersect(self.roi)
        inside = tuple((block.write - roi.begin).to_slices())
        images = None if self.volume is None else self.volume.images_in(roi)
        maps = self.decoder.checked_maps(heads, images)
        return Output({name: np.ascontiguousarray(each[inside]) for name, each in maps.items()})
