"""Dense losses against numpy in float64, and what must not reach them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.losses.loss import LossSample
from lsd.spec import Bce, Mse
from lsd.spec.kinds import behaviour
from lsd.targets.activation import Sigmoid


def _computed(spec, logits, target, weights):
    """The loss of a batch that is one process's own."""
    known = (weights > 0)[:, :1]
    sample = LossSample(
        logits={"a": logits},
        targets={"a": target},
        weights={"a": weights},
        labels=known.long(),
        known=known,
        voxel_size=(8.0,) * (logits.ndim - 2),
        activations={"a": Sigmoid()},
        head="a",
    )
    loss = behaviour(spec)
    return loss(sample, loss.totals(sample))


def mse(logits, target, weights):
    return _computed(Mse(), logits, target, weights)


def bce(logits, target, weights):
    return _computed(Bce(), logits, target, weights)


def _by_hand(kind, logits, target, weights):
    """Voxel by voxel, in float64."""
    weights = np.broadcast_to(weights, logits.shape)
    total, count = 0.0, 0
    for x, t, w in zip(logits.ravel(), target.ravel(), weights.ravel(), strict=True):
        if w > 0:
            p = 1 / (1 + np.exp(-np.float64(x)))
            total += w * (
                (p - t) ** 2 if kind is mse else -(t * np.log(p) + (1 - t) * np.log(1 - p))
            )
            count += 1
    return total / max(count, 1)


@pytest.mark.parametrize("loss", [mse, bce])
def test_one_voxel_that_counts_is_the_mean_of_itself(loss):
    logits, target, _ = _case(2)
    weights = np.zeros_like(logits)
    weights[1, 2, 0, 1, 3] = 0.7
    found = loss(*map(torch.from_numpy, (logits, target, weights)))
    assert found.item() == pytest.approx(_by_hand(loss, logits, target, weights), rel=1e-5)


def _case(seed, *, channels_of_weights=3):
    rng = np.random.default_rng(seed)
    shape = (2, 3, 2, 3, 4)
    weights = rng.random((2, channels_of_weights, *shape[2:])) * (
        rng.random((2, channels_of_weights, *shape[2:])) < 0.6
    )
    return [a.astype(np.float32) for a in (rng.normal(size=shape) * 3, rng.random(shape), weights)]


@pytest.mark.parametrize("loss", [mse, bce])
@given(seed=st.integers(0, 2**32), channels=st.sampled_from((1, 3)))
@settings(max_examples=20, deadline=None)
def test_equals_the_definition(loss, seed, channels):
    logits, target, weights = _case(seed, channels_of_weights=channels)
    found = loss(*map(torch.from_numpy, (logits, target, weights)))
    assert found.item() == pytest.approx(_by_hand(loss, logits, target, weights), rel=1e-5)


@pytest.mark.parametrize("loss", [mse, bce])
def test_gradient_is_right_and_stays_inside(loss):
    logits, target, weights = (torch.from_numpy(a) for a in _case(1))
    unknown = weights == 0
    expected = logits.clone().requires_grad_()
    loss(expected, target, weights).backward()
    # what stands where nothing is known does not matter, whatever it is
    for rubbish in (float("nan"), float("inf"), 1e30):
        dirty = logits.masked_fill(unknown, rubbish).requires_grad_()
        value = loss(dirty, target.masked_fill(unknown, rubbish), weights)
        value.backward()
        torch.testing.assert_close(value, loss(logits, target, weights))
        torch.testing.assert_close(dirty.grad, expected.grad)
        assert (dirty.grad[unknown] == 0).all()
    step = torch.zeros_like(logits)
    step[0, 1, 1, 1, 1] = 1e-2
    slope = (
        loss(logits + step, target, weights + 1) - loss(logits - step, target, weights + 1)
    ) / 2e-2
    probe = logits.clone().requires_grad_()
    loss(probe, target, weights + 1).backward()
    assert probe.grad[0, 1, 1, 1, 1].item() == pytest.approx(slope.item(), rel=1e-2)


@pytest.mark.parametrize("loss", [mse, bce])
def test_nothing_known_is_no_loss_and_no_gradient(loss):
    logits = torch.full((1, 2, 3, 3), float("nan"), requires_grad=True)
    value = loss(logits, torch.rand(1, 2, 3, 3), torch.zeros(1, 2, 3, 3))
    value.backward()
    assert value.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("loss", [mse, bce])
def test_nan_where_it_counts_is_seen(loss):
    logits = torch.zeros(1, 1, 2, 2)
    logits[0, 0, 0, 0] = float("nan")
    assert loss(logits, torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).isnan()


@pytest.mark.parametrize("loss", [mse, bce])
def test_lower_precision_is_summed_in_fp32(loss):
    logits, target, weights = (
        torch.randn(1, 1, 64, 64, 64),
        torch.rand(1, 1, 64, 64, 64),
        torch.ones(1, 1, 64, 64, 64),
    )
    low = loss(logits.to(torch.bfloat16), target, weights)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, loss(logits.to(torch.bfloat16).float(), target, weights))


def test_large_logits_do_not_overflow():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    value = bce(logits, torch.tensor([[0.0, 1.0]]), torch.ones(1, 2))
    value.backward()
    assert value.item() == pytest.approx(1e4)
    # (sigmoid - target) / 2 voxels
    assert logits.grad.tolist() == [[0.5, -0.5]]
