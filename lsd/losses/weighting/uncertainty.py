"""What is predicted with little certainty counts less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lsd import spec
from lsd.losses.weighting.balancer import Balancer


class UncertaintySum(Balancer):
    """`spec.Uncertainty`: sum of L / (2 exp s) + s / 2, where exp s is the variance of a head's
    noise and s is learned.

    Source: Kendall et al. 2018.
    """

    def __init__(self, spec: spec.Weighting, tasks: Sequence[str], *, target: int = 0) -> None:
        super().__init__(spec, tasks, target=target)
        # a head may be called like anything that a dictionary of parameters has, such as "keys"
        self.log_variance = nn.ParameterDict(
            {f"head_{task}": nn.Parameter(torch.tensor(self.spec.start)) for task in tasks}
        )

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum over heads."""
        return torch.stack([self._weighed(task, loss) for task, loss in losses.items()]).sum()

    def curves(self) -> dict[str, float]:
        """What a loss is multiplied with, of each head."""
        return {
            f"factor/{task}": 0.5 / self.log_variance[f"head_{task}"].exp().item()
            for task in self.tasks
        }

    def _weighed(self, task: str, loss: Tensor) -> Tensor:
        log_variance = self.log_variance[f"head_{task}"]
        weighed: Tensor = loss / (2 * log_variance.exp()) + log_variance / 2
        return weighed
