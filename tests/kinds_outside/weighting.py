"""Weightings of one's own: one of gradients, and one of losses that owns a parameter."""

from typing import ClassVar, Literal

import numpy as np
import torch

from lsd import spec
from lsd.losses.weighting.balancer import Balancer, GradientBalancer


class EqualLength(spec.Weighting):
    """Gradients of all tasks are made as long as that of the first."""

    kind: Literal["equal_length"] = "equal_length"
    behaviour: ClassVar[str] = "kinds_outside.weighting:EqualLengths"


class EqualLengths(GradientBalancer):
    def factors(self, products, *, orders):
        lengths = np.sqrt(np.diagonal(products))
        return np.divide(lengths[0], lengths, out=np.zeros_like(lengths), where=lengths > 0)


class PowerMean(spec.Weighting):
    """(sum L^p)^(1 / p), p learned.

    start: p at the beginning
    """

    kind: Literal["power_mean"] = "power_mean"
    behaviour: ClassVar[str] = "kinds_outside.weighting:PowerOfLosses"
    start: float = 2.0


class PowerOfLosses(Balancer):
    def __init__(self, spec, tasks, *, target=0):
        super().__init__(spec, tasks, target=target)
        self.power = torch.nn.Parameter(torch.tensor(spec.start))

    def forward(self, losses):
        return torch.stack(list(losses.values())).pow(self.power).sum().pow(1 / self.power)
