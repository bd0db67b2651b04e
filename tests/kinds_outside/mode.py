"""A mode of one's own: noise is added to the weights after each step."""

from typing import ClassVar, Literal

import torch

from lsd import spec
from lsd.training.modes.plain import PlainMode


class Noisy(spec.Mode):
    """Steps, each followed by noise.

    scale: of the noise
    """

    kind: Literal["noisy"] = "noisy"
    behaviour: ClassVar[str] = "kinds_outside.mode:NoisyMode"
    scale: float = 0.001


class NoisyMode(PlainMode):
    def step(self, learner, batches):
        update = super().step(learner, batches)
        generator = torch.Generator().manual_seed(learner.iteration)
        with torch.no_grad():
            for parameter in learner.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator) * self.spec.scale)
        return update
