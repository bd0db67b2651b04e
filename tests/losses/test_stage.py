"""The losses of a stage's heads, their sum, and a batch in shares."""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from kinds_outside.targets import Flow
from shared_batch import assert_shares_add_up
from torch.nn.functional import binary_cross_entropy, mse_loss

from lsd.losses.loss import HeadLoss, LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import Affinities, CosineGate, Descriptors, Fixed, Head, Loss, PCGrad

HEADS = {
    "lsds": Head(target=Descriptors(), loss=Loss(weight=2)),
    "affs": Head(target=Affinities(), loss=Loss(kind="bce", weight=0.5)),
    # a name that a module has for something else
    "train": Head(target=Affinities(), loss=Loss(balance=True)),
}


def sample_of(size: int = 1) -> LossSample:
    torch.manual_seed(0)
    shapes = {"lsds": (size, 10, 3, 4, 5)} | dict.fromkeys(("affs", "train"), (size, 3, 3, 4, 5))
    return LossSample(
        logits={name: torch.randn(shape, requires_grad=True) for name, shape in shapes.items()},
        targets={name: torch.randint(2, shape).float() for name, shape in shapes.items()},
        weights={name: torch.randint(2, shape).float() for name, shape in shapes.items()},
        labels=torch.randint(5, (size, 1, 3, 4, 5)),
        known=torch.ones((size, 1, 3, 4, 5), dtype=torch.bool),
        voxel_size=(30.0, 6.0, 6.0),
        activations=StageLosses(HEADS).activations,
    )


def by_hand(sample: LossSample, function) -> torch.Tensor:
    """Mean over what counts."""
    known = sample.own_weights > 0
    return function(sample.own_logits.sigmoid()[known], sample.own_target[known])


def test_sum_of_weighted_heads():
    sample, losses = sample_of(), StageLosses(HEADS)
    found = losses(sample, losses.totals(sample))
    for name, function in (("lsds", mse_loss), ("affs", binary_cross_entropy)):
        assert found[name].item() == pytest.approx(by_hand(sample.of(name), function).item())
    value = losses.balancer(losses.weighted(found))
    expected = 2 * found["lsds"] + 0.5 * found["affs"] + found["train"]
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    value.backward()
    own = sample.of("lsds")
    gradient = torch.autograd.grad(2 * by_hand(own, mse_loss), own.own_logits)[0]
    torch.testing.assert_close(own.own_logits.grad, gradient)


def test_the_shares_of_a_batch_add_up_to_it():
    """What is averaged and balanced is so over the whole batch, though less of one sample is
    known."""
    sample, losses = sample_of(3), StageLosses(HEADS)
    for weights in sample.weights.values():
        weights[1, ..., 2:] = 0
    totals = assert_shares_add_up(losses, sample)
    assert all(totals["train"][name].shape == (3,) for name in ("known", "positive"))


def test_the_balancer_sees_the_scale():
    """Of fp16, and of batches that make up a step."""
    sample, losses = sample_of(), StageLosses(HEADS)

    def weighted():
        return losses.weighted(losses(sample, losses.totals(sample)))

    found = weighted()
    losses.balancer.backward(losses.balancer(found), found, (), scale=lambda loss: 8 * loss)
    once = torch.autograd.grad(losses.balancer(weighted()), list(sample.logits.values()))
    for gradient, logits in zip(once, sample.logits.values(), strict=True):
        torch.testing.assert_close(logits.grad, 8 * gradient)


def test_a_loss_that_does_not_fit_the_target_is_refused_or_told():
    """Cross entropy is of probabilities; balance is of two classes."""
    heads = {"flow": Head(target=Flow(), loss=Loss(kind="bce"))}
    with pytest.raises(ValueError, match="head 'flow': loss 'bce' learns probabilities, and "):
        StageLosses(heads)
    assert StageLosses({"flow": heads["flow"].derive(loss=Loss())})
    odd = {"lsds": Head(target=Descriptors(), loss=Loss(balance=True)), "affs": HEADS["train"]}
    [said] = StageLosses(odd).remarks()
    assert said.startswith("head lsds: balance takes values above 0.5 for positives")


class Odd(Loss):
    """A loss of one's own."""

    kind: Literal["odd"] = "odd"
    behaviour: ClassVar[str] = f"{__name__}:OddLoss"
    gives: str = "nothing"


class OddLoss(HeadLoss):
    def forward(self, sample, totals):
        if self.spec.gives == "nothing":
            return torch.zeros(())
        return (sample.own_values.detach() - sample.own_target).square().mean()


@pytest.mark.parametrize("weighting", [Fixed(), PCGrad(), CosineGate(target="affs")])
def test_a_loss_of_a_batch_in_which_nothing_counts_may_be_a_bare_0(weighting):
    """Its head learns nothing then, and the others what they do."""
    sample, heads = sample_of(), {"lsds": Head(target=Descriptors(), loss=Odd())}
    losses = StageLosses({**heads, "affs": HEADS["affs"]}, weighting=weighting)
    logits = [sample.logits[name] for name in ("lsds", "affs")]
    weights = torch.nn.Parameter(torch.ones(()))
    on_trunk = {name: tensor * weights for name, tensor in sample.logits.items()}
    shared = replace(sample, logits=on_trunk)
    found = losses.weighted(losses(shared, losses.totals(shared)))
    losses.balancer.backward(
        losses.balancer(found), found, [weights, *logits], scale=lambda loss: loss
    )
    losses.balancer.complete([weights, *logits], sum=lambda _: None, rng=np.random.default_rng(0))
    alone = StageLosses({"affs": HEADS["affs"]})
    wanted = alone.weighted(alone(sample, alone.totals(sample)))["affs"]
    [gradient] = torch.autograd.grad(wanted, logits[1])
    torch.testing.assert_close(logits[1].grad, gradient)
    torch.testing.assert_close(weights.grad, (gradient * logits[1]).sum())
    assert not logits[0].grad.any()


def test_a_loss_without_a_gradient_is_refused():
    losses = StageLosses({"lsds": Head(target=Descriptors(), loss=Odd(gives="what cannot be"))})
    sample = sample_of()
    with pytest.raises(ValueError, match=r"'lsds' gives 0\.\d+ without a gradient, so nothing"):
        losses(sample, losses.totals(sample))
    # validation wants none
    with torch.no_grad():
        scored = replace(
            sample, logits={name: each.detach() for name, each in sample.logits.items()}
        )
        assert losses(scored, losses.totals(scored))["lsds"] > 0
