"""The losses of all heads of a stage."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from lsd.losses.balancer import FixedSum
from lsd.losses.loss import HeadLoss, Sample, Totals
from lsd.spec import Head
from lsd.spec.kinds import behaviour


class StageLosses(nn.Module):
    """The loss of each head of a stage, and how they are combined (`balancer`)."""

    def __init__(self, heads: Mapping[str, Head]) -> None:
        super().__init__()
        self.names = tuple(heads)
        for name, head in heads.items():
            # a head may be called like anything that a module has, such as "train"
            self.add_module(f"head_{name}", behaviour(head.loss))
        self.balancer = FixedSum({name: head.loss.weight for name, head in heads.items()})

    def head(self, name: str) -> HeadLoss:
        """The loss of a head."""
        loss = self.get_submodule(f"head_{name}")
        assert isinstance(loss, HeadLoss)
        return loss

    def totals(self, sample: Sample) -> dict[str, Totals]:
        """What each head's loss needs of the whole batch, summed over this sample; see
        `HeadLoss.totals`."""
        return {name: self.head(name).totals(sample.of(name)) for name in self.names}

    def forward(self, sample: Sample, totals: Mapping[str, Totals]) -> dict[str, Tensor]:
        """The loss of each head, a scalar with its graph; totals: of the whole batch."""
        return {name: self.head(name)(sample.of(name), totals[name]) for name in self.names}
