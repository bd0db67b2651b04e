"""From the losses of several heads to the gradient that is followed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

# makes each tensor the sum over all processes that share a batch, in place
Sum = Callable[[Sequence[Tensor]], None]


class Balancer(nn.Module):
    """Combines the losses of a stage's heads.  It may own parameters, which are trained like those
    of a loss (`lsd.losses.loss.HeadLoss`).

    One that weighs losses writes `forward`; one that weighs gradients, such as PCGrad, writes
    `backward` and `complete` too.

    Several processes may share a batch.  The losses are then those of the whole batch, the same in
    each, but their gradients are of the share that a process has: they have to be added up over the
    processes before anything is computed from them.
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

    def complete(self, parameters: Sequence[nn.Parameter], *, sum: Sum) -> None:
        """After the last batch of a step: makes `.grad` of the parameters that of whole batches.

        What the balancer owns has that already, since it sees the losses of whole batches.
        sum: each process calls it as often, with tensors of the same shapes; in a run of one
             process it changes nothing
        """
        own = {id(parameter) for parameter in self.parameters()}
        shared = [parameter for parameter in parameters if id(parameter) not in own]
        # a share may lack what a parameter is for; where all do, it has no gradient
        seen = torch.tensor([parameter.grad is not None for parameter in shared], dtype=torch.int64)
        gradients = [
            torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for parameter in shared
        ]
        sum([seen, *gradients])
        for parameter, gradient, times in zip(shared, gradients, seen.tolist(), strict=True):
            parameter.grad = gradient if times else None


class FixedSum(Balancer):
    """Sum of the losses, each times a fixed weight (MtLSD of Sheridan et al. 2022: all 1)."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Sum of weight times loss."""
        return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
