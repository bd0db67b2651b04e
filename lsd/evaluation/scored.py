"""Which voxels of the truth are scored, and where they may be."""

from __future__ import annotations

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.spec import Evaluate
from lsd.volumes.known_voxels import LIMIT, Blocks, known_everywhere, truth_blocks
from lsd.volumes.volume import OpenVolume, needs_nm


def scored(
    truth: NDArray[np.uint64], known: NDArray[np.bool_], settings: Evaluate
) -> NDArray[np.bool_]:
    """Where truth counts: no label that is left out, and known unless settings say that masks do
    not matter."""
    counts = ~np.isin(truth, np.array(settings.left_out, np.uint64))
    return np.asarray(counts & known if settings.use_mask else counts)


def check_scored(volume: OpenVolume, settings: Evaluate) -> None:
    """Raises ValueError where labels are to be ignored that the truth does not have, since each
    image counts its own, and where a length is asked of a volume without a voxel size."""
    if settings.metric.left_out_at_boundaries and not volume.calibrated:
        of_metric = f"what the metric {settings.metric.kind!r} leaves out at boundaries"
        raise ValueError(f"volume {volume.name!r}: {needs_nm(of_metric)}")
    ignored = [label for label in settings.left_out if label]
    if ignored and volume.spec.names_by_image:
        raise ValueError(
            f"volume {volume.name!r}: evaluate.ignore names label {ignored[0]}, and numbers of its "
            f"masks are names of objects within their image; say unknown={ignored[0]} of the "
            f"volume, or, if they are classes, Images(..., holds='classes')"
        )


def where_scored(
    volume: OpenVolume, roi: Roi, known: NDArray[np.bool_], *, use_mask: bool
) -> NDArray[np.bool_] | None:
    """Where voxels of `roi` count: where they are known or, without masks, wherever there are any,
    which beyond an image there are not; None: everywhere."""
    if use_mask:
        return known
    return None if volume.image_sizes is None else volume.read_inside(roi)


def scored_blocks(
    volume: OpenVolume, roi: Roi, settings: Evaluate, *, limit: int = LIMIT
) -> Blocks | None:
    """Blocks of `roi` that may hold voxels that are scored; None where all of it may be."""
    check_scored(volume, settings)
    masked = settings.use_mask and not known_everywhere(volume)
    if 0 not in settings.left_out and not masked:
        return None  # background counts everywhere
    return truth_blocks(volume, roi, masked=masked, limit=limit)
