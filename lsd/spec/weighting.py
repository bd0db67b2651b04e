"""How the losses of a stage's heads become one gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from lsd.spec.kinds import Kind
from lsd.spec.names import Word
from lsd.spec.targets import Target


class Weighting(Kind):
    """How the losses of a stage's heads are weighed against each other; see
    `lsd.losses.weighting.balancer` for what a kind of it does.

    The `weight` of a head's loss is multiplied before.
    """

    default: ClassVar[str] = "fixed"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "weighting"
    # whether it is between heads, so that one head alone gives it nothing to do
    wants_several: ClassVar[bool] = False

    def target_of(self, targets: Mapping[str, Target]) -> str:
        """The head that the others are there to help; targets: what each head learns.

        For kinds to which all heads are equal this is the first.  Raises ValueError where there is
        none.
        """
        return next(iter(targets))


class Fixed(Weighting):
    """Sum of the losses, each times its `weight`."""

    kind: Literal["fixed"] = "fixed"
    behaviour: ClassVar[str] = "lsd.losses.weighting.fixed:FixedSum"


class Uncertainty(Weighting):
    """Sum of loss / (2 exp s) + s / 2 over the heads, where s is learned for each of them.

    start: what each s begins with
    Source: Kendall et al. 2018.
    """

    kind: Literal["uncertainty"] = "uncertainty"
    behaviour: ClassVar[str] = "lsd.losses.weighting.uncertainty:UncertaintySum"
    start: float = -0.5


class PCGrad(Weighting):
    """A head's gradient loses what points against that of another, for each pair in random order.

    Source: Yu et al. 2020.
    """

    kind: Literal["pcgrad"] = "pcgrad"
    behaviour: ClassVar[str] = "lsd.losses.weighting.pcgrad:ProjectConflicts"
    wants_several: ClassVar[bool] = True


class Targeted(Weighting):
    """Kinds to which one head is what training is for.

    target: this head; None: the head of affinities, where the stage has one
    """

    wants_several: ClassVar[bool] = True
    target: Word | None = None

    def target_of(self, targets: Mapping[str, Target]) -> str:
        """The head that is named, or the only one of affinities."""
        try:
            return target_head(targets, self.target)
        except ValueError as error:
            raise ValueError(f"weighting {self.kind!r}: {error}") from None


class ProjectAuxiliary(Targeted):
    """The gradient of each other head loses what points against that of the target."""

    kind: Literal["project_auxiliary"] = "project_auxiliary"
    behaviour: ClassVar[str] = "lsd.losses.weighting.project_auxiliary:ProjectAuxiliaries"


class CosineGate(Targeted):
    """The gradient of each other head counts by its cosine with that of the target, not at all
    where the cosine is below 0.

    Source: Du et al. 2018.
    """

    kind: Literal["cosine_gate"] = "cosine_gate"
    behaviour: ClassVar[str] = "lsd.losses.weighting.cosine_gate:GateByCosine"


def target_head(targets: Mapping[str, Target], name: str | None) -> str:
    """The head of this name, or without a name the only one of affinities.

    targets: what each head learns
    Raises ValueError, naming the heads, where that is none of them.
    """
    heads = ", ".join(targets)
    if name is not None:
        if name not in targets:
            raise ValueError(f"target {name!r} is none of the heads: {heads}")
        return name
    of_affinities = [
        head for head, target in targets.items() if target.affinity_offsets() is not None
    ]
    if len(of_affinities) != 1:
        count = "several" if of_affinities else "none"
        raise ValueError(f"of the heads {heads}, {count} learn affinities; name one: target=...")
    return of_affinities[0]
