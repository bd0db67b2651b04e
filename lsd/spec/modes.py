"""What training does beside one step after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import field_validator

from lsd.spec.base import Positive, PositiveFloat, Probability, Region, Several, SeveralSpecs
from lsd.spec.kinds import Kind
from lsd.spec.names import Word
from lsd.spec.targets import Target
from lsd.spec.variants import Variant
from lsd.spec.weighting import target_head


class Mode(Kind):
    """How the steps of a stage follow each other; see `lsd.training.modes.mode` for what a kind of
    it does."""

    default: ClassVar[str] = "plain"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "mode"

    def misfit(self, variant: Variant, *, iterations: int, validates: bool) -> str | None:
        """What it wants of a config and does not get, in a sentence with the way out.

        iterations: of each stage; validates: there are volumes to validate on
        """
        return None

    def rounded(self, iterations: int) -> int:
        """The iterations nearest below these (or one round, where these are fewer) that make whole
        rounds, if it works in rounds."""
        return iterations

    def shortened(self, iterations: int) -> Self:
        """The same in a training of so few iterations, for measuring how long they take."""
        return self


class Plain(Mode):
    """One step after another."""

    kind: Literal["plain"] = "plain"
    behaviour: ClassVar[str] = "lsd.training.modes.plain:PlainMode"


class ForkMerge(Mode):
    """Branches that learn other tasks beside the target, from the same weights and batches; every
    so many iterations they become one again, as is best for the target's validation.

    It is of stages that have the target and other heads; others are trained as in plain.

    every:    iterations between two merges, in which each branch takes as many steps.
              train.iterations is a multiple of it
    target:   the head that counts; None: the one of affinities
    branches: beside the first, which learns the target alone: heads, and the factor of the loss of
              each; those that are not named are not learned.  Empty: for each other head one
              branch, which learns it and the target
    factors:  with which a branch may be added to those that are better: 1 gives it as much weight
              as these have on the average, 0 none
    score:    what is compared: of the segmentation of the validation volumes, as in validation, or
              the loss of the target there, which is cheaper
    region:   part of each validation volume that is scored; empty: evaluate.region
    Source: Jiang et al. 2023 (arXiv 2301.12618).
    """

    kind: Literal["forkmerge"] = "forkmerge"
    behaviour: ClassVar[str] = "lsd.training.modes.forkmerge:ForkMergeMode"
    every: Positive = 1000
    target: Word | None = None
    branches: Annotated[tuple[dict[Word, PositiveFloat], ...], SeveralSpecs] = ()
    factors: Annotated[tuple[Probability, ...], Several] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    score: Literal["segmentation", "loss"] = "segmentation"
    region: Region = ()

    @field_validator("factors")
    @classmethod
    def _ascending(cls, factors: tuple[float, ...]) -> tuple[float, ...]:
        if not any(factors):
            raise ValueError(
                f"factors {factors} add no branch to another; give some above 0, as in (0.5, 1)"
            )
        return tuple(sorted({0.0, *factors}))

    def rounded(self, iterations: int) -> int:
        """A multiple of `every`."""
        return max(1, iterations // self.every) * self.every

    def shortened(self, iterations: int) -> Self:
        """One round."""
        return self.derive(every=iterations)

    def misfit(self, variant: Variant, *, iterations: int, validates: bool) -> str | None:
        """It wants a stage with a target and other heads, whole rounds, and validation volumes."""
        return next(self._misfits(variant, iterations, validates=validates), None)

    def forks(self, targets: Mapping[str, Target]) -> bool:
        """Whether a stage is trained in branches; targets: what each of its heads learns."""
        try:
            target_head(targets, self.target)
        except ValueError:
            return False
        return len(targets) > 1

    def learned(self, targets: Mapping[str, Target]) -> dict[str, dict[str, float]]:
        """The branches of a stage that is forked, by name: heads, and the factor of each.

        Raises ValueError where a branch is none.
        """
        target = target_head(targets, self.target)
        others = [head for head in targets if head != target]
        given = self.branches or tuple({target: 1.0, head: 1.0} for head in others)
        for branch in given:
            _check_branch(branch, target, targets)
        branches = ({target: 1.0}, *given)
        named = {_name(branch, target): branch for branch in branches}
        if len(named) < len(branches):
            raise ValueError(f"two branches are the same; there are: {', '.join(named)}")
        return named

    def _misfits(self, variant: Variant, iterations: int, *, validates: bool) -> Iterator[str]:
        forked = [stage.targets() for stage in variant.stages if self.forks(stage.targets())]
        target = "one head of affinities" if self.target is None else f"the target {self.target!r}"
        if not forked:
            yield (
                f"train.mode='forkmerge' wants a stage with {target} and another head; take a "
                "variant such as mtlsd, or name the head: target=..."
            )
        for targets in forked:
            try:
                self.learned(targets)
            except ValueError as error:
                yield f"train.mode.branches: {error}"
        below = iterations // self.every * self.every
        if below < iterations:
            allowed = " or ".join(str(n) for n in (below, below + self.every) if n)
            yield (
                f"train.iterations={iterations} is no multiple of train.mode.every={self.every}, "
                f"so the last branches would not be merged; take train.iterations={allowed}"
            )
        if not validates:
            yield (
                "train.mode='forkmerge' compares branches on validation volumes, and "
                "dataset.validate is empty; name one there"
            )


def _check_branch(branch: Mapping[str, float], target: str, targets: Mapping[str, Target]) -> None:
    for head in branch:
        if head not in targets:
            raise ValueError(f"{head!r} is none of the heads: {', '.join(targets)}")
    if target not in branch:
        raise ValueError(
            f"{dict(branch)} does not learn the target; add it, as in {{{target!r}: 1}}"
        )


def _name(branch: Mapping[str, float], target: str) -> str:
    """As in "affs + 0.1 lsds"."""
    ordered = sorted(branch.items(), key=lambda item: item[0] != target)
    return " + ".join(head if factor == 1 else f"{factor:g} {head}" for head, factor in ordered)
