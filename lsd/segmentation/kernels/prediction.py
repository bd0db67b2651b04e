"""What a network predicted, and what a decoder made of it, as arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.lookup import components, relabel
from lsd.segmentation.kernels.nearest import as_probabilities
from lsd.spec import Target

Offsets = tuple[tuple[int, ...], ...]


class Learned(NamedTuple):
    """What a head learned; dims: axes of its network, which sees section by section where they are
    fewer than those of the volume."""

    target: Target
    dims: int


@dataclass(frozen=True)
class Channels:
    """What the channels of a head are about.

    count:        how many there are
    neighborhood: an offset in voxels for each of them, in the axes of the network; None: the head
                  holds no affinities
    occupancy:    the same of a head whose channels say whether the voxel at an offset is of an
                  object, whichever; None: it says no such thing
    names:        of the channels; empty: they have none
    learned:      what the head learned, where that is known
    """

    count: int
    neighborhood: Offsets | None = None
    occupancy: Offsets | None = None
    names: tuple[str, ...] = ()
    learned: Learned | None = None

    @property
    def of_itself(self) -> int | None:
        """The channel that says of a voxel whether it is of an object: that of the offset 0, or the
        only one; None where there is none."""
        return (
            (0 if self.count == 1 else None) if self.occupancy is None else centre(self.occupancy)
        )


def centre(offsets: Offsets | None) -> int | None:
    """The place of the offset 0; None where it is not among them."""
    return next((n for n, offset in enumerate(offsets or ()) if not any(offset)), None)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a head gave.

    values:       (c, z, y, x) as they are stored: floats in `range`, or uint8, whose 0..255 mean
                  that range; 2D drops z
    neighborhood: an offset in voxels for each channel, without z of a 2D network; None: the head
                  holds no affinities
    range:        that the values of the head's target lie in
    occupancy, names, learned: as of `Channels`
    voxel_size:   nm, one for each axis of the voxels; None: it is not known
    seen:         (z, y, x), of which voxels this was predicted, elsewhere values say nothing; None:
                  of all
    """

    values: NDArray[Any]
    neighborhood: Offsets | None = None
    range: tuple[float, float] = (0.0, 1.0)
    occupancy: Offsets | None = None
    names: tuple[str, ...] = ()
    voxel_size: tuple[float, ...] | None = None
    learned: Learned | None = None
    seen: NDArray[np.bool_] | None = None

    @classmethod
    def of(
        cls,
        values: NDArray[Any],
        channels: Channels,
        *,
        limits: tuple[float, float],
        voxel_size: tuple[float, ...] | None,
    ) -> Prediction:
        """Of a head with these channels; limits: its range."""
        return cls(
            values,
            channels.neighborhood,
            limits,
            channels.occupancy,
            channels.names,
            voxel_size,
            channels.learned,
        )

    @property
    def channels(self) -> Channels:
        """What its channels are about."""
        count = len(self.values)
        return Channels(count, self.neighborhood, self.occupancy, self.names, self.learned)

    @property
    def predicted(self) -> NDArray[np.float32]:
        """What the head gave, in the range of its target, float32 (c, z, y, x)."""
        low, high = self.range
        if self.values.dtype != np.uint8:
            return np.asarray(self.values, np.float32)
        return np.asarray(low + self.values * np.float32((high - low) / 255), np.float32)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The same, of a head in 0..1.  Raises ValueError for any other."""
        if self.range != (0, 1):
            low, high = self.range
            raise ValueError(f"the head lies in {low:g}..{high:g}; take `predicted`")
        return as_probabilities(self.values)

    def scaled(self, channel: int) -> NDArray[np.float32]:
        """A channel between 0, the lowest value of its range, and 1, the highest, float32 (z, y,
        x): of a head in 0..1 its probabilities, of -1..1 0.5 where it is 0."""
        low, high = self.range
        values = self.values[channel]
        if values.dtype == np.uint8 or self.range == (0, 1):
            return as_probabilities(values)
        return as_probabilities((values - np.float32(low)) / np.float32(high - low))


def range_of(attributes: Mapping[str, Any]) -> tuple[float, float]:
    """The range of a predicted array, by its attributes; 0..1 where these say nothing."""
    record = attributes.get("prediction", {})
    low, high = record.get("values", (0, 1)) if isinstance(record, Mapping) else (0, 1)
    return float(low), float(high)


Heads = Mapping[str, Prediction]


class Segmentations(ABC):
    """What a decoder made of arrays: a segmentation at each threshold, or, of a decoder without
    thresholds, the same at each."""

    @abstractmethod
    def parts(self, thresholds: Sequence[float]) -> Iterator[tuple[Decoded, tuple[float, ...]]]:
        """Fragments and how they join, each with those of the thresholds that it is for: what is
        to be counted once for all of them."""

    @abstractmethod
    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, 0 where there is none."""


@dataclass(frozen=True, eq=False)
class Decoded(Segmentations):
    """Fragments (z, y, x) with ids 1..n, 0 where there is none; edges (m, 2) between them and their
    scores (m,).

    Where nothing is left to join, segments are the fragments, and there are no edges.
    """

    fragments: NDArray[np.uint64]
    edges: NDArray[np.uint64]
    scores: NDArray[np.float32]

    @classmethod
    def final(cls, segments: NDArray[np.uint64]) -> Decoded:
        """Segments that nothing joins any more."""
        return cls(segments, np.zeros((0, 2), np.uint64), np.zeros(0, np.float32))

    @property
    def nodes(self) -> NDArray[np.uint64]:
        """Ids of the fragments, with 0."""
        return np.arange(int(self.fragments.max(initial=0)) + 1, dtype=np.uint64)

    def table(self, threshold: float) -> NDArray[np.uint64]:
        """Segment of each of `nodes` where edges with score <= threshold join."""
        return components(self.nodes, self.edges, self.scores, threshold)

    def parts(self, thresholds: Sequence[float]) -> Iterator[tuple[Decoded, tuple[float, ...]]]:
        """The same fragments at all of them."""
        yield self, tuple(thresholds)

    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Segments (z, y, x), named by their smallest fragment."""
        return relabel(self.fragments, self.nodes, self.table(threshold))


@dataclass(frozen=True, eq=False)
class Thresholded(Segmentations):
    """A segmentation of its own at each threshold; segments_at: makes it, (z, y, x)."""

    segments_at: Callable[[float], NDArray[np.uint64]]

    def parts(self, thresholds: Sequence[float]) -> Iterator[tuple[Decoded, tuple[float, ...]]]:
        """One after another, since each takes the memory of a volume."""
        for threshold in sorted(set(thresholds)):
            yield Decoded.final(self.segmentation(threshold)), (threshold,)

    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Made when it is asked for."""
        return self.segments_at(threshold)
