"""Weights of channels, as of the offsets of a kernel: a weighted mean of the channels' losses."""

import numpy as np
import pytest
import torch
from shared_batch import assert_shares_add_up

from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import Bce, Dice, Head, Mse, Occupancy, Supervoxel

OFFSETS = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
WEIGHTS = (4.0, 0.0, 1.0)
LOSSES = {
    "mse": Mse(),
    "bce": Bce(),
    "balanced": Bce(balance=True),
    "dice": Dice(),
}
every = pytest.mark.parametrize("name", LOSSES)


def stage(loss):
    return StageLosses({"a": Head(target=Occupancy(kernel=OFFSETS), loss=loss)}, dims=3)


def sample_of(seed=0):
    rng = torch.Generator().manual_seed(seed)
    shape = (2, 3, 4, 5, 6)
    # of each channel another part is known, as at the border of a volume
    known = torch.rand(shape, generator=rng) < torch.tensor([0.9, 0.5, 0.2]).reshape(3, 1, 1, 1)
    return LossSample(
        logits={"a": (torch.randn(shape, generator=rng) * 2).requires_grad_()},
        targets={"a": (torch.rand(shape, generator=rng) < 0.3).float()},
        weights={"a": known.float()},
        labels=torch.randint(4, (2, 1, 4, 5, 6), generator=rng),
        known=torch.ones(2, 1, 4, 5, 6, dtype=torch.bool),
        voxel_size=(8.0,) * 3,
        activations=stage(Mse()).activations,
        neighborhoods={"a": OFFSETS},
    )


def computed(loss, sample):
    losses = stage(loss)
    return losses(sample, losses.totals(sample))["a"]


def of_channel(sample, channel):
    """The sample with nothing known but of one channel."""
    alone = torch.zeros_like(sample.weights["a"])
    alone[:, channel] = sample.weights["a"][:, channel]
    return LossSample(**{**vars(sample), "weights": {"a": alone}})


@every
def test_it_is_the_mean_of_the_channels_losses(name) -> None:
    """Dice counts channels alike, the others voxels."""
    sample, loss = sample_of(), LOSSES[name]
    alone = np.array([computed(loss, of_channel(sample, c)).item() for c in range(3)])
    voxels = sample.weights["a"].sum((0, 2, 3, 4)).numpy() if name != "dice" else np.ones(3)
    found = computed(loss.derive(channel_weights=WEIGHTS), sample)
    wanted = np.average(alone, weights=voxels * WEIGHTS)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


@every
def test_channels_that_weigh_the_same_are_as_without_weights(name) -> None:
    sample, loss = sample_of(), LOSSES[name]
    for weights in ((1, 1, 1), (0.2, 0.2, 0.2)):
        torch.testing.assert_close(
            computed(loss.derive(channel_weights=weights), sample), computed(loss, sample)
        )


@every
def test_shares_of_a_batch_add_up(name) -> None:
    losses = stage(LOSSES[name].derive(channel_weights=WEIGHTS))
    assert_shares_add_up(losses, sample_of())


@every
def test_a_channel_of_no_weight_has_no_gradient(name) -> None:
    sample = sample_of()
    value = computed(LOSSES[name].derive(channel_weights=WEIGHTS), sample)
    (gradient,) = torch.autograd.grad(value, sample.logits["a"])
    assert not gradient[:, 1].any()
    assert gradient[:, 0].any()


@every
def test_nothing_known_is_no_loss(name) -> None:
    sample = sample_of()
    nothing = LossSample(**{**vars(sample), "weights": {"a": torch.zeros(2, 3, 4, 5, 6)}})
    value = computed(LOSSES[name].derive(channel_weights=WEIGHTS), nothing)
    assert value.item() == 0
    assert not torch.autograd.grad(value, sample.logits["a"])[0].any()


def test_critical_mistakes_of_weighted_channels() -> None:
    """The loss whose own weights of voxels are multiplied with those of channels."""
    sample = sample_of()
    plain = computed(Supervoxel(channel_weights=(1, 1, 1)), sample)
    torch.testing.assert_close(plain, computed(Supervoxel(), sample))
    assert computed(Supervoxel(channel_weights=WEIGHTS), sample) != plain
