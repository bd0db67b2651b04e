"""The part of a validation volume that is predicted: all of it, or where truth is rare, the part
around it."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.evaluation.scored import scored, scored_blocks
from lsd.segmentation.predicted import is_decoded
from lsd.spec import Evaluate, Segment, Stage
from lsd.targets.target import target_kind
from lsd.volumes.array import text
from lsd.volumes.known_voxels import Blocks, bounding_box, known_everywhere, truth_blocks
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# a window is worth it where it spares at least half of the work
WORTH = 0.5


def window(
    volume: OpenVolume,
    roi: Roi,
    stage: Stage,
    *,
    dims: int,
    segment: Segment,
    evaluate: Evaluate,
    by_loss: bool = False,
) -> Roi:
    """The smallest part of `roi` that holds all that counts for a stage's score, with the context
    of a segmented block, and of the targets, around it.

    It is all of `roi` where it would be more than half of it, so a volume with dense truth is
    validated as a whole.
    dims: axes of the network
    by_loss: the stage is scored by losses, also where it is decoded
    """
    by_loss = by_loss or not is_decoded(segment, stage.heads, dims=dims)
    counted = _counted(volume, roi, evaluate, by_loss=by_loss)
    if counted is None:
        return roi
    margin = _margin(volume, stage, segment, dims=dims)
    part = counted.grow(margin, margin).intersect(roi)
    if part.size > WORTH * roi.size:
        return roi
    log.info(
        "validation volume %r: truth lies in %s of %s, which is what is predicted",
        volume.name,
        text(part),
        text(roi),
    )
    return part


def _counted(volume: OpenVolume, roi: Roi, evaluate: Evaluate, *, by_loss: bool) -> Roi | None:
    """The smallest part of `roi` that holds all voxels that count; None where that is not worth
    knowing.

    by_loss: all that is known counts, also what evaluation ignores
    """
    blocks = _blocks(volume, roi, evaluate, by_loss=by_loss)
    if blocks is None or not blocks.whole:
        return None
    counted = None
    for block in _from_both_ends(blocks):
        labels, known = volume.read_truth(block)
        counts = known if by_loss else scored(labels, known, evaluate)
        if counts.any():
            in_block = bounding_box(counts) + block.begin
            counted = in_block if counted is None else counted.union(in_block)
            if counted.size > WORTH * roi.size:
                return None  # spares reading the rest
    return counted


def _blocks(volume: OpenVolume, roi: Roi, evaluate: Evaluate, *, by_loss: bool) -> Blocks | None:
    if not by_loss and evaluate.metric.against == "skeletons":
        return None
    if not by_loss:
        return scored_blocks(volume, roi, evaluate)
    return None if known_everywhere(volume) else truth_blocks(volume, roi)


def _from_both_ends(blocks: Blocks) -> Iterator[Roi]:
    """Dense truth is at either end, and then nothing between needs to be read."""
    half = -(-len(blocks.rois) // 2)
    ends = itertools.zip_longest(blocks.rois[:half], reversed(blocks.rois[half:]))
    return (roi for pair in ends for roi in pair if roi is not None)


def _margin(volume: OpenVolume, stage: Stage, segment: Segment, *, dims: int) -> Coordinate:
    missing_axes = (0,) * (volume.roi.dims - dims)
    contexts = [
        missing_axes + tuple(target_kind(head.target).context(volume.voxel_size[-dims:]))
        for head in stage.heads.values()
    ]
    block_context = segment.context[-volume.roi.dims :]
    return Coordinate(np.max([block_context, *contexts], axis=0).tolist())
