"""The discriminative loss of dense voxel embeddings.

With e_i the embedding of voxel i, mu_k the mean embedding of object k, N objects and |.| the sum of
absolute values, of one sample:

    L_int = mean_k mean_(i in k) [|e_i - mu_k| - dv]_+^2         voxels are drawn to their mean
    L_ext = sum_(k != l) [2 dd - |mu_k - mu_l|]_+^2 / (N (N - 1))    means are pushed apart
    L_reg = mean_k |mu_k|                                        means stay near 0
    L     = alpha L_int + beta L_ext + gamma L_reg

An object is a connected component of a label within the sample.  Components of one label are not
pushed apart: they may belong together outside of it; their pairs are 0 in the sum of L_ext.
Background (label 0) and voxels that are not known belong to no object, and nothing is asked of
them.  A batch has the mean over those of its samples that hold an object.

Source: Lee et al. 2021, "Learning and segmenting dense voxel embeddings for 3D neuron
reconstruction", IEEE TMI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from lsd import spec
from lsd.arrays.components import connected_components
from lsd.losses.labelled import as_ids
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.targets.embeddings import MetricAffinities
from lsd.targets.target import TargetKind

# pairs of means that are compared at once
MOST_PAIRS = 2**22


class DiscriminativeLoss(HeadLoss):
    """`spec.Discriminative`: mean over the samples of a batch that hold an object; see the module.

    Samples have nothing to do with each other, so a batch that processes share has the loss of the
    whole where each has whole samples.
    """

    def misfit(self, target: TargetKind[Any]) -> str:
        """Embeddings only."""
        if isinstance(target.activation, MetricAffinities):
            return ""
        return (
            f"loss 'discriminative' learns embeddings, and {target.spec.kind!r} has none; take the "
            "target Embeddings()"
        )

    def totals(self, sample: LossSample) -> Totals:
        """How many samples hold an object."""
        return {"samples": samples_with_objects(sample.labels, sample.known)}

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """The sum over these samples, by how many samples of the whole batch hold an object."""
        activation = sample.activations[sample.head]
        assert isinstance(activation, MetricAffinities)
        energies = energy(
            sample.own_logits, sample.labels, sample.known, settings=self.spec, dd=activation.dd
        )
        return energies / totals["samples"].clamp(min=1)


class LabelledVoxels(NamedTuple):
    """The objects 1..n of one sample; 0 is all that belongs to none.

    owners: (voxels,) int64, the object of each voxel of the flattened sample
    sizes:  (n + 1,) float32, voxels of each object, of 0 as well
    ids:    (n + 1,) int64, the label of each object
    """

    owners: Tensor
    sizes: Tensor
    ids: Tensor


def samples_with_objects(labels: Tensor, known: Tensor) -> Tensor:
    """How many samples of labels (b, 1, *spatial) hold an object where they are known: int64."""
    return ((labels != 0) & known).flatten(1).any(1).sum()


def energy(
    embeddings: Tensor,
    labels: Tensor,
    known: Tensor,
    *,
    settings: spec.Discriminative,
    dd: float,
) -> Tensor:
    """Sum over the samples of a batch of alpha L_int + beta L_ext + gamma L_reg, fp32, with its
    graph; see the module.

    embeddings: float (b, n, *spatial); labels: int64 (b, 1, *spatial); known: bool, of that shape
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        energies = [
            _energy(sample.flatten(1).float(), objects, settings, dd)
            for sample, objects in zip(embeddings, _objects(labels, known), strict=True)
        ]
        return torch.stack(energies).sum()


def _objects(labels: Tensor, known: Tensor) -> Iterator[LabelledVoxels]:
    """Of each sample."""
    for sample in as_ids(labels.masked_fill(~known, 0)):
        pieces, ids = connected_components(sample[0])
        owners = torch.from_numpy(pieces.reshape(-1).astype(np.int64)).to(labels.device)
        yield LabelledVoxels(
            owners,
            torch.bincount(owners, minlength=len(ids)).float(),
            torch.from_numpy(ids.view(np.int64)).to(labels.device),
        )


def _energy(
    embeddings: Tensor, objects: LabelledVoxels, settings: spec.Discriminative, dd: float
) -> Tensor:
    """Of one sample; embeddings (n, voxels)."""
    # filled before anything is computed: 0 times NaN is NaN, in the gradient as well
    embeddings = embeddings.masked_fill(objects.owners == 0, 0)
    means = _means(embeddings, objects)
    drawn = _drawn(embeddings, means, objects, dv=settings.dv)
    pushed = _pushed(means.T[1:], objects.ids[1:], reach=2 * dd)
    small = means.abs().sum() / _count(objects)
    return settings.alpha * drawn + settings.beta * pushed + settings.gamma * small


def _count(objects: LabelledVoxels) -> int:
    """How many objects there are, at least 1."""
    return max(len(objects.ids) - 1, 1)


def _means(embeddings: Tensor, objects: LabelledVoxels) -> Tensor:
    """Mean embedding of each object, (n, objects + 1); that of 0 is 0."""
    # fp32 loses what is added to a sum of many voxels; there is no float64 on Apple's GPUs
    exact = torch.float32 if embeddings.device.type == "mps" else torch.float64
    none = torch.zeros(len(objects.ids), dtype=exact, device=embeddings.device)
    # a dimension at a time: torch adds up rows of several far more slowly
    sums = torch.stack([none.index_add(0, objects.owners, row.to(exact)) for row in embeddings])
    return (sums / objects.sizes.clamp(min=1).to(exact)).to(embeddings.dtype)


def _drawn(embeddings: Tensor, means: Tensor, objects: LabelledVoxels, *, dv: float) -> Tensor:
    """L_int: how far voxels are from the means of their objects."""
    distances = torch.zeros_like(embeddings[0])
    for row, mean in zip(embeddings, means, strict=True):
        distances = distances + (row - mean.index_select(0, objects.owners)).abs()
    shares = (1 / objects.sizes.clamp(min=1)).index_select(0, objects.owners)
    return ((distances - dv).clamp(min=0).square() * shares).sum() / _count(objects)


def _pushed(means: Tensor, ids: Tensor, *, reach: float) -> Tensor:
    """L_ext: how much nearer than `reach` the means of objects with different labels are."""
    count = len(means)
    rows = max(MOST_PAIRS // max(count, 1), 1)
    if count <= rows:
        return _too_near(means, ids, means, ids, reach) / max(count * (count - 1), 1)
    # what a part needs for its gradient is computed again, so no more than one is in memory
    parts = [
        checkpoint(
            _too_near, means[begin : begin + rows], ids[begin : begin + rows], means, ids, reach,
            use_reentrant=False, preserve_rng_state=False,
        )
        for begin in range(0, count, rows)
    ]  # fmt: skip
    return torch.stack(parts).sum() / (count * (count - 1))


def _too_near(some: Tensor, of_some: Tensor, means: Tensor, ids: Tensor, reach: float) -> Tensor:
    """Sum over pairs of means, one of `some` and one of all, of what they lack to `reach`,
    squared."""
    lacking = (reach - torch.cdist(some, means, p=1)).clamp(min=0).square()
    return (lacking * (of_some[:, None] != ids)).sum()
