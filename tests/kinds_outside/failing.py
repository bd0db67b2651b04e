"""A loss that fails in the second of several processes, in its third batch."""

import os
from typing import ClassVar, Literal

from lsd import spec
from lsd.losses.mse import MseLoss


class Failing(spec.Loss):
    kind: Literal["failing"] = "failing"
    behaviour: ClassVar[str] = "kinds_outside.failing:FailingLoss"
    balance: bool = False


class FailingLoss(MseLoss):
    batches = 0

    def forward(self, sample, totals):
        self.batches += 1
        if self.batches == 3 and os.environ.get("RANK") == "1":
            raise LookupError("the third batch is not liked")
        return super().forward(sample, totals)
