"""How the steps of a stage follow each other: the base of every kind of mode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from lsd import spec
from lsd.batches.pipeline import Batch
from lsd.spec import Config, Stage
from lsd.spec.kinds import behaviour
from lsd.training.learner import Learner
from lsd.training.step import Update


class TrainingMode(ABC):
    """What is done in each iteration; made from its spec (`self.spec`).

    It keeps nothing of its own: what goes on from iteration to iteration lies in the learner, and
    so in checkpoints (`Learner.branches`, `Learner.merges`).
    """

    def __init__(self, spec: spec.Mode) -> None:
        # of the kind that this class belongs to, so its fields are known to it alone
        self.spec: Any = spec

    @abstractmethod
    def check(self, config: Config, stage: Stage) -> None:
        """Raises ValueError for what would be noticed late only, such as data that are not
        there."""

    @abstractmethod
    def prepare(self, learner: Learner) -> None:
        """Gives the learner of a stage what it needs beside its weights, before its first
        iteration, and before it is restored from a checkpoint."""

    @abstractmethod
    def step(self, learner: Learner, batches: Iterator[Batch | None]) -> Update:
        """One iteration, from the next train.accumulate batches; see `lsd.training.step.step`.

        learner.iteration is one more afterwards.
        """


def training_mode(spec: spec.Mode) -> TrainingMode:
    """What a mode does."""
    mode = behaviour(spec)
    assert isinstance(mode, TrainingMode)
    return mode
