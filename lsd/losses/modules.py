"""Structured losses as torch modules, for training loops of one's own; each computes what the kind
of the same name does for a head of a config.

All of them are called as loss(logits, labels, mask=None) with labels and masks of numpy or torch
(`lsd.losses.labelled`), and give a scalar in fp32 with its graph, also inside autocast.  Where
torch.compile meets one, it is computed as it is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lsd import spec
from lsd.arrays.arguments import derived, explaining_calls, offsets_of
from lsd.arrays.offsets import Offset, check_neighborhood
from lsd.losses.discriminative import energy, samples_with_objects
from lsd.losses.labelled import labelled
from lsd.losses.malis_loss import malis_loss
from lsd.losses.samples import check_logits
from lsd.losses.supervoxel import Criterion
from lsd.losses.supervoxel_loss import supervoxel_loss

_DISCRIMINATIVE, _EMBEDDINGS, _SUPERVOXEL = (
    spec.Discriminative(),
    spec.Embeddings(),
    spec.Supervoxel(),
)


class StructuredLoss(nn.Module):
    """Base of losses that are called with logits, labels and a mask."""

    # torch.compile would make a graph of what numpy counts, and cannot build it
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    @explaining_calls
    def forward(self, logits: Tensor, labels: Any, mask: Any = None) -> Tensor:
        """The loss of a batch; see the class."""
        bits, known = labelled(logits, labels, mask)
        with torch.autocast(logits.device.type, enabled=False):
            loss: Tensor = self.loss(logits.float(), bits, known)
        return loss

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Of logits (b, c, *spatial), fp32; labels int64, and known bool (b, 1, *spatial)."""


class EmbeddingLoss(StructuredLoss):
    """The discriminative loss of dense voxel embeddings, for a training loop of one's own.

    Embeddings of an object are drawn to their mean, and the means of objects are pushed apart.
    `lsd.targets.embeddings.metric_affinities` makes affinities of what was learned.

    alpha: weight of what draws a voxel to the mean of its object
    beta:  weight of what pushes the means of two objects apart
    gamma: weight of what draws means to 0
    dv:    distance from its mean within which a voxel is not drawn
    dd:    half the distance up to which means are pushed apart

    Distances are sums of absolute differences.  Raises ValueError for settings below 0, and where
    dv is not below dd.

    Called as loss(logits, labels, mask=None), it gives a scalar in fp32 with its graph, also inside
    autocast: the mean over the samples of the batch that hold an object, 0 where none does.

    logits: float tensor (b, n, z, y, x), in 2D (b, n, y, x): n numbers a voxel, as they leave the
            network
    labels: whole numbers of any type, numpy or torch, (b, z, y, x) or (b, 1, z, y, x).  0 is
            background, of which nothing is asked.  Pieces of a label that lie apart within a sample
            are objects of their own, which are not pushed apart
    mask:   of the shape of labels, not 0 where labels are known; None: everywhere

    Raises ValueError where shapes do not agree, for labels that are no whole numbers >= 0, and for
    logits of objects that are not finite where they are known.
    Source: Lee et al. 2021, "Learning and segmenting dense voxel embeddings for 3D neuron
    reconstruction".

    >>> import lsd, torch
    >>> logits = torch.tensor([[[[0.0, 1.0, 4.0]]]], requires_grad=True)
    >>> loss = lsd.EmbeddingLoss(gamma=0)(logits, torch.tensor([[[5, 5, 8]]]))
    >>> loss.item()  # (0.5**2 + 0.5**2) / 2 of the first object, 0 of the second; both far apart
    0.125
    """

    @explaining_calls
    def __init__(
        self,
        *,
        alpha: float = _DISCRIMINATIVE.alpha,
        beta: float = _DISCRIMINATIVE.beta,
        gamma: float = _DISCRIMINATIVE.gamma,
        dv: float = _DISCRIMINATIVE.dv,
        dd: float = _EMBEDDINGS.dd,
    ) -> None:
        super().__init__()
        self.settings = derived(_DISCRIMINATIVE, alpha=alpha, beta=beta, gamma=gamma, dv=dv)
        self.dd = derived(_EMBEDDINGS, dd=dd).dd
        if self.settings.dv >= self.dd:
            raise ValueError(
                f"dv is {self.settings.dv:g} and dd is {self.dd:g}; dv must be below dd, or "
                f"voxels of two objects that are left as they are may lie among each other"
            )

    def loss(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Mean over the samples that hold an object."""
        check_logits(logits, (labels != 0) & known)
        energies = energy(logits, labels, known, settings=self.settings, dd=self.dd)
        return energies / samples_with_objects(labels, known).clamp(min=1)

    def extra_repr(self) -> str:
        """The settings."""
        fields = self.settings.model_dump(include={"alpha", "beta", "gamma", "dv"})
        return ", ".join(f"{name}={value:g}" for name, value in {**fields, "dd": self.dd}.items())


class MalisLoss(StructuredLoss):
    """Constrained MALIS, for a training loop of one's own: squared error of affinities, of which
    each counts by how many pairs of voxels are joined, or kept apart, because of it.

    neighborhood: an offset in voxels for each channel of the logits, z y x, or y x in 2D; channel c
                  at voxel v is of the pair v and v + offset c

    Called as loss(logits, labels, mask=None), it gives a scalar in fp32 with its graph, the mean
    over the samples of the batch:

    logits: float tensor (b, c, z, y, x), in 2D (b, c, y, x), before a sigmoid
    labels: whole numbers of any type, numpy or torch, (b, z, y, x) or (b, 1, z, y, x); 0 is
            background
    mask:   of the shape of labels, not 0 where labels are known; None: everywhere

    It says much of few voxels and nothing of most, so add a loss that says something of each, such
    as cross entropy.  Raises ValueError where shapes and offsets do not agree, for labels that are
    no whole numbers >= 0, and for logits that are not finite where they are known.
    Source: Funke et al. 2019, "Large scale image segmentation with structured loss based deep
    learning for connectome reconstruction".

    >>> import lsd, torch
    >>> logits = torch.tensor([[[[0.5, 0.9, 0.6, 0.2]]]]).logit()
    >>> loss = lsd.MalisLoss([(0, -1)])(logits, [[[1, 1, 2, 2]]])
    >>> round(loss.item(), 4)  # (1 - 0.9)**2 / 2 + (1 - 0.2)**2 / 2 within, 0.6**2 between
    0.685
    """

    @explaining_calls
    def __init__(self, neighborhood: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.neighborhood = _offsets(neighborhood)

    def loss(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Mean over the samples."""
        _check_offsets(logits, self.neighborhood)
        return malis_loss(logits, labels, self.neighborhood, mask=known)

    def extra_repr(self) -> str:
        """The offsets."""
        return f"neighborhood={self.neighborhood}"


class SupervoxelLoss(StructuredLoss):
    """Cross entropy in which mistakes that split an object or join two weigh more, for a training
    loop of one's own.

    neighborhood: None: logits are of the foreground, one channel; or of affinities, an offset in
                  voxels for each channel, z y x, or y x in 2D
    mode:      "convex": (1 - alpha) l + alpha w l, with l the cross entropy of a voxel and w what
               its mistake weighs; "additive": l + alpha w l
    alpha:     how much critical mistakes count, 0..1
    w_split:   weight of mistakes that split an object or lose it
    w_merge:   weight of mistakes that join objects or make one up
    criterion: of the foreground: "joint": all mistakes at once; "individual": each by itself
    connectivity: of the foreground: 6, 18 or 26 in 3D, 4 or 8 in 2D; None: by faces, 6 or 4
    threshold: probability above which there is foreground, from which on an affinity joins

    Called as loss(logits, labels, mask=None), it gives a scalar in fp32 with its graph, the mean
    over the voxels of the batch that are known:

    logits: float tensor (b, c, z, y, x), in 2D (b, c, y, x), before a sigmoid
    labels: whole numbers of any type, numpy or torch, (b, z, y, x) or (b, 1, z, y, x); 0 is
            background.  Labels, not a mask: objects that touch are told apart
    mask:   of the shape of labels, not 0 where labels are known; None: everywhere

    Where two objects touch without background between them, only affinities can keep them apart.
    Raises ValueError for settings that do not exist, where shapes and offsets do not agree, for
    labels that are no whole numbers >= 0, and for logits that are not finite where they are known.
    Source: Grim et al. 2025, arXiv 2501.01022.

    >>> import lsd, torch
    >>> logits = torch.tensor([[[[2.0, -2.0, 2.0, 2.0, 2.0]]]])  # a gap in 5, a bridge to 6
    >>> loss = lsd.SupervoxelLoss()(logits, [[[5, 5, 5, 0, 6]]])
    >>> round(loss.item(), 3)  # weights are 0.5 where it is right, 0.75 at both mistakes
    0.676
    """

    @explaining_calls
    def __init__(
        self,
        neighborhood: Sequence[Sequence[int]] | None = None,
        *,
        mode: Literal["convex", "additive"] = _SUPERVOXEL.mode,
        alpha: float = _SUPERVOXEL.alpha,
        w_split: float = _SUPERVOXEL.w_split,
        w_merge: float = _SUPERVOXEL.w_merge,
        criterion: Criterion = _SUPERVOXEL.criterion,
        connectivity: Literal[4, 6, 8, 18, 26] | None = _SUPERVOXEL.connectivity,
        threshold: float = _SUPERVOXEL.threshold,
    ) -> None:
        super().__init__()
        self.neighborhood = None if neighborhood is None else _offsets(neighborhood)
        self.settings = derived(
            _SUPERVOXEL,
            mode=mode,
            alpha=alpha,
            w_split=w_split,
            w_merge=w_merge,
            criterion=criterion,
            connectivity=connectivity,
            threshold=threshold,
        )

    def loss(self, logits: Tensor, labels: Tensor, known: Tensor) -> Tensor:
        """Mean over what is known."""
        if self.neighborhood is not None:
            _check_offsets(logits, self.neighborhood)
        elif logits.shape[1] != 1:
            raise ValueError(
                f"logits have {logits.shape[1]} channels, the foreground has 1; give "
                f"neighborhood= where they are affinities"
            )
        for fault in self.settings.faults(logits.ndim - 2):
            raise ValueError(fault)
        return supervoxel_loss(
            logits, labels, mask=known, neighborhood=self.neighborhood, **self._fields()
        )

    def extra_repr(self) -> str:
        """The settings."""
        fields = {"neighborhood": self.neighborhood, **self._fields()}
        return ", ".join(f"{name}={value!r}" for name, value in fields.items())

    def _fields(self) -> dict[str, Any]:
        return self.settings.model_dump(exclude={"kind", "weight", "balance"})


def _offsets(neighborhood: Sequence[Sequence[int]]) -> tuple[Offset, ...]:
    return check_neighborhood(offsets_of(neighborhood))


def _check_offsets(logits: Tensor, neighborhood: Sequence[Offset]) -> None:
    """Raises ValueError where logits have another number of channels, or of axes, than offsets."""
    dims = logits.ndim - 2
    if len(neighborhood[0]) != dims:
        raise ValueError(
            f"offset {neighborhood[0]} has {len(neighborhood[0])} entries, logits have {dims} "
            f"spatial axes (shape {tuple(logits.shape)}); give each offset one entry an axis"
        )
    check_neighborhood(neighborhood, channels=logits.shape[1])
