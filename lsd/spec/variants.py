"""A variant: stages that run one after another, the heads of each, and what each head learns."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lsd.spec.base import PositiveFloat, Several, SeveralSpecs, Spec
from lsd.spec.kinds import Kind
from lsd.spec.names import Hyphenated, Word
from lsd.spec.targets import Target
from lsd.spec.weighting import Fixed, Weighting


class Loss(Kind):
    """How a head learns its target; see `lsd.losses.loss` for what a kind of it says.

    weight: factor of the loss beside those of the stage's other heads; see `Weighting`
    """

    default: ClassVar[str] = "mse"
    noun: ClassVar[str] = "loss"

    weight: PositiveFloat = 1.0


class Mse(Loss):
    """Weighted mean squared error of probabilities.

    balance: positives and negatives of a channel weigh the same in sum (only for 0/1 targets)
    """

    kind: Literal["mse"] = "mse"
    behaviour: ClassVar[str] = "lsd.losses.mse:MseLoss"
    balance: bool = False


class Bce(Loss):
    """Weighted binary cross entropy on logits.

    balance: positives and negatives of a channel weigh the same in sum (only for 0/1 targets)
    """

    kind: Literal["bce"] = "bce"
    behaviour: ClassVar[str] = "lsd.losses.bce:BceLoss"
    balance: bool = False


class Head(Spec):
    """An output of a stage.  Networks give logits; what becomes of them is said by the target.

    target: what it learns
    loss:   how it learns it
    """

    target: Target
    loss: Loss = Mse()


class Stage(Spec):
    """One network.

    name:  of the stage, also of the folder of its checkpoints
    reads: "raw" and heads of earlier stages; their channels enter in this order
    heads: its outputs by name
    weighting: how the losses of the heads are weighed against each other, by name or as a value
    """

    name: Hyphenated = "main"
    reads: Annotated[tuple[str, ...], Several, Field(min_length=1)] = ("raw",)
    heads: Annotated[dict[Word, Head], Field(min_length=1)]
    # not written where it is the usual one: configs of before had no such field
    weighting: Annotated[Weighting, Field(exclude_if=lambda kind: kind == Fixed())] = Fixed()

    @field_validator("heads")
    @classmethod
    def _beside_records(cls, heads: dict[str, Head]) -> dict[str, Head]:
        if "blocks" in heads:
            raise ValueError(
                "a head called 'blocks' would lie where the record of a prediction's blocks does; "
                "rename it"
            )
        return heads

    @model_validator(mode="after")
    def _weighting_has_its_target(self) -> Stage:
        self.weighting.target_of(self.targets())
        return self

    def targets(self) -> dict[str, Target]:
        """What each head learns."""
        return {name: head.target for name, head in self.heads.items()}


class Variant(Spec):
    """What is learnt.

    stages: in the order they run; a stage reads raw and heads of earlier stages
    """

    stages: Annotated[tuple[Stage, ...], SeveralSpecs, Field(min_length=1)]

    @model_validator(mode="after")
    def _stages_read_what_is_there(self) -> Variant:
        known, names = ["raw"], set()
        for index, stage in enumerate(self.stages):
            for read in stage.reads:
                if read not in known:
                    raise ValueError(
                        f"stage {index} reads {read!r}; earlier stages give: {', '.join(known)}"
                    )
            for head in stage.heads:
                if head in known:
                    raise ValueError(
                        f"head {head!r} of stage {index} exists already; give it another name"
                    )
            if stage.name in names:
                raise ValueError(
                    f"two stages are called {stage.name!r}; checkpoints are kept by stage name, so "
                    f"rename one"
                )
            names.add(stage.name)
            known += stage.heads
        return self

    def heads(self) -> dict[str, Head]:
        """Every head of every stage by name."""
        return {name: head for stage in self.stages for name, head in stage.heads.items()}
