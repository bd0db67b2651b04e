"""Mutex watershed, which takes a volume whole: its segments are final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block
from lsd.blockwise.on_disk.job import Version
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.segmentation.decoders.affinities import (
    affinity_fields,
    affinity_head,
    head_offsets,
    recorded_affinities,
)
from lsd.segmentation.decoders.affinities import why_nothing as why_no_affinities
from lsd.segmentation.decoders.decoder import DecoderKind, PredictedValues
from lsd.segmentation.kernels.nearest import as_probabilities
from lsd.segmentation.kernels.prediction import Decoded, Heads, Prediction
from lsd.segmentation.kernels.sections import fragments_of_images
from lsd.segmentation.mutex import mutex
from lsd.segmentation.on_disk.results import (
    FinalResults,
    Results,
    highest_id,
    in_config_words,
    refuse,
    whole_step,
)
from lsd.segmentation.over_blocks.edges import OnAffinities
from lsd.segmentation.over_blocks.fragments import Alone, Source
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs, MaskInput, open_mask
from lsd.segmentation.over_blocks.running import Running
from lsd.spec import Mutex, Segment
from lsd.spec.plurals import counted
from lsd.volumes.array import open_array, text

ARRAY = "segmentation/mutex"
_AFFS = "affs"


class MutexDecoder(DecoderKind):
    """By the settings of `Segment.mutex`."""

    reads_affinities = True
    takes = ("affinities", "mutex")
    first_step = "mutex"

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """Affinities."""
        return (settings.affinities,)

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Decoded:
        """Its segments."""
        affs = affinity_head(heads, settings)
        options = settings.mutex.model_dump()
        return Decoded.final(mutex(affs.values, head_offsets(affs), mask=mask, **options))

    def first(self, inputs: Inputs, container: Path) -> Step:
        """Segments, of one block that is the whole volume."""
        job = MutexJob(
            **affinity_fields(inputs),
            settings=inputs.settings.mutex,
            mask=inputs.mask,
            alone=inputs.images is not None,
        )
        return Step("mutex", container, inputs.one_block(), job, arrays=(ARRAY,))

    def write(self, inputs: Inputs, running: Running, thresholds: Sequence[float]) -> int:
        """Its one step."""
        step = running.step(self.first(inputs, running.container))
        running.levels(step)
        count = highest_id(open_array(running.container, ARRAY))
        running.say(f"{counted(count, 'segment')} in {text(inputs.roi)}")
        return count

    def results(self, inputs: Inputs, container: Path) -> Results:
        """The segmentation."""
        step = whole_step(step_folder(container, self.first_step))
        differences = self.first(inputs, container).differs(step)
        refuse(container, in_config_words(differences, settings="mutex"))
        return FinalResults(open_array(container, ARRAY), step.digest)

    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """The affinities."""
        return {settings.affinities: recorded_affinities(record)}

    def strength(self, heads: Heads, settings: Segment) -> NDArray[np.float32]:
        """The highest affinity, which is the first to join."""
        return np.asarray(as_probabilities(affinity_head(heads, settings).values).max(axis=0))

    def why_nothing(self, values: PredictedValues, settings: Segment) -> str:
        """Nothing joins."""
        cause, lie = why_no_affinities(values)
        attract = 0.5 - max(settings.mutex.bias)
        return cause or (
            f"{lie}, and those that join are above {attract:.3g} (0.5 - segment.mutex.bias), or "
            f"segments are too small"
        )


class MutexJob(OnAffinities):
    """The segmentation of the mutex decoder; see `MutexFunction`."""

    version: Version = 3
    settings: Mutex
    mask: MaskInput | None = None
    alone: Alone = False

    def open(self, container: Path, worker: int) -> MutexFunction:
        """Ready to be called."""
        return MutexFunction(self)


class MutexFunction:
    """Segments of the one block that the whole volume is."""

    def __init__(self, job: MutexJob) -> None:
        self.affs, self.neighborhood = job.affinities.open(), job.neighborhood
        self.settings, self.mask = job.settings, open_mask(job.mask, self.affs)

    def read(self, block: Block) -> Source:
        """All affinities, and the mask."""
        source: Source = {"affs": self.affs.read(block.write)}
        if self.mask is not None:
            source["mask"] = self.mask.read_known(block.write)
        return source

    def compute(self, block: Block, source: Source) -> Output:
        """They are final."""
        affs, mask = Prediction(source["affs"]), source.get("mask")
        if self.mask is None or self.mask.image_sizes is None:
            return Output({ARRAY: self._segments({_AFFS: affs}, mask)})
        images = self.mask.images_in(block.write)
        segments = fragments_of_images(
            self._segments, {_AFFS: affs}, mask=mask, first_section=0, images=images
        )
        return Output({ARRAY: segments})

    def _segments(
        self, heads: Heads, mask: NDArray[np.bool_] | None, _: int = 0
    ) -> NDArray[np.uint64]:
        """Of a volume, or of an image."""
        options = self.settings.model_dump()
        return mutex(heads[_AFFS].values, self.neighborhood, mask=mask, **options)
