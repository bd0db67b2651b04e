"""What a kind of decoder offers: everything else asks it, and never which decoder it is.

    DecoderKind       its steps over blocks are its own
    GraphDecoder      fragments of each block, edges between them, tables (`decoders.graph`)
    ThresholdDecoder  where objects are, and objects at each threshold (`decoders.thresholds`)

The settings of the decoders of this package stand in `Segment` (its fragments, mutex, scoring ..),
those of others in their own specs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.step import Step
from lsd.segmentation.kernels.prediction import Channels, Heads, Segmentations
from lsd.segmentation.on_disk.results import Results
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.threshold import array_name, chosen
from lsd.spec import Config, Segment
from lsd.spec.kinds import behaviour


@dataclass(frozen=True)
class PredictedValues:
    """Which values a decoder finds in the predicted heads of a volume.

    low, high: of all that is predicted, in the range of its head
    strongest: the highest of `DecoderKind.strength` inside the mask
    dtype:     of the predictions
    """

    low: float
    high: float
    strongest: float
    dtype: np.dtype[Any]


class DecoderKind(ABC):
    """From predicted heads to a segmentation, of an array and over the blocks of a volume.

    has_thresholds: whether there is a segmentation for each threshold, and a best one to be picked.
                    Without, there is one
    has_foreground: whether its results say how surely each voxel is of a segment
    has_region_graph: whether its results hold fragments, and the edges that join them
    joins_least:    which of several thresholds gives the smaller segments
    reads_affinities: whether the head that segment.affinities names must hold affinities
    reads_occupancy: whether the heads that it reads must say of voxels around whether they are of
                    an object, see `Channels`
    asks_seen:      whether what it makes of a voxel goes by which of those around were predicted at
                    all, see `Prediction.seen`
    takes:          fields of config.segment that it takes its settings from, beside its own; None:
                    it may take any
    pieces:         what of a volume its first step makes, as messages call it
    first_step:     name of its first step on disk
    """

    has_thresholds: bool = False
    has_foreground: bool = False
    has_region_graph: bool = False
    joins_least: Literal["lowest", "highest"] = "lowest"
    reads_affinities: bool = False
    reads_occupancy: bool = False
    asks_seen: bool = False
    takes: tuple[str, ...] | None = None
    pieces: str = "segments"
    first_step: str

    def __init__(self, spec: Any) -> None:
        self.spec = spec

    @abstractmethod
    def reads(self, settings: Segment) -> tuple[str, ...]:
        """Names of the heads that it reads."""

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """What it wants of the heads that it reads and does not get, in a sentence with the way
        out; channels: of each of them, by name."""
        return None

    @abstractmethod
    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Segmentations:
        """What it makes of arrays, all at once.

        mask: (z, y, x), 0 where there are to be no segments; first_section: z of the first section
              in the world
        """

    def decode_image(
        self, heads: Heads, settings: Segment, *, mask: NDArray[Any] | None, first_section: int
    ) -> Segmentations:
        """What it makes of a section (1, y, x) that is an image of its own, or a part of one;
        arguments as of `decode`."""
        return self.decode(heads, settings, mask=mask, first_section=first_section)

    @abstractmethod
    def first(self, inputs: Inputs, container: Path) -> Step:
        """The step that all others are made from."""

    @abstractmethod
    def write(self, inputs: Inputs, running: Running, thresholds: Sequence[float]) -> int:
        """Runs its steps; returns how many `pieces` there are."""

    @abstractmethod
    def results(self, inputs: Inputs, container: Path) -> Results:
        """What it wrote.  Raises ValueError where that is not whole, or other than asked for."""

    @abstractmethod
    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """The heads that were read, by name, from the record of its first step's job."""

    def array_name(self, threshold: float | None) -> str:
        """Where in the container a segmentation is, at a threshold if it has any."""
        assert (threshold is not None) == self.has_thresholds, threshold
        return f"segmentation/{self.spec.kind}" if threshold is None else array_name(threshold)

    def strength(self, heads: Heads, settings: Segment) -> NDArray[np.float32]:
        """What decides whether a voxel is in a segment, (z, y, x) in 0..1, for `why_nothing`: the
        highest of all channels, each between the ends of its head's range."""
        scaled = (
            head.scaled(channel) for head in heads.values() for channel in range(len(head.values))
        )
        return reduce(np.maximum, scaled)

    def why_nothing(self, values: PredictedValues, settings: Segment) -> str:
        """Why nothing came out, in a few words with the way out; settings: with the thresholds that
        were used."""
        return (
            f"what was predicted lies in {values.low:.3g}..{values.high:.3g}; see segment.decoder"
        )


def decoder_of(settings: Segment) -> DecoderKind:
    """The decoder of the config."""
    decoder: DecoderKind = behaviour(settings.decoder)
    return decoder


def chosen_threshold(config: Config, asked: float | None, *, field: str) -> float | None:
    """The threshold that is asked for, else that which validation picked, else the only one; None
    of a decoder without thresholds.

    field: that asks for it.  Raises ValueError where there is none, and for one that the decoder
    would not read.
    """
    if decoder_of(config.segment).has_thresholds:
        return chosen(config, asked, field=field)
    refuse_unread(config.segment, asked, field=field)
    return None


def refuse_unread(settings: Segment, threshold: float | None, *, field: str) -> None:
    """Raises ValueError for a threshold that the decoder would not read."""
    if threshold is not None and not decoder_of(settings).has_thresholds:
        raise ValueError(
            f"segment.decoder {settings.decoder.kind!r} has no thresholds; leave {field} out, got "
            f"{threshold:g}"
        )
