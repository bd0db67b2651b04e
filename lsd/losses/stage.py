"""The losses of all heads of a stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from lsd.arrays.offsets import Offset
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.losses.weighting.balancer import Balancer
from lsd.spec import Fixed, Head, Weighting
from lsd.spec.kinds import behaviour
from lsd.targets.activation import Readout
from lsd.targets.target import target_kind


class StageLosses(nn.Module):
    """The loss of each head of a stage, and how they are weighed against each other (`balancer`).

    weighting: None: the losses are added up
    dims:      of the network, 2 or 3; None: how many channels a target has is not looked at

    Raises ValueError where a head has a loss that its target cannot be learned by, or the weighting
    has no target.
    """

    def __init__(
        self,
        heads: Mapping[str, Head],
        *,
        weighting: Weighting | None = None,
        dims: int | None = None,
    ) -> None:
        super().__init__()
        self.names = tuple(heads)
        self._targets = {name: target_kind(head.target) for name, head in heads.items()}
        for name, head in heads.items():
            loss, target = behaviour(head.loss), self._targets[name]
            wrong = loss.misfit(target)
            if dims is not None:
                wrong = wrong or loss.miscount(target.channels(dims))
            if wrong:
                raise ValueError(f"head {name!r}: {wrong}")
            # a head may be called like anything that a module has, such as "train"
            self.add_module(f"head_{name}", loss)
        self._weights = {name: head.loss.weight for name, head in heads.items()}
        weighting = weighting or Fixed()
        followed = weighting.target_of({name: head.target for name, head in heads.items()})
        self.balancer: Balancer = behaviour(
            weighting, self.names, target=self.names.index(followed)
        )

    def head(self, name: str) -> HeadLoss:
        """The loss of a head."""
        loss = self.get_submodule(f"head_{name}")
        assert isinstance(loss, HeadLoss)
        return loss

    @property
    def activations(self) -> dict[str, Readout]:
        """What turns the logits of each head into values."""
        return {name: target.activation for name, target in self._targets.items()}

    def neighborhoods(self, dims: int) -> dict[str, tuple[Offset, ...]]:
        """Offsets of the channels of heads that learn affinities, by head; dims: of the network."""
        offsets = {name: target.neighborhood(dims) for name, target in self._targets.items()}
        return {name: own for name, own in offsets.items() if own is not None}

    def remarks(self) -> list[str]:
        """What is strange, but not wrong, about the losses of these heads."""
        return [
            f"head {name}: {remark}"
            for name, target in self._targets.items()
            for remark in self.head(name).remarks(target)
        ]

    def totals(
        self, sample: LossSample, *, heads: Iterable[str] | None = None
    ) -> dict[str, Totals]:
        """What each head's loss needs of the whole batch, summed over this sample; see
        `HeadLoss.totals`.  heads: whose losses are wanted; None: of all."""
        wanted = self.names if heads is None else heads
        return {name: self.head(name).totals(sample.of(name)) for name in wanted}

    def forward(self, sample: LossSample, totals: Mapping[str, Totals]) -> dict[str, Tensor]:
        """The loss of each head in totals, a scalar with its graph; totals: of the whole batch.

        Raises ValueError where a loss is no such scalar.
        """
        return {name: self._loss(sample.of(name), of_head) for name, of_head in totals.items()}

    def _loss(self, sample: LossSample, totals: Totals) -> Tensor:
        head = self.head(sample.head)
        loss, said = head(sample, totals), f"loss {head.spec.kind!r} of head {sample.head!r} gives"
        if not isinstance(loss, Tensor) or loss.ndim:
            raise ValueError(
                f"{said} {_what(loss)}; it must give one number, a tensor without axes"
            )
        if loss.requires_grad or not sample.own_logits.requires_grad:
            return loss
        if loss != 0:
            raise ValueError(
                f"{said} {loss.item():g} without a gradient, so nothing would be learned; compute "
                "it from sample.own_logits or own_values with torch, without detach() and numpy"
            )
        # of a batch in which nothing counts: 0, and so is its gradient, whatever the logits are
        return sample.own_logits[:0].float().sum()

    def weighted(
        self, losses: Mapping[str, Tensor], *, factors: Mapping[str, float] | None = None
    ) -> dict[str, Tensor]:
        """Losses as the balancer takes them: each times the weight of its head, and times a factor
        by head where there are any."""
        factors = factors or dict.fromkeys(losses, 1.0)
        return {name: self._weights[name] * factors[name] * loss for name, loss in losses.items()}


def _what(loss: object) -> str:
    if isinstance(loss, Tensor):
        return f"a tensor of shape {tuple(loss.shape)}"
    return type(loss).__name__
