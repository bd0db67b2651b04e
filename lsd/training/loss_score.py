"""Validation by loss, of a stage that does not give what is segmented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.evaluation.score import Score
from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import Target
from lsd.system.decimals import decimals
from lsd.targets.activation import Invertible
from lsd.targets.sections import compute_for, context_for
from lsd.targets.target import Known, Values, target_kind
from lsd.volumes.further import read_further
from lsd.volumes.volume import OpenVolume

Array = NDArray[np.float32]


@dataclass(frozen=True)
class LossScore(Score):
    """Losses over validation volumes.

    losses:  of each head, the mean over the volumes
    weights: of each head in the sum
    volumes: how many
    """

    title: ClassVar[str] = "validation loss"
    short: ClassVar[str] = "loss"

    losses: Mapping[str, float]
    weights: Mapping[str, float]
    volumes: int = 1

    @property
    def objective(self) -> float:
        """Sum over the heads, with their weights."""
        return sum(self.weights[name] * loss for name, loss in self.losses.items())

    def as_dict(self) -> dict[str, Any]:
        """The loss of each head."""
        return {"losses": dict(self.losses)}

    def curves(self) -> dict[str, float]:
        """The loss of each head."""
        return {f"loss/{name}": loss for name, loss in self.losses.items()}

    def pool(self, others: Sequence[LossScore]) -> LossScore:
        """The mean: each volume counts the same."""
        scores = (self, *others)
        volumes = sum(score.volumes for score in scores)
        means = {
            name: sum(score.losses[name] * score.volumes for score in scores) / volumes
            for name in self.losses
        }
        return LossScore(means, self.weights, volumes)

    def __str__(self) -> str:
        return f"validation loss {decimals(self.objective, 4)}"


class LearnedRegion(NamedTuple):
    """What the heads of a stage learn in a region: of each its target and where that is known, (c,
    z, y, x); labels, and where they are known, (z, y, x)."""

    targets: Mapping[str, tuple[Values, Known]]
    labels: NDArray[np.uint64]
    known: NDArray[np.bool_]


def learned_in(
    volume: OpenVolume, roi: Roi, targets: Mapping[str, Target], *, dims: int
) -> LearnedRegion:
    """What a network of `dims` axes learns in a region of a volume, computed as batches are of the
    labels around, in which neurons go on beyond the border; labels are read once."""
    margins = {
        name: context_for(each, volume.voxel_size, dims=dims) for name, each in targets.items()
    }
    widest = Coordinate(np.max([*margins.values()], axis=0).tolist())
    around = roi.grow(widest, widest)
    labels, known = volume.read_truth(around, mirrored=True)
    found: dict[str, tuple[Values, Known]] = {}
    for name, target in targets.items():
        own = roi.grow(margins[name], margins[name])
        part, inside = (own - around.begin).to_slices(), (roi - own.begin).to_slices()
        values, mask = compute_for(
            target,
            labels[part],
            dims=dims,
            known=known[part],
            arrays={
                array: read_further(volume, array, own, mirrored=True)
                for array in target_kind(target).arrays()
            },
            voxel_size=volume.voxel_size,
        )
        found[name] = (
            np.ascontiguousarray(values[:, *inside]),
            np.ascontiguousarray(mask[:, *inside]),
        )
    inner = (roi - around.begin).to_slices()
    return LearnedRegion(found, np.ascontiguousarray(labels[inner]), known[inner])


def score_losses(
    losses: StageLosses,
    predicted: Mapping[str, Array],
    targets: Mapping[str, tuple[Array, NDArray[np.bool_]]],
    *,
    labels: NDArray[np.uint64],
    known: NDArray[np.bool_],
    voxel_size: Sequence[float],
    weights: Mapping[str, float],
    flat: bool,
) -> LossScore:
    """The loss of each head over a region, as in training: mean over the voxels that count.

    A head whose logits do not follow from its values, such as one of embeddings, which are only
    comparable within a block, counts with the mean squared error of its values.

    predicted: values by head, (c, z, y, x)
    targets:   target by head, and where it is known, of the same shapes
    labels, known: (z, y, x); voxel_size: nm
    weights:   of each head in the sum; those that are missing are left out
    flat:      sections are a batch of samples, as for 2D networks
    """

    def batch(array: NDArray[Any]) -> torch.Tensor:
        """(c, z, y, x) as a batch of one, or of sections."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.movedim(1, 0) if flat else tensor[None]

    values = {name: batch(array) for name, array in predicted.items()}
    size = tuple(voxel_size)[1 if flat else 0 :]
    sample = LossSample(
        # a probability that is 0 or 1 after rounding has no logit, so it is moved a little
        logits={
            name: activation.inverse(values[name])
            for name, activation in losses.activations.items()
            if isinstance(activation, Invertible)
        },
        targets={name: batch(target) for name, (target, _) in targets.items()},
        weights={name: batch(mask.astype(np.float32)) for name, (_, mask) in targets.items()},
        labels=batch(labels.view(np.int64)[None]),
        known=batch(known[None]),
        voxel_size=size,
        activations=losses.activations,
        neighborhoods=losses.neighborhoods(len(size)),
    )
    # a whole region need not fit on the device that holds the parameters of the losses
    on_cpu = deepcopy(losses).cpu().eval()
    with torch.no_grad():
        with_logits = [name for name in weights if name in sample.logits]
        by_head = on_cpu(sample, on_cpu.totals(sample, heads=with_logits))
    rest = {
        name: _squared_error(values[name], sample.of(name))
        for name in weights
        if name not in sample.logits
    }
    return LossScore({name: (by_head | rest)[name].item() for name in weights}, weights)


def _squared_error(values: torch.Tensor, sample: LossSample) -> torch.Tensor:
    known = sample.own_weights > 0
    return ((values - sample.own_target).square() * known).sum() / known.sum().clamp(min=1)
