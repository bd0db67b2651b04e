"""From the losses of several heads to the gradient that is followed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Balancer(nn.Module):
    """Combines the losses of a stage's heads.  It may own parameters, which are trained like those
    of a loss (`lsd.losses.loss.HeadLoss`).

    One that weighs losses writes `forward`; one that weighs gradients, such as PCGrad, writes
    `backward` too.
    """

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is shown as the loss, a scalar; losses: by head, scalars with their graphs."""

    def backward(
        self,
        value: Tensor,
        losses: Mapping[str, Tensor],
        parameters: Sequence[nn.Parameter],
        *,
        scale: Callable[[Tensor], Tensor],
    ) -> None:
        """Adds the gradient that is followed to `.grad` of the parameters.

        value:  what `forward` gave for these losses
        parameters: weights of the stage, what losses own, what the balancer owns; a head's loss
                depends on some of them only
        scale:  what a scalar is multiplied with before it is differentiated: the loss scale of
                fp16, and one over the number of batches that make a step
        """
        scale(value).backward()  # type: ignore[no-untyped-call]


class FixedSum(Balancer):
    """Sum of the losses, each times a fixed weight (MtLSD of Sheridan et al. 2022: all 1)."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Sum of weight times loss."""
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
