"""Decoders whose fragments are the segments already, but for the faces of blocks that cut them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lsd.arrays.ids import ids
from lsd.blockwise.on_disk.job import Version
from lsd.blockwise.on_disk.step import Step
from lsd.segmentation.decoders.graph import GraphDecoder
from lsd.segmentation.kernels.prediction import Decoded, Heads, Learned, Offsets
from lsd.segmentation.on_disk.results import in_config_words
from lsd.segmentation.over_blocks.edges import EDGE, FacesJob
from lsd.segmentation.over_blocks.fragments import FRAGMENTS, UNCUT, FragmentsJob
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs, learned_heads
from lsd.segmentation.over_blocks.running import Running
from lsd.spec import Decoder as DecoderSpec
from lsd.spec import Segment
from lsd.spec.answering import title_at
from lsd.spec.code import is_outside
from lsd.spec.effect import Wording
from lsd.spec.kinds import behaviour
from lsd.volumes.inputs import ArrayInput

_UNTOLD = Wording("the decoder was not told all that is known of its heads")
_WHERE_ANY = Field(exclude_if=lambda of_heads: not of_heads)


class BlockDecoder(GraphDecoder):
    """A decoder that says which heads it reads, and what segments it makes of them as arrays.

    A volume's blocks are decoded each with segment.context around it.  Segments that a face cut,
    of which most of the contact was one by what the later block saw, are joined.
    """

    settings_field = "decoder"
    # for `reads`, which may name the head that holds the affinities
    takes = ("affinities",)

    @abstractmethod
    def segments(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """Segments (z, y, x) with ids 1..n, 0 where there is none.  What they follow from is in
        the spec and these arguments, and nowhere else: results on disk are made anew where one of
        them differs.

        heads: what `reads` names; mask: (z, y, x), where there may be segments, None: everywhere;
        first_section: z of the first section in the world
        """

    def segments_of_image(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """The same of a section (1, y, x) that is an image of its own, or a part of one."""
        return self.segments(heads, mask=mask, first_section=first_section)

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Decoded:
        """The segments of all."""
        known = None if mask is None else np.asarray(mask) != 0
        return Decoded.final(self.checked_segments(heads, mask=known, first_section=first_section))

    def decode_image(
        self, heads: Heads, settings: Segment, *, mask: NDArray[Any] | None, first_section: int
    ) -> Decoded:
        """Those of an image."""
        known = None if mask is None else np.asarray(mask) != 0
        segments = self.checked_segments(
            heads, mask=known, first_section=first_section, is_image=True
        )
        return Decoded.final(segments)

    def checked_segments(
        self,
        heads: Heads,
        *,
        mask: NDArray[np.bool_] | None,
        first_section: int,
        is_image: bool = False,
    ) -> NDArray[np.uint64]:
        """What `segments` gives, or `segments_of_image`, uint64.  Raises ValueError where that is
        no ids of voxels."""
        shape = next(iter(heads.values())).values.shape[1:]
        made = self.segments_of_image if is_image else self.segments
        segments = made(heads, mask=mask, first_section=first_section)
        title = title_at(self.spec, self, method="segments")
        if not isinstance(segments, np.ndarray) or segments.shape != shape:
            description = (
                f"shape {segments.shape}"
                if isinstance(segments, np.ndarray)
                else type(segments).__name__
            )
            raise ValueError(
                f"{title} gives segments of {description}; wanted: an array of "
                f"whole numbers of shape {shape}, that of the heads without channels"
            )
        return ids(segments, f"{title}, segments").astype(np.uint64, copy=False)

    def fragments_job(self, inputs: Inputs) -> FragmentsJob:
        """By the spec alone."""
        heads = inputs.heads
        told = heads if is_outside(self.spec) else {}
        return SegmentsOfBlocksJob(
            heads={name: head.array for name, head in heads.items()},
            neighborhoods={name: head.neighborhood for name, head in heads.items()},
            settings=self.spec,
            mask=inputs.mask,
            apart=inputs.apart,
            alone=inputs.images is not None,
            occupancies={name: head.occupancy for name, head in told.items() if head.occupancy},
            names={name: head.names for name, head in told.items() if head.names},
            learned=learned_heads(heads, self.spec),
        )

    def write_edges(self, inputs: Inputs, running: Running) -> Step:
        """Between what faces cut."""
        return running.step(self.faces(inputs, running.container))

    def faces(self, inputs: Inputs, container: Path) -> Step:
        """What faces cut; fragments are whole."""
        job = FacesJob(
            fragments=inputs.own(container, FRAGMENTS),
            uncut=inputs.own(container, UNCUT),
            made_from=self.first(inputs, container).digest,
        )
        grid = inputs.around((1,) * inputs.roi.dims)
        return Step("edges", container, grid, job, rows=EDGE)

    def other_inputs(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Edges follow from the fragments."""
        differences = self.faces(inputs, container).differs(edges)
        return in_config_words(differences, settings=self.settings_field)

    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """All that it read."""
        job = SegmentsOfBlocksJob.model_validate(record)
        return job.inputs()


class SegmentsOfBlocksJob(FragmentsJob):
    """What a `BlockDecoder` makes of each block; settings: its spec.

    occupancies, names, learned: of heads that have them, for a decoder of one's own, which may go
                                 by them; those of this package go by what they read
    """

    version: Version = 1
    heads: dict[str, ArrayInput]
    neighborhoods: dict[str, Offsets | None]
    settings: DecoderSpec
    # not written where there are none: jobs of before had no such fields
    occupancies: Annotated[dict[str, Offsets], _UNTOLD, _WHERE_ANY] = {}
    names: Annotated[dict[str, tuple[str, ...]], _UNTOLD, _WHERE_ANY] = {}
    learned: Annotated[dict[str, Learned], _UNTOLD, _WHERE_ANY] = {}

    def inputs(self) -> dict[str, HeadInput]:
        """All of its heads."""
        return {
            name: HeadInput(
                head,
                self.neighborhoods[name],
                self.occupancies.get(name),
                self.names.get(name, ()),
                self.learned.get(name),
            )
            for name, head in self.heads.items()
        }

    def fragments(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """Its segments."""
        decoder = cast(BlockDecoder, behaviour(self.settings))
        return decoder.checked_segments(heads, mask=mask, first_section=first_section)

    def fragments_of_image(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """Those of an image."""
        decoder = cast(BlockDecoder, behaviour(self.settings))
        return decoder.checked_segments(
            heads, mask=mask, first_section=first_section, is_image=True
        )
