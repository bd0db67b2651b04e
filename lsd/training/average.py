"""Exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Averages the trained parameters of `module`: a <- d a + (1 - d) w after every step.

    d = min(decay, (1 + i) / (10 + i)) at step i, so that the first weights, which are noise, are
    soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {
            name: parameter.detach().clone() for name, parameter in _trained(module).items()
        }

    @torch.no_grad()
    def update(self, module: nn.Module, iteration: int) -> None:
        """Adds the weights of `module` after step `iteration` (from 0) to the average."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        for name, parameter in _trained(module).items():
            self.weights[name].lerp_(parameter, 1 - decay)

    @torch.no_grad()
    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Goes on from `weights`, those of a checkpoint or a network."""
        for name, weight in self.weights.items():
            weight.copy_(weights[name])


@contextmanager
def averaged(module: nn.Module, average: Average | None) -> Iterator[None]:
    """Inside, `module` has the averaged weights; without an average, its own."""
    parameters = _trained(module) if average else {}
    trained = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    try:
        _put(parameters, average.weights if average else {})
        yield
    finally:
        _put(parameters, trained)


@torch.no_grad()
def _put(parameters: Mapping[str, nn.Parameter], weights: Mapping[str, Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return {
        name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad
    }
