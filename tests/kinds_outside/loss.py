"""A loss of one's own: cross entropy of logits over a temperature that is learned."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits

from lsd import spec
from lsd.losses.loss import HeadLoss


class Tempered(spec.Loss):
    """Binary cross entropy of logits / temperature.

    begin: the temperature that training begins with
    """

    kind: Literal["tempered"] = "tempered"
    behaviour: ClassVar[str] = "kinds_outside.loss:TemperedLoss"
    begin: Annotated[float, Field(gt=0)] = 1.0


class TemperedLoss(HeadLoss):
    """Labels are used as well: background counts half."""

    def __init__(self, spec):
        super().__init__(spec)
        self.log_temperature = torch.nn.Parameter(torch.tensor(spec.begin).log())

    def totals(self, sample):
        return {"weight": self._weights(sample).sum()}

    def forward(self, sample, totals):
        weights = self._weights(sample)
        logits = sample.own_logits.float() / self.log_temperature.exp()
        errors = binary_cross_entropy_with_logits(logits, sample.own_target, reduction="none")
        return (errors * weights).sum() / totals["weight"].clamp(min=1)

    def _weights(self, sample):
        halved = torch.where(sample.labels == 0, 0.5, 1.0) * sample.known
        return (sample.own_weights * halved).expand_as(sample.own_target)
