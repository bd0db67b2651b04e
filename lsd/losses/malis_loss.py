"""The loss that follows from constrained MALIS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsd import spec
from lsd.arrays.offsets import Offset
from lsd.losses.kernels.edges import POSITIVE, edges_of
from lsd.losses.kernels.joined import joined_components
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.losses.malis import pair_counts
from lsd.losses.misfits import not_of_labels, not_probabilities
from lsd.losses.samples import check_logits, known_edges, over_samples
from lsd.spec.kinds import behaviour
from lsd.targets.target import TargetKind


def malis_weights(
    logits: Tensor, labels: Tensor, neighborhood: Sequence[Offset], *, known: Tensor
) -> Tensor:
    """How much the error of each affinity counts, float32 of the shape of `logits`, without
    gradient.

    logits:       (b, c, *spatial), of affinities; labels: int64 (b, 1, *spatial), bit patterns of
                  uint64, of which 0 is background; known: bool (b, 1, *spatial)
    neighborhood: an offset in voxels for each channel

    Weights are counts of pairs (`pair_counts`), with connected pieces of an object as objects of
    their own: what joins two of them may lie outside of the crop.  Those of a sample and a pass
    add up to 1, or are all 0; both passes are added.
    """
    probabilities = logits.detach().float().sigmoid().nan_to_num(0)
    threads = torch.get_num_threads()

    def weights(affs: NDArray[Any], ids: NDArray[Any], inside: NDArray[Any]) -> NDArray[np.float32]:
        pieces = _pieces(ids[0], inside[0], neighborhood)
        counts = pair_counts(affs, pieces, neighborhood, mask=inside[0], threads=threads)
        return sum((_share(count) for count in counts), np.zeros(affs.shape, np.float32))

    return over_samples(weights, probabilities, labels, known, threads=max(1, threads // 2))


def malis_loss(
    logits: Tensor, labels: Tensor, neighborhood: Sequence[Offset], *, mask: Tensor | None = None
) -> Tensor:
    """Constrained MALIS of logits of affinities, a scalar with its graph; the mean over samples.

    Arguments as for `malis_weights`; mask: (b, 1, *spatial), 0 where the label is not known.
    Raises ValueError where logits of known affinities are not finite.
    """
    known = torch.ones_like(labels, dtype=torch.bool) if mask is None else mask > 0
    target, valid = known_edges(labels, known, neighborhood)
    check_logits(logits, valid)
    weights = malis_weights(logits, labels, neighborhood, known=known)
    return _squares(logits, target, weights) / len(logits)


class MalisHeadLoss(HeadLoss):
    """`spec.Malis`: sum of (w+ + w-) (g - a)^2, the mean over the samples of a batch.

    g is the target, a the affinity; weights follow from the counts of pairs of each sample
    (`malis_weights`), so a batch is normalised sample by sample.
    Source: Funke et al. 2019.
    """

    def __init__(self, spec: spec.Malis) -> None:
        super().__init__(spec)
        self.dense: nn.Module | None = None if spec.dense is None else behaviour(spec.dense)

    def misfit(self, target: TargetKind[Any]) -> str:
        """Affinities only; and what the dense loss says."""
        if target.spec.affinity_offsets() is None:
            return (
                f"loss 'malis' counts pairs of voxels that affinities join, and "
                f"{target.spec.kind!r} is none of them; take loss 'mse', or the target 'affinities'"
            )
        kind = self.spec.kind
        wrong = not_probabilities(kind, target)
        wrong = wrong or not_of_labels(kind, target, instead="'affinities'")
        return wrong if wrong or self._dense is None else self._dense.misfit(target)

    def miscount(self, channels: int) -> str:
        """What the dense loss says."""
        return "" if self._dense is None else self._dense.miscount(channels)

    def remarks(self, target: TargetKind[Any]) -> list[str]:
        """What the dense loss says."""
        return [] if self._dense is None else self._dense.remarks(target)

    def totals(self, sample: LossSample) -> Totals:
        """How many samples there are, and what the dense loss needs."""
        own = {"samples": torch.tensor(len(sample.labels), device=sample.labels.device)}
        return own if self._dense is None else {**self._dense.totals(sample), **own}

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """See the class; and the dense loss times its weight."""
        offsets = sample.own_neighborhood
        check_logits(sample.own_logits, (sample.own_weights > 0) & sample.known)
        weights = malis_weights(sample.own_logits, sample.labels, offsets, known=sample.known)
        counted = weights * (sample.own_weights > 0)
        loss = _squares(sample.own_logits, sample.own_target, counted) / totals["samples"]
        if self._dense is None:
            return loss
        of_dense = {name: total for name, total in totals.items() if name != "samples"}
        both: Tensor = loss + self.spec.dense.weight * self._dense(sample, of_dense)
        return both

    @property
    def _dense(self) -> HeadLoss | None:
        assert self.dense is None or isinstance(self.dense, HeadLoss)
        return self.dense


def _squares(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Sum of w (g - a)^2.  What stands where w is 0 gives neither value nor gradient, whatever it
    is: so it is taken away before anything is computed."""
    uncounted = weights == 0
    affinities = logits.float().masked_fill(uncounted, 0).sigmoid()
    return (weights * (target.masked_fill(uncounted, 0) - affinities).square()).sum()


def _pieces(
    ids: NDArray[Any], known: NDArray[np.bool_], neighborhood: Sequence[Offset]
) -> NDArray[np.int32]:
    """Connected pieces of objects, named by a voxel; 0 stays 0.

    Connected by faces, and by the neighborhood: so an edge inside an object stays one.
    """
    faces = [tuple(-int(i == axis) for i in range(ids.ndim)) for axis in range(ids.ndim)]
    edges = edges_of(ids, known, list(dict.fromkeys([*faces, *neighborhood])))
    names = joined_components(edges.classes == POSITIVE, edges.steps).reshape(ids.shape)
    return np.where(ids == 0, 0, names + 1)


def _share(counts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Of all pairs, those of each edge."""
    every = counts.sum()
    return np.asarray(counts / max(every, 1), np.float32)
