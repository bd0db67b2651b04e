"""One step after another."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.batches.pipeline import Batch
from lsd.spec import Config, Stage
from lsd.training.learner import Learner
from lsd.training.modes.mode import TrainingMode
from lsd.training.step import Update, step


class PlainMode(TrainingMode):
    """`spec.Plain`."""

    def check(self, config: Config, stage: Stage) -> None:
        """It wants nothing."""

    def prepare(self, learner: Learner) -> None:
        """A learner is all it needs."""

    def step(self, learner: Learner, batches: Iterator[Batch | None]) -> Update:
        """One update of the weights."""
        return step(learner, batches)
