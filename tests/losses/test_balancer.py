"""Balancers that the protocol is made for: one weighs gradients, one owns parameters."""

import numpy as np
import torch
from torch import nn

from lsd.losses.balancer import Balancer, FixedSum


class Projected(Balancer):
    """Gradients of later losses lose what points against that of the first."""

    def forward(self, losses):
        return torch.stack(list(losses.values())).sum()

    def backward(self, value, losses, parameters, *, scale):
        first, *others = (_flat(scale(loss), parameters) for loss in losses.values())
        total = first.clone()
        for other in others:
            against = torch.clamp(other @ first, max=0) / (first @ first)
            total += other - against * first
        sizes = [parameter.numel() for parameter in parameters]
        for parameter, part in zip(parameters, total.split(sizes), strict=True):
            gradient = part.view_as(parameter)
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def _flat(loss, parameters):
    """The gradient, of parameters that the loss does not depend on 0."""
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


class Uncertainty(Balancer):
    """L / (2 exp s) + s / 2 of each head, s learned.  Source: Kendall et al. 2018."""

    def __init__(self, heads):
        super().__init__()
        self.s = nn.ParameterDict({name: nn.Parameter(torch.tensor(-0.5)) for name in heads})

    def forward(self, losses):
        return torch.stack(
            [loss / (2 * self.s[name].exp()) + self.s[name] / 2 for name, loss in losses.items()]
        ).sum()


def _losses():
    """Of two parameters, gradients of which point against each other."""
    a, b = nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([[3.0]]))
    losses = {"one": (a * torch.tensor([1.0, 0.5])).sum() + b.sum() ** 2, "other": -2 * a.sum()}
    return (a, b), losses


def _gradient(balancer):
    parameters, losses = _losses()
    balancer.backward(balancer(losses), losses, parameters, scale=lambda loss: 4 * loss)
    return np.concatenate([parameter.grad.numpy().ravel() for parameter in parameters])


ONE, OTHER = np.array([1.0, 0.5, 6.0]), np.array([-2.0, -2.0, 0.0])


def test_the_sum_follows_the_sum_of_gradients() -> None:
    found = _gradient(FixedSum({"one": 1.0, "other": 0.25}))
    np.testing.assert_allclose(found, 4 * (ONE + 0.25 * OTHER))


def test_one_that_weighs_gradients() -> None:
    projected = OTHER - (OTHER @ ONE) / (ONE @ ONE) * ONE
    np.testing.assert_allclose(_gradient(Projected()), 4 * (ONE + projected), rtol=1e-6)


def test_one_with_parameters() -> None:
    balancer = Uncertainty(("one", "other"))
    weight = 1 / (2 * np.exp(-0.5))
    np.testing.assert_allclose(_gradient(balancer), 4 * weight * (ONE + OTHER), rtol=1e-6)
    losses = {name: loss.item() for name, loss in _losses()[1].items()}
    for name, parameter in balancer.s.items():
        expected = 4 * (0.5 - losses[name] * weight)
        np.testing.assert_allclose(parameter.grad.item(), expected, rtol=1e-6)
