"""What becomes of the logits of a head: the values that it predicts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from lsd.spec.answering import HandedOut

if TYPE_CHECKING:
    from torch import Tensor

# how far from both ends of their range values are moved before they become logits
EDGE = 1e-6


class Readout(HandedOut, ABC):
    """From logits to values; made by a target for the heads that learn it.

    A value may follow from logits of several channels and voxels, so logits and values may differ
    in their channels (`lsd.targets.target.TargetKind.logit_channels`).  One that follows from its
    own logit alone is an `Activation`, and one of which logits follow is `Invertible`.

    low, high: values lie between these, both included; targets do so, too.  Values are stored as
               uint8 in 255 steps between them
    """

    low: float = 0
    high: float = 1

    @abstractmethod
    def __call__(self, logits: Tensor) -> Tensor:
        """Values (b, c, *spatial) of float32 logits (b, logit channels, *spatial), with a gradient;
        logits stay as they are."""

    def in_place(self, logits: Tensor) -> Tensor:
        """Values of logits that nobody needs any more, so they may be overwritten, which spares
        memory."""
        return self(logits)


class Invertible(Readout):
    """From logits to as many values, voxel by voxel, so that each logit has a value of a target."""

    @abstractmethod
    def inverse(self, values: Tensor) -> Tensor:
        """Logits that become `values`; where those are at an end of the range, finite ones that
        become nearly that."""


class Activation(Invertible):
    """From logits to values, voxel by voxel and channel by channel, whatever their shape."""


class Sigmoid(Activation):
    """1 / (1 + exp(-x)): a probability, or any value in 0..1."""

    def __call__(self, logits: Tensor) -> Tensor:
        """Values in 0..1."""
        return logits.sigmoid()

    def inverse(self, values: Tensor) -> Tensor:
        """log(p / (1 - p)), of probabilities of at least 1e-6 and at most 1 - 1e-6."""
        return values.logit(eps=EDGE)

    def in_place(self, logits: Tensor) -> Tensor:
        """Values in 0..1, in the memory of the logits."""
        return logits.sigmoid_()


class Tanh(Activation):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)): any value in -1..1."""

    low, high = -1, 1

    def __call__(self, logits: Tensor) -> Tensor:
        """Values in -1..1."""
        return logits.tanh()

    def inverse(self, values: Tensor) -> Tensor:
        """Of values of at least -1 + 1e-6 and at most 1 - 1e-6."""
        return values.clamp(EDGE - 1, 1 - EDGE).atanh()

    def in_place(self, logits: Tensor) -> Tensor:
        """Values in -1..1, in the memory of the logits."""
        return logits.tanh_()


class Softmax(Invertible):
    """exp(x) of a channel over the sum of all: probabilities of classes of which a voxel is one."""

    def __call__(self, logits: Tensor) -> Tensor:
        """Values in 0..1 that add up to 1 over the channels."""
        return logits.softmax(1)

    def inverse(self, values: Tensor) -> Tensor:
        """log(p), of probabilities of at least 1e-6."""
        return values.clamp(min=EDGE).log()
