"""Objects of the truth whose pieces lie apart in what is scored, as neurons do that meet outside of
it: what is right all along has a segment for each piece, and counts as split."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.components import connected_components
from lsd.evaluation.metric import MetricKind
from lsd.evaluation.scored import scored
from lsd.spec import Config
from lsd.spec.kinds import behaviour
from lsd.spec.paths import data_root
from lsd.spec.plurals import counted
from lsd.volumes.volume import open_volume

log = logging.getLogger(__name__)

# voxels that are looked at, as a whole, at most: 20 bytes each; and those counted at once
MOST, _AT_ONCE = 1 << 27, 1 << 22
# bits of VOI from which a person is told
TOLD = 0.02


@dataclass(frozen=True)
class Apart:
    """objects: of the truth that lie in pieces;  of: so many that there are
    voi_split: bits that they make where every piece is a segment, and nothing else is wrong
    """

    objects: int
    of: int
    voi_split: float

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lie = "lies" if self.objects == 1 else "lie"
        return (
            f"{self.objects} of {counted(self.of, 'object')} of the truth {lie} in pieces that are "
            f"apart in what is scored, which alone makes {self.voi_split:.3f} bits of VOI split"
        )


def apart(
    truth: NDArray[np.unsignedinteger[Any]],
    counts: NDArray[np.bool_],
    *,
    is_background: bool = True,
) -> Apart:
    """The objects of an array of labels that lie in pieces, which touch by a face, edge or corner;
    0 is none.

    counts:        voxels that are scored
    is_background: whether 0 is background, which no bits are of; False: its voxels, which hold
                   nothing together, are among those that bits are a mean over
    """
    pieces, labels = connected_components(np.where(counts, truth, 0))
    flat, total = pieces.reshape(-1), np.zeros(len(labels), np.int64)
    for begin in range(0, len(flat), _AT_ONCE):
        total += np.bincount(flat[begin : begin + _AT_ONCE], minlength=len(labels))
    voxels = total[1:].astype(np.float64)
    objects, own, number = np.unique(labels[1:], return_inverse=True, return_counts=True)
    whole = np.bincount(own, weights=voxels, minlength=len(objects))
    if not len(objects):
        return Apart(0, 0, 0.0)
    # of two pieces and more: n log2 (N / n) of each, N voxels of the whole
    over = float(voxels.sum()) if is_background else int(np.count_nonzero(counts))
    bits = float((voxels * np.log2(whole[own] / voxels)).sum() / over)
    return Apart(int((number > 1).sum()), len(objects), bits)


def tell_apart(config: Config, rois: Mapping[str, Roi]) -> dict[str, Apart]:
    """The same of each volume whose truth has such objects, in what is scored of it (voxels);
    tells it where it makes many bits.

    Nothing is found where the metric does not ask for whole objects, where pieces are objects
    anyway, in images, and in more voxels than are looked at.
    """
    settings, found = config.evaluate, dict[str, Apart]()
    metric: MetricKind = behaviour(settings.metric)
    if not metric.finds_wholes or settings.connected:
        return {}
    # the metric that leaves voxels near boundaries out takes labels as they are
    is_fixed = settings.metric.left_out_at_boundaries is not None
    way_out = "" if is_fixed else "; evaluate.connected=true takes each piece for an object"
    for name, roi in rois.items():
        each = _in_volume(config, name, roi)
        if each.objects:
            found[name] = each
            if each.voi_split >= TOLD:
                log.warning("%s: %s%s", name, each, way_out)
    return found


def _in_volume(config: Config, name: str, roi: Roi) -> Apart:
    settings = config.evaluate
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=data_root(config))
    # an object of an image may be cut by another one
    if volume.image_sizes is not None or roi.size > MOST:
        return Apart(0, 0, 0.0)
    truth, known = volume.read_truth(roi)
    # a metric to which 0 is a label takes it for one of the truth where it is not left out
    is_background = settings.metric.has_background
    return apart(truth, scored(truth, known, settings), is_background=is_background)
