"""The part of a validation volume that is predicted: all of it, or where truth is rare, what lies
around it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.evaluation.scored import scored, scored_blocks
from lsd.segmentation.predicted import is_decoded
from lsd.spec import Config, Evaluate, Stage
from lsd.targets.target import target_kind
from lsd.volumes.array import text
from lsd.volumes.known import Blocks, box, known_everywhere, truth_blocks
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# a window is worth it where it spares at least half of the work
WORTH = 0.5


def window(volume: OpenVolume, roi: Roi, config: Config, stage: Stage) -> Roi:
    """The smallest part of `roi` that holds all that counts for a stage's score, and as much around
    as it is seen by.

    All of roi where that is more than half of it, so that what has dense truth is validated as a
    whole.  Around it lie the context of a segmented block, and of the targets.
    """
    part = _around(volume, roi, config, stage)
    if part is None or part.size > WORTH * roi.size:
        return roi
    log.info(
        "validation volume %r: truth lies in %s of %s, which is what is predicted",
        volume.name,
        text(part),
        text(roi),
    )
    return part


def _around(volume: OpenVolume, roi: Roi, config: Config, stage: Stage) -> Roi | None:
    whole_truth = not is_decoded(config, stage.heads)
    blocks = _blocks(volume, roi, config.evaluate, whole_truth=whole_truth)
    if blocks is None or not blocks.whole:
        return None
    margin, held = _margin(volume, config, stage), None
    for block in _from_both_ends(blocks):
        labels, known = volume.read_truth(block)
        counts = known if whole_truth else scored(labels, known, config.evaluate)
        if counts.any():
            inside = box(counts) + block.begin
            held = inside if held is None else held.union(inside)
            if held.size > WORTH * roi.size:
                return None  # spares reading the rest
    return None if held is None else held.grow(margin, margin).intersect(roi)


def _blocks(
    volume: OpenVolume, roi: Roi, settings: Evaluate, *, whole_truth: bool
) -> Blocks | None:
    """whole_truth: all that is known counts, also what evaluation ignores."""
    if not whole_truth:
        return scored_blocks(volume, roi, settings)
    return None if known_everywhere(volume) else truth_blocks(volume, roi)


def _from_both_ends(blocks: Blocks) -> Iterator[Roi]:
    """Dense truth is at either end, and then nothing between needs to be read."""
    half = -(-len(blocks.rois) // 2)
    ends = itertools.zip_longest(blocks.rois[:half], reversed(blocks.rois[half:]))
    return (roi for pair in ends for roi in pair if roi is not None)


def _margin(volume: OpenVolume, config: Config, stage: Stage) -> Coordinate:
    dims, size = config.network.dims, volume.voxel_size[-config.network.dims :]
    seen = [
        (0,) * (volume.roi.dims - dims) + tuple(target_kind(head.target).context(size))
        for head in stage.heads.values()
    ]
    return Coordinate(np.max([config.segment.context[-volume.roi.dims :], *seen], axis=0).tolist())
