"""The loss in which mistakes that change what is connected weigh more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from lsd import spec
from lsd.arrays.offsets import Offset
from lsd.losses.bce import BceLoss
from lsd.losses.loss import LossSample, Totals
from lsd.losses.misfits import not_of_labels
from lsd.losses.samples import check_logits, known_edges, over_samples
from lsd.losses.supervoxel import Criterion, critical
from lsd.losses.supervoxel_edges import critical_edges
from lsd.targets.target import TargetKind

_DEFAULT = spec.Supervoxel()
# neighbours share a face
_FACES = {2: 4, 3: 6}


def supervoxel_weights(
    logits: Tensor,
    labels: Tensor,
    *,
    known: Tensor,
    neighborhood: Sequence[Offset] | None = None,
    connectivity: int | None = _DEFAULT.connectivity,
    criterion: Criterion = _DEFAULT.criterion,
    mode: Literal["convex", "additive"] = _DEFAULT.mode,
    alpha: float = _DEFAULT.alpha,
    w_split: float = _DEFAULT.w_split,
    w_merge: float = _DEFAULT.w_merge,
    threshold: float = _DEFAULT.threshold,
) -> Tensor:
    """How much the error of each voxel counts, float32 of the shape of `logits`, without gradient.

    logits:       (b, 1, *spatial) of the foreground, or with a neighborhood (b, c, *spatial) of
                  affinities; finite where they are known
    labels:       int64 (b, 1, *spatial), bit patterns of uint64, of which 0 is background
    known:        bool (b, 1, *spatial), where the label is known
    neighborhood: an offset in voxels for each channel of affinities; None: of the foreground
    The others are those of `spec.Supervoxel`, which says what they mean.
    """
    border = math.log(threshold / (1 - threshold))
    rule = connectivity or _FACES[labels.ndim - 2]

    def weights(said: NDArray[Any], ids: NDArray[Any], inside: NDArray[Any]) -> NDArray[np.float32]:
        truth = ids[0].view(np.uint64)
        if neighborhood is None:
            splits, merges = critical(
                truth, said[0] > border, connectivity=rule, criterion=criterion, mask=inside[0]
            )
        else:
            splits, merges = critical_edges(
                said, truth, neighborhood, threshold=border, mask=inside[0]
            )
        mistakes = w_split * splits + w_merge * merges
        plain = 1 - alpha if mode == "convex" else 1
        return (plain + alpha * mistakes).astype(np.float32).reshape(said.shape)

    logits = logits.detach().float().nan_to_num(0)
    return over_samples(weights, logits, labels, known, threads=torch.get_num_threads())


def supervoxel_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    mask: Tensor | None = None,
    neighborhood: Sequence[Offset] | None = None,
    **settings: Any,
) -> Tensor:
    """Cross entropy of logits, weighted by `supervoxel_weights`, whose arguments these are: a
    scalar with its graph; the mean over what is known.

    mask: (b, 1, *spatial), 0 where the label is not known.  Raises ValueError where logits of what
    is known are not finite.
    """
    known = torch.ones_like(labels, dtype=torch.bool) if mask is None else mask > 0
    if neighborhood is None:
        target, valid = (labels != 0).float(), known
    else:
        target, valid = known_edges(labels, known, neighborhood)
    check_logits(logits, valid)
    weights = supervoxel_weights(logits, labels, known=known, neighborhood=neighborhood, **settings)
    errors = binary_cross_entropy_with_logits(
        logits.float().masked_fill(~valid, 0), target, reduction="none"
    )
    return (errors * weights * valid).sum() / valid.sum().clamp(min=1)


class SupervoxelHeadLoss(BceLoss):
    """`spec.Supervoxel`: cross entropy, of which mistakes that change what is connected weigh more.

    Of a head that learns the foreground, mistakes are groups of voxels (`critical`); of one that
    learns affinities, they are edges (`critical_edges`).
    Source: Grim et al. 2025, arXiv 2501.01022.
    """

    def misfit(self, target: TargetKind[Any]) -> str:
        """Foreground and affinities."""
        if target.is_foreground or target.spec.affinity_offsets() is not None:
            instead = "'foreground' or 'affinities'"
            return super().misfit(target) or not_of_labels(self.spec.kind, target, instead=instead)
        return (
            f"loss 'supervoxel' asks what a foreground or affinities connect, and "
            f"{target.spec.kind!r} is neither; take the target 'foreground' or 'affinities', or "
            "loss 'bce'"
        )

    def weights(self, sample: LossSample, totals: Totals) -> Tensor:
        """Of cross entropy, times what a mistake is worth."""
        plain = super().weights(sample, totals)
        check_logits(sample.own_logits, plain > 0)
        others = {"kind", "weight", "channel_weights", "balance"}
        fields = self.spec.model_dump(exclude=others)
        return plain * supervoxel_weights(
            sample.own_logits,
            sample.labels,
            known=sample.known,
            neighborhood=sample.neighborhoods.get(sample.head),
            **fields,
        )
