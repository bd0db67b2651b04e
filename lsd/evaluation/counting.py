"""A segmented volume beside its truth: read from disk slab by slab and counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.evaluation.contingency import Contingency
from lsd.segmentation.results import Results, open_results
from lsd.spec import Config, Evaluate, Volume
from lsd.spec.paths import data_root
from lsd.volumes.array import text
from lsd.volumes.units import agree
from lsd.volumes.volume import OpenVolume, open_volume, within

# a slab of segmentation, truth and mask takes about 17 bytes a voxel
SLAB_VOXELS = 2**25


@dataclass(frozen=True, eq=False)
class Counted:
    """The table of a volume's fragments and truth in `roi` (voxels), and how the fragments join."""

    roi: Roi
    table: Contingency
    results: Results


def count(config: Config, name: str, spec: Volume) -> Counted:
    """Counts fragments (or the segments of the mutex decoder) and truth of a volume, in bounded memory.

    With evaluate.connected the whole region is read at once: its truth is relabelled into pieces that touch by a face,
    edge or corner.  Raises ValueError if voxel sizes differ, nothing overlaps, or fragments are not those of the graph.
    """
    volume = open_volume(spec, name=name, data_root=data_root(config))
    results = open_results(config, name)
    roi = _scored_roi(config.evaluate, volume, results)
    slabs = [roi] if config.evaluate.connected else slabs_of(roi)
    table = sum((_count_slab(config.evaluate, volume, results, slab) for slab in slabs), Contingency.empty())
    strangers = np.setdiff1d(table.segments, results.nodes)
    if len(strangers):
        raise ValueError(
            f"{results.array.name} holds fragment {strangers[0]}, unknown to its region graph; run segment.py again"
        )
    return Counted(roi, table, results)


def slabs_of(roi: Roi) -> Iterator[Roi]:
    """Pieces of `roi` along its first axis, a whole number of usual chunks thick where they can be."""
    sections = max(1, SLAB_VOXELS * roi.shape[0] // roi.size)
    sections = sections // 64 * 64 or sections
    for begin in range(roi.begin[0], roi.end[0], sections):
        yield Roi((begin, *roi.begin[1:]), (min(sections, roi.end[0] - begin), *roi.shape[1:]))


def _scored_roi(settings: Evaluate, volume: OpenVolume, results: Results) -> Roi:
    assert volume.truth_roi is not None, "only volumes with labels are counted"
    if not agree(volume.voxel_size, results.array.voxel_size):
        raise ValueError(
            f"volume {volume.name!r}: voxel size of the truth is {volume.voxel_size} nm, of {results.array.name} "
            f"{results.array.voxel_size} nm; predict and segment it again"
        )
    try:
        asked = within(settings.region, volume.truth_roi)
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: evaluate.{error}") from error
    roi = asked.intersect(results.array.roi)
    if roi.empty:
        raise ValueError(
            f"volume {volume.name!r}: truth to be scored covers {text(asked)}, the segmentation {text(results.array.roi)} "
            "(voxels); predict and segment a region that overlaps it"
        )
    return roi


def _count_slab(settings: Evaluate, volume: OpenVolume, results: Results, slab: Roi) -> Contingency:
    truth, known = volume.read_truth(slab)
    mask = known if settings.use_mask else np.ones_like(known)
    if settings.connected:
        # pieces get new names, so what is ignored must be left out before
        mask &= ~np.isin(truth, np.array(settings.ignore, dtype=np.uint64))
        truth = _pieces(np.where(mask, truth, np.uint64(0)))
    return Contingency.of(results.read(slab, None), truth, mask=None if mask.all() else mask)


def _pieces(truth: NDArray[np.uint64]) -> NDArray[Any]:
    pieces: NDArray[Any] = cc3d.connected_components(truth, connectivity=26 if truth.ndim == 3 else 8)
    return pieces.reshape(truth.shape)
