"""Soft dice against its definition in float64, alone and in shares of a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from kinds_outside.targets import Flow

from lsd.losses.dice import soft_dice
from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import Affinities, Descriptors, Dice, Embeddings, Head


def by_definition(logits, target, weights, smooth):
    """Channel by channel and voxel by voxel: 1 - (2 sum w p t + s) / (sum w (p^2 + t^2) + s)."""
    weights = np.broadcast_to(weights, target.shape)
    channels = []
    for c in range(target.shape[1]):
        common = squares = 0.0
        for x, t, w in zip(
            logits[:, c].ravel(), target[:, c].ravel(), weights[:, c].ravel(), strict=True
        ):
            if w > 0:
                p = 1 / (1 + np.exp(-np.float64(x)))
                common += w * p * t
                squares += w * (p**2 + t**2)
        if (weights[:, c] > 0).any():
            channels.append(1 - (2 * common + smooth) / (squares + smooth))
    return sum(channels) / len(channels)


def case(dims, *, channels_of_weights=3, binary=False):
    rng = np.random.default_rng(3)
    shape = (3, 3, *(3, 4, 5)[-dims:])
    weights = rng.random((3, channels_of_weights, *shape[2:]))
    weights *= rng.random(weights.shape) < 0.6
    target = rng.random(shape)
    target = (target < 0.3).astype(float) if binary else target
    return [a.astype(np.float32) for a in (rng.normal(size=shape) * 2, target, weights)]


def stage(smooth=1.0):
    return StageLosses({"a": Head(target=Affinities(), loss=Dice(smooth=smooth))})


def sample_of(logits, target, weights):
    return LossSample(
        logits={"a": logits},
        targets={"a": target},
        weights={"a": weights},
        labels=torch.zeros(len(logits), 1, *logits.shape[2:], dtype=torch.int64),
        known=torch.ones(len(logits), 1, *logits.shape[2:], dtype=torch.bool),
        voxel_size=(8.0,) * (logits.ndim - 2),
        activations=stage().activations,
    )


def dice(logits, target, weights, smooth=1.0):
    losses, sample = stage(smooth), sample_of(logits, target, weights)
    return losses(sample, losses.totals(sample))["a"]


@pytest.mark.parametrize("smooth", [0.0, 1.0, 7.5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("binary", [False, True])
def test_equals_the_definition(dims, channels, smooth, binary) -> None:
    arrays = case(dims, channels_of_weights=channels, binary=binary)
    logits, target, weights = map(torch.from_numpy, arrays)
    found = dice(logits, target, weights, smooth)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(by_definition(*arrays, smooth), rel=1e-5)
    alone = soft_dice(logits.sigmoid(), target, weights=weights, smooth=smooth)
    torch.testing.assert_close(alone, found)


def test_gradient_is_the_slope() -> None:
    """In float64, of logits and values."""
    logits, target, weights = (torch.from_numpy(a).double() for a in case(2))
    logits.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: soft_dice(x.sigmoid(), target, weights=weights), (logits,)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_fp32(dtype) -> None:
    """In fp16 a sum ended at 65504, and the loss was NaN."""
    rng = np.random.default_rng(0)
    shape = (1, 1, 512, 512)
    values = torch.from_numpy(rng.random(shape)).to(dtype).requires_grad_()
    truth = rng.random(shape) > 0.5
    p, t = values.detach().double().numpy(), truth.astype(float)
    wanted = ((p - t) ** 2).sum() / ((p**2).sum() + t.sum() + 1)
    for target in (torch.from_numpy(truth), torch.from_numpy(truth).to(dtype)):
        found = soft_dice(values, target)
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(wanted, rel=1e-5)
        [slope] = torch.autograd.grad(found, values)
        assert slope.dtype == dtype
        assert slope.isfinite().all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": torch.ones(2, 4, 4)}, r"target \(2, 4, 4\); .* target\[:, None\]"),
        ({"target": torch.ones(2, 3, 4, 4)}, r"values \(2, 1, 4, 4\), target \(2, 3, 4, 4\)"),
        ({"values": torch.full((2, 1, 4, 4), 4.0)}, r"known values lie in 4\.\.4; .* sigmoid"),
        ({"values": torch.full((2, 1, 4, 4), torch.nan)}, "known values lie in nan"),
        ({"target": torch.full((2, 1, 4, 4), 255)}, r"known targets lie in 255\.\.255"),
        ({"weights": torch.ones(2, 4, 4)}, r"weights \(2, 4, 4\) do not fit"),
        ({"values": np.ones((2, 1, 4, 4))}, "values are a tensor of torch, got ndarray"),
        ({"smooth": -1.0}, "smooth"),
    ],
)
def test_what_soft_dice_cannot_mean_is_refused(change, says) -> None:
    """A target without channels was broadcast: another number, without a word."""
    given = {"values": torch.full((2, 1, 4, 4), 0.5), "target": torch.ones(2, 1, 4, 4), **change}
    with pytest.raises(ValueError, match=says):
        soft_dice(**given)


def test_the_shares_of_a_batch_add_up_to_it() -> None:
    """Value and gradient, though the sums of shares differ and a channel is known in one alone."""
    logits, target, weights = map(torch.from_numpy, case(3, binary=True))
    weights[1, ..., 2:] = 0
    weights[1:, 2] = 0
    logits.requires_grad_()
    losses, sample = stage(), sample_of(logits, target, weights)
    whole = losses(sample, losses.totals(sample))["a"]
    shares = [
        replace(
            sample,
            logits={"a": logits[cut]},
            targets={"a": target[cut]},
            weights={"a": weights[cut]},
        )
        for cut in (slice(0, 1), slice(1, 3))
    ]
    of_shares = [losses.totals(share)["a"] for share in shares]
    assert not any(total.requires_grad for share in of_shares for total in share.values())
    totals = {"a": {name: sum(share[name] for share in of_shares) for name in of_shares[0]}}
    parts = sum(losses(share, totals)["a"] for share in shares)
    torch.testing.assert_close(parts, whole)
    one, other = (torch.autograd.grad(value, logits)[0] for value in (parts, whole))
    torch.testing.assert_close(one, other)
    expected = torch.autograd.grad(soft_dice(logits.sigmoid(), target, weights=weights), logits)[0]
    torch.testing.assert_close(other, expected)


def test_right_is_0_and_wrong_is_1() -> None:
    target = torch.zeros(1, 2, 4, 4)
    target[:, :, :2] = 1
    weights, sure = torch.ones_like(target), (target * 2 - 1) * 40
    assert dice(sure, target, weights).item() == pytest.approx(0, abs=1e-6)
    # 16 of 16 squares are errors, and one voxel of agreement is added
    assert dice(-sure, target, weights).item() == pytest.approx(16 / 17)
    soft = torch.full_like(target, 0.3)
    logits = soft.logit().requires_grad_()
    value = dice(logits, soft, weights)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert logits.grad.abs().max() < 1e-6


def test_a_channel_without_positives_is_learned_too() -> None:
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    dice(logits, torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)).backward()
    assert (logits.grad > 0).all()


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), 1e30])
def test_what_is_not_known_does_not_matter(rubbish) -> None:
    logits, target, weights = map(torch.from_numpy, case(2))
    unknown = weights == 0
    clean, dirty = (
        x.clone().requires_grad_() for x in (logits, logits.masked_fill(unknown, rubbish))
    )
    one = dice(clean, target, weights)
    other = dice(dirty, target.masked_fill(unknown, rubbish), weights)
    torch.testing.assert_close(one, other)
    one.backward()
    other.backward()
    torch.testing.assert_close(clean.grad, dirty.grad)
    assert (dirty.grad[unknown] == 0).all()


@pytest.mark.parametrize("smooth", [0.0, 1.0])
def test_nothing_known_is_no_loss_and_no_gradient(smooth) -> None:
    logits = torch.full((1, 2, 3, 3), float("nan"), requires_grad=True)
    value = dice(logits, torch.rand(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), smooth)
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


def test_heads_that_give_no_probabilities_are_refused() -> None:
    says = {Flow(): "learns probabilities, and ", Embeddings(): "'embeddings' has others"}
    for target, words in says.items():
        with pytest.raises(ValueError, match=f"head 'a': loss 'dice' .*{words}"):
            StageLosses({"a": Head(target=target, loss=Dice())})
    assert StageLosses({"a": Head(target=Descriptors(), loss=Dice(weight=2))})
    with pytest.raises(ValueError, match="smooth"):
        Dice(smooth=-1)
