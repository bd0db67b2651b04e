"""The nodes of all augmentations of a dataset, one after another."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp

from lsd import spec
from lsd.batches.augmentations.augmentation import augmentation_kind, runs
from lsd.batches.sources.reject import Reject
from lsd.batches.unit import unit_node


def augmenting(
    augmentations: Sequence[spec.Augmentation],
    *,
    voxel_size: Sequence[float],
    output: Sequence[int],
    min_masked: float,
    flat: bool,
) -> list[gp.BatchFilter]:
    """The augmentations in the order of the dataset; raw is scaled before the first that does not
    move voxels alone, and what the output holds is looked at again after the last that does.

    voxel_size: nm, z y x;  output: voxels z y x, of which at least min_masked is to be known
    flat:       sections of a 2D network, which stay in their plane
    """
    in_runs = runs([augmentation_kind(augmentation) for augmentation in augmentations])
    nodes = [run[0].nodes(run, voxel_size=voxel_size, flat=flat) for run in in_runs]
    moving = [place for place, run in enumerate(in_runs) if run[0].moves]
    if moving:
        nodes[moving[-1]].append(Reject(output=output, min_masked=min_masked))
    still = (place for place, run in enumerate(in_runs) if not run[0].moves)
    first = next(still, len(in_runs))
    return [node for group in (*nodes[:first], [unit_node()], *nodes[first:]) for node in group]
