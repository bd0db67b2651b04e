"""Branches that learn other tasks beside the target, and become one again every so often.

The branches are learners that take their steps side by side, from the same batches.  So what they
differ in is what they learn, a batch is made once, an iteration is one step of each branch, and a
checkpoint, which holds all of them, is of one iteration.  The learner of the stage is the branch
that learns the target alone; between two merges its weights are those that are validated and kept
as the stage's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from lsd.batches.pipeline import Batch
from lsd.network import randomness
from lsd.segmentation.predicted import is_decoded
from lsd.spec import Config, Stage
from lsd.spec.weighting import target_head
from lsd.training.learner import Learner, new_learner
from lsd.training.modes import weights
from lsd.training.modes.greedy import Weights, merge
from lsd.training.modes.history import merge_in_words, merged_record, write_history
from lsd.training.modes.mode import TrainingMode
from lsd.training.step import Update, step
from lsd.training.validation import Validator

log = logging.getLogger(__name__)


class ForkMergeMode(TrainingMode):
    """`spec.ForkMerge`.

    Each branch keeps its optimiser, learning rate and loss scale over merges; weights, buffers,
    what losses own, and moving averages are merged.
    Source: Jiang et al. 2023 (arXiv 2301.12618), algorithms 1 and 2.
    """

    def check(self, config: Config, stage: Stage) -> None:
        """Opens what branches are scored on."""
        if not self.spec.forks(stage.targets()):
            return
        is_scored = is_decoded(config.segment, stage.heads, dims=config.network.dims)
        if self.spec.score == "segmentation" and not is_scored:
            raise ValueError(
                f"train.mode.score='segmentation', but the decoder reads other heads than stage "
                f"{stage.name!r} has ({', '.join(stage.heads)}); set train.mode.score=loss, or "
                f"segment.affinities to one of them"
            )
        self._validator(config, stage)

    def prepare(self, learner: Learner) -> None:
        """A learner for each further branch, with the same weights."""
        stage, targets = learner.stage.name, learner.stage.targets()
        if not self.spec.forks(targets):
            log.info("stage %s: it has no target and others, so it is not forked", stage)
            return
        branches = self.spec.learned(targets)
        log.info("stage %s: %d branches: %s", stage, len(branches), "; ".join(branches))
        learner.learned, *others = branches.values()
        for learned in others:
            learner.branches.append(_branch(learner))
            learner.branches[-1].learned = learned

    def step(self, learner: Learner, batches: Iterator[Batch | None]) -> Update:
        """A step of each branch; after the last of a round they are merged."""
        if not learner.branches:
            return step(learner, batches)
        same = list(islice(batches, learner.config.train.accumulate))
        branches = [learner, *learner.branches]
        updates = [step(branch, iter(same)) for branch in branches]
        for branch in branches:
            # they are as large as the weights, and the next step begins without them
            branch.optimizer.zero_grad()
        if learner.iteration % self.spec.every == 0:
            self._merge(learner)
        return _seen_together(updates, learner.stage)

    def _merge(self, learner: Learner) -> None:
        """Makes the branches one; which weight each has is noted in learner.merges."""
        stage, ranks = learner.stage, learner.ranks
        validator = self._validator(learner.config, stage) if ranks.is_first else None
        # the learner is what is scored with, so its own weights are kept aside
        sets = [
            weights.copied(weights.weights_of(learner)),
            *(weights.weights_of(branch) for branch in learner.branches),
        ]

        def score(candidate: Weights) -> float:
            weights.set_weights(learner, candidate)
            with learner.averaged():
                return ranks.from_first(lambda: _score(learner, validator))

        merged = merge(sets, score, factors=self.spec.factors)
        for branch in (learner, *learner.branches):
            weights.set_weights(branch, merged.weights)
        names = tuple(self.spec.learned(stage.targets()))
        record = merged_record(merged, names, iteration=learner.iteration)
        learner.merges.append(record)
        log.info(
            "stage %s, iteration %d: %s", stage.name, learner.iteration, merge_in_words(record)
        )
        if ranks.is_first:
            write_history(learner)

    def _validator(self, config: Config, stage: Stage) -> Validator:
        """Of the target alone, whatever is validated in between."""
        evaluate = {"region": self.spec.region} if self.spec.region else {}
        config = config.derive(train={"validate_every": 1}, evaluate=evaluate)
        target = target_head(stage.targets(), self.spec.target)
        by_loss = self.spec.score == "loss"
        return Validator(config, stage, heads=(target,) if by_loss else None)


def _branch(learner: Learner) -> Learner:
    """Another learner with the same weights, which begins at the same iteration."""
    # building a network draws weights from the generator that training goes on with
    states = randomness.capture()
    branch = new_learner(learner.config, learner.stage)
    randomness.restore(states)
    for stage in learner.config.variant.stages:
        if stage == learner.stage:
            break
        # what is frozen is there once
        branch.cascade.add_module(f"stage_{stage.name}", learner.cascade.stage(stage.name))
    branch.ranks = learner.ranks
    weights.set_weights(branch, weights.weights_of(learner))
    return branch


def _score(learner: Learner, validator: Validator | None) -> float:
    assert validator is not None, "the first process has it"
    return validator(learner.cascade, learner.losses).score


def _seen_together(updates: Sequence[Update], stage: Stage) -> Update:
    """The update of the target, and of each other head that of the first branch that learns it."""
    first = updates[0]
    learns = {
        head: next((update for update in updates if head in update.heads), None)
        for head in stage.heads
    }
    heads = {head: update.heads[head] for head, update in learns.items() if update}
    logits = {
        head: update.logits[head] for head, update in learns.items() if update and update.logits
    }
    return Update(first.loss, heads, first.gradient_norm, first.batch, logits)
