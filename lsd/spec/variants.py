"""A variant: stages that run one after another, the heads of each, and what each head learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lsd.spec.base import NonNegativeFloat, PositiveFloat, Several, SeveralSpecs, Spec
from lsd.spec.kinds import Kind
from lsd.spec.names import Hyphenated, Word
from lsd.spec.targets import Target
from lsd.spec.weighting import Fixed, Weighting

# how voxels can be neighbours, by axes
CONNECTIVITIES = {2: (4, 8), 3: (6, 18, 26)}


def _not_all_zero(field: str, weights: tuple[float, ...] | None) -> tuple[float, ...] | None:
    if weights is not None and not any(weights):
        raise ValueError(f"{field} {weights} are all 0, so nothing would be learned; raise one")
    return weights


class Loss(Kind):
    """How a head learns its target; see `lsd.losses.loss` for what a kind of it says.

    weight: factor of the loss beside those of the stage's other heads; see `Weighting`
    """

    default: ClassVar[str] = "mse"
    noun: ClassVar[str] = "loss"

    weight: PositiveFloat = 1.0

    def faults(self, dims: int) -> Iterator[str]:
        """What it cannot be beside a network of `dims` axes (2 or 3): a line each, which begins
        with the field, as in "connectivity: ...".  Nothing unless a kind says so."""
        yield from ()


class ByChannel(Loss):
    """Losses of single voxels, in which channels may count differently.

    channel_weights: how much each channel of the head counts beside the others, one for each, as of
                     the offsets of a kernel; None: all alike
    """

    # not written where it is the usual one: losses of before had no such field
    channel_weights: Annotated[
        tuple[NonNegativeFloat, ...] | None, Field(exclude_if=lambda weights: weights is None)
    ] = None

    @field_validator("channel_weights")
    @classmethod
    def _some_count(cls, weights: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return _not_all_zero("channel_weights", weights)


class Mse(ByChannel):
    """Weighted mean squared error of probabilities.

    balance: positives and negatives of a channel weigh the same in sum (only for 0/1 targets)
    """

    kind: Literal["mse"] = "mse"
    behaviour: ClassVar[str] = "lsd.losses.mse:MseLoss"
    balance: bool = False


class Bce(ByChannel):
    """Weighted binary cross entropy on logits.

    balance: positives and negatives of a channel weigh the same in sum (only for 0/1 targets)
    """

    kind: Literal["bce"] = "bce"
    behaviour: ClassVar[str] = "lsd.losses.bce:BceLoss"
    balance: bool = False


class Dice(ByChannel):
    """Weighted soft dice of probabilities, for each channel over the whole batch.

    smooth: voxels of agreement that are added, so that a channel that is 0 everywhere is learned
            too
    """

    kind: Literal["dice"] = "dice"
    behaviour: ClassVar[str] = "lsd.losses.dice:DiceLoss"
    smooth: NonNegativeFloat = 1.0


class CrossEntropy(Loss):
    """Cross entropy of classes of which a voxel is one: of the target Semantic.

    class_weights: how much the voxels of each class count, the background first; None: all alike
    balance:       classes of the whole batch weigh the same in sum, but for those that are less
                   than a twentieth of it
    """

    kind: Literal["cross_entropy"] = "cross_entropy"
    behaviour: ClassVar[str] = "lsd.losses.cross_entropy:CrossEntropyLoss"
    class_weights: tuple[NonNegativeFloat, ...] | None = None
    balance: bool = False

    @field_validator("class_weights")
    @classmethod
    def _some_count(cls, weights: tuple[float, ...] | None) -> tuple[float, ...] | None:
        return _not_all_zero("class_weights", weights)


class Discriminative(Loss):
    """Embeddings of an object are drawn to their mean, and means of objects are pushed apart.  Of
    the target Embeddings, whose dd says how far.  An object is a connected piece of a label in the
    sample.

    alpha: weight of what draws a voxel to the mean of its object
    beta:  weight of what pushes the means of two objects apart
    gamma: weight of what draws means to 0
    dv:    distance from its mean within which a voxel is not drawn
    """

    kind: Literal["discriminative"] = "discriminative"
    behaviour: ClassVar[str] = "lsd.losses.discriminative:DiscriminativeLoss"
    alpha: NonNegativeFloat = 1.0
    beta: NonNegativeFloat = 1.0
    gamma: NonNegativeFloat = 0.001
    dv: NonNegativeFloat = 0.0


class Malis(Loss):
    """Constrained MALIS, of affinities: squared error, of which an affinity has a part as large as
    the part of all pairs of voxels that are joined, or kept apart, because of it.

    dense: a loss that is added, times its own weight; None: none.  MALIS says much of few voxels
           and nothing of most, so one that says something of each, such as Mse(balance=True), keeps
           a young network from going astray
    """

    kind: Literal["malis"] = "malis"
    behaviour: ClassVar[str] = "lsd.losses.malis_loss:MalisHeadLoss"
    dense: Loss | None = None

    def faults(self, dims: int) -> Iterator[str]:
        """Those of the dense loss."""
        if self.dense is not None:
            yield from (f"dense.{fault}" for fault in self.dense.faults(dims))


class Supervoxel(ByChannel):
    """Cross entropy, of which mistakes that split an object or join two weigh more.

    A group of connected mistakes is critical where the object has another number of pieces because
    of it.  For heads that learn `Foreground`, whose mistakes are voxels, or `Affinities`, whose
    mistakes are edges.

    mode:      "convex": cross entropy times 1 - alpha, and alpha times the weight of critical
               mistakes; "additive": all of cross entropy, and the same of critical mistakes
    alpha:     how much critical mistakes count
    w_split:   weight of mistakes that split an object or lose it
    w_merge:   weight of mistakes that join objects or make one up
    criterion: of voxels: "joint": all mistakes at once; "individual": each group by itself
    connectivity: of voxels: 6, 18 or 26 in 3D, 4 or 8 in 2D; None: by faces, 6 or 4
    threshold: probability above which there is foreground, from which on an affinity joins
    balance:   positives and negatives of a channel weigh the same in sum
    """

    kind: Literal["supervoxel"] = "supervoxel"
    behaviour: ClassVar[str] = "lsd.losses.supervoxel_loss:SupervoxelHeadLoss"
    mode: Literal["convex", "additive"] = "convex"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    w_split: NonNegativeFloat = 0.5
    w_merge: NonNegativeFloat = 0.5
    criterion: Literal["joint", "individual"] = "joint"
    connectivity: Literal[4, 6, 8, 18, 26] | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    balance: bool = False

    def faults(self, dims: int) -> Iterator[str]:
        """A connectivity of another number of axes."""
        allowed = CONNECTIVITIES[dims]
        if self.connectivity is not None and self.connectivity not in allowed:
            yield (
                f"connectivity: {self.connectivity} does not exist in {dims}D; allowed: "
                f"{', '.join(map(str, allowed))}"
            )


class Head(Spec):
    """An output of a stage.  Networks give logits; what becomes of them is said by the target.

    target: what it learns
    loss:   how it learns it, by name or as a value
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
        if self.weighting.wants_several and len(self.heads) == 1:
            raise ValueError(
                f"weighting {self.weighting.kind!r} weighs heads against each other, and stage "
                f"{self.name!r} has one, {', '.join(self.heads)}; leave weighting out"
            )
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
