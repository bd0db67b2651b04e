"""A batch in shares, as several processes have it."""

from dataclasses import replace

import torch

from lsd.losses.loss import LossSample, Totals
from lsd.losses.stage import StageLosses


def shares_of(sample: LossSample) -> list[LossSample]:
    """Each sample of a batch by itself, as one of several processes would have it."""

    def cut(tensors, place):
        return {name: tensor[place : place + 1] for name, tensor in tensors.items()}

    return [
        replace(
            sample,
            logits=cut(sample.logits, place),
            targets=cut(sample.targets, place),
            weights=cut(sample.weights, place),
            labels=sample.labels[place : place + 1],
            known=sample.known[place : place + 1],
        )
        for place in range(len(sample.labels))
    ]


def assert_shares_add_up(losses: StageLosses, sample: LossSample) -> dict[str, Totals]:
    """Losses of the shares of a batch, and their gradients, add up to those of the batch; what was
    summed over the shares."""
    whole, shares = losses(sample, losses.totals(sample)), shares_of(sample)
    of_shares = [losses.totals(share) for share in shares]
    totals = {
        head: {name: sum(share[head][name] for share in of_shares) for name in of_shares[0][head]}
        for head in whole
    }
    for head, value in whole.items():
        parts = sum(losses(share, totals)[head] for share in shares)
        torch.testing.assert_close(parts, value)
        logits = sample.logits[head]
        one, other = (torch.autograd.grad(each, logits)[0] for each in (parts, value))
        torch.testing.assert_close(one, other)
    return totals
