"""The discriminative loss as what a head of embeddings is learned by."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lsd.losses.embedding import energy, samples_with_objects
from lsd.losses.loss import HeadLoss, LossSample, Totals
from lsd.targets.embeddings import MetricAffinities
from lsd.targets.target import TargetKind


class DiscriminativeLoss(HeadLoss):
    """`spec.Discriminative`: mean over the samples of a batch that hold an object; see
    `lsd.losses.embedding`.

    Samples have nothing to do with each other, so a batch that processes share has the loss of the
    whole where each has whole samples.
    """

    def misfit(self, target: TargetKind[Any]) -> str:
        """Embeddings only."""
        if isinstance(target.activation, MetricAffinities):
            return ""
        return (
            f"loss 'discriminative' learns embeddings, and {target.spec.kind!r} has none; take the "
            "target Embeddings()"
        )

    def totals(self, sample: LossSample) -> Totals:
        """How many samples hold an object."""
        return {"samples": samples_with_objects(sample.labels, sample.known)}

    def forward(self, sample: LossSample, totals: Totals) -> Tensor:
        """The sum over these samples, by how many samples of the whole batch hold an object."""
        activation = sample.activations[sample.head]
        assert isinstance(activation, MetricAffinities)
        energies = energy(
            sample.own_logits, sample.labels, sample.known, settings=self.spec, dd=activation.dd
        )
        return energies / totals["samples"].clamp(min=1)
