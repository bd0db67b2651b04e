"""One step after another."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.batches.pipeline import Batch
from lsd.training.learner import Learner
from lsd.training.modes.mode import TrainingMode
from lsd.training.step import Update, step


class PlainMode(TrainingMode):
    """`spec.Plain`."""

    def step(self, learner: Learner, batches: Iterator[Batch | None]) -> Update:
        """One update of the weights."""
        return step(learner, batches)
