"""Objects of affinities that may say the same of a pair of voxels from both of its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.step import Step
from lsd.segmentation.decoders.affinities import affinity_head, head_offsets
from lsd.segmentation.decoders.decoder import DecoderKind, PredictedValues
from lsd.segmentation.kernels.both_ends import highest, merged, once_each
from lsd.segmentation.kernels.prediction import Channels, Heads, Segmentations
from lsd.segmentation.on_disk.results import Results
from lsd.segmentation.over_blocks.both_ends import BothEnds, ForegroundMask
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.over_blocks.running import Running
from lsd.spec import Instance, MutexWatershed, Segment, Watershed
from lsd.spec.kinds import behaviour
from lsd.volumes.inputs import VolumeInput


class InstanceDecoder(DecoderKind):
    """By `spec.Instance`: the mean of both opinions on each pair of voxels is given to a decoder of
    affinities, within the foreground.

    joins: that decoder, whose steps and arrays are those of this one
    """

    spec: Instance
    reads_affinities = True
    asks_seen = True

    def __init__(self, spec: Instance) -> None:
        super().__init__(spec)
        kinds = {"mutex": MutexWatershed(), "watershed": Watershed()}
        self.joins: DecoderKind = behaviour(kinds[spec.by])
        self.has_thresholds, self.takes = self.joins.has_thresholds, self.joins.takes
        self.has_region_graph = self.joins.has_region_graph
        self.pieces, self.first_step = self.joins.pieces, self.joins.first_step

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """Affinities, and the head that says where objects are, where there is one."""
        foreground = self.spec.foreground
        return (settings.affinities, *(() if foreground is None else (foreground,)))

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """A foreground that is not one channel, or no far affinities for the mutex watershed."""
        foreground = self.spec.foreground
        if foreground is not None and channels[foreground].of_itself is None:
            return (
                f"segment.decoder.foreground names head {foreground!r}, which has "
                f"{channels[foreground].count} channels, and none for the offset 0; name one of a "
                f"single channel, or none"
            )
        offsets = [offset for each in channels.values() for offset in each.neighborhood or ()]
        if self.spec.by == "watershed" or any(sum(map(abs, offset)) > 1 for offset in offsets):
            return None
        return (
            "segment.decoder.by='mutex' wants far affinities, to repel, and those of the head are "
            "of the nearest voxels alone; take segment.decoder.by=watershed, or a larger kernel"
        )

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Segmentations:
        """What the other decoder makes of it."""
        given, inside = self._given(heads, settings)
        if mask is not None:
            inside &= np.asarray(mask) != 0
        return self.joins.decode(given, settings, mask=inside, first_section=first_section)

    def first(self, inputs: Inputs, container: Path) -> Step:
        """That of the other decoder."""
        return self.joins.first(self._inputs(inputs), container)

    def write(self, inputs: Inputs, running: Running, thresholds: Sequence[float]) -> int:
        """By the steps of the other decoder."""
        return self.joins.write(self._inputs(inputs), running, thresholds)

    def results(self, inputs: Inputs, container: Path) -> Results:
        """Those of the other decoder."""
        return self.joins.results(self._inputs(inputs), container)

    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """The heads as they are on disk."""
        affinities = BothEnds.model_validate(record["affinities"])
        heads = {settings.affinities: HeadInput(affinities.on_disk, affinities.offsets)}
        if self.spec.foreground is not None:
            mask = ForegroundMask.model_validate(record["mask"])
            heads[self.spec.foreground] = HeadInput(mask.source, None, mask.occupancy)
        return heads

    def array_name(self, threshold: float | None) -> str:
        """Where the other decoder writes it."""
        return self.joins.array_name(threshold)

    def strength(self, heads: Heads, settings: Segment) -> NDArray[np.float32]:
        """As of the other decoder, within the foreground."""
        given, inside = self._given(heads, settings)
        return self.joins.strength(given, settings) * inside

    def why_nothing(self, values: PredictedValues, settings: Segment) -> str:
        """No foreground, or the reason of the other decoder."""
        if values.strongest > 0:
            return self.joins.why_nothing(values, settings)
        return (
            f"nothing has a foreground of segment.decoder.inside={self.spec.inside:g} or more and "
            f"affinities above 0; lower it, or train longer"
        )

    def _given(self, heads: Heads, settings: Segment) -> tuple[Heads, NDArray[np.bool_]]:
        """What the other decoder is given: one affinity for each pair of voxels, and where there is
        an object, by the head that says so, or by the highest affinity."""
        affs = affinity_head(heads, settings)
        offsets, once = head_offsets(affs), once_each(head_offsets(affs))
        values = merged(affs.values, offsets, seen=affs.seen)
        affinities = replace(affs, values=values, neighborhood=once)
        if self.spec.foreground is None:
            foreground = highest(affinities.values, once)
        else:
            head = heads[self.spec.foreground]
            channel = head.channels.of_itself
            assert channel is not None, "the head fits"
            foreground = head.scaled(channel)
        return {settings.affinities: affinities}, foreground >= self.spec.inside

    def _inputs(self, inputs: Inputs) -> Inputs:
        """The same on disk: merged affinities, and the foreground as a mask."""
        name = inputs.settings.affinities
        head = inputs.heads[name]
        assert head.neighborhood is not None, "they are affinities"
        affinities = BothEnds.of(head.array, head.neighborhood, images=inputs.images)
        foreground = self.spec.foreground
        source = affinities if foreground is None else inputs.heads[foreground].array
        assert inputs.mask is None or isinstance(inputs.mask, VolumeInput), "of the volume"
        occupancy = None if foreground is None else inputs.heads[foreground].occupancy
        mask = ForegroundMask(
            source=source, inside=self.spec.inside, known=inputs.mask, occupancy=occupancy
        )
        heads = {name: HeadInput(affinities, once_each(head.neighborhood))}
        return replace(inputs, heads=heads, mask=mask)
