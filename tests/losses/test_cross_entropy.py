"""Cross entropy of classes against torch's own and a loop over voxels; in shares of a batch."""

import math

import numpy as np
import pytest
import torch
from shared_batch import assert_shares_add_up
from torch.nn.functional import cross_entropy

from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import CrossEntropy, Dice, Head, Mse, Semantic

CLASSES = 4
WEIGHTS = (0.5, 1.0, 3.0, 0.0)


def case(dims, *, unknown=0.4):
    """Logits, the class of each voxel, and where it is known."""
    rng = torch.Generator().manual_seed(dims)
    shape = (3, *(4, 5, 6)[-dims:])
    logits = torch.randn(3, CLASSES, *shape[1:], generator=rng) * 3
    number = torch.multinomial(
        torch.tensor([0.6, 0.3, 0.08, 0.02]), math.prod(shape), replacement=True, generator=rng
    ).reshape(shape)
    return logits, number, torch.rand(shape, generator=rng) >= unknown


def sample_of(logits, number, known, losses):
    target = torch.nn.functional.one_hot(number, CLASSES).movedim(-1, 1).float()
    return LossSample(
        logits={"a": logits},
        targets={"a": target},
        weights={"a": known[:, None].float().expand_as(target)},
        labels=number[:, None],
        known=known[:, None],
        voxel_size=(8.0,) * (logits.ndim - 2),
        activations=losses.activations,
    )


def stage(loss=None):
    target = Semantic(classes=tuple(range(1, CLASSES)))
    return StageLosses({"a": Head(target=target, loss=loss or CrossEntropy())}, dims=3)


def computed(loss, logits, number, known):
    losses = stage(loss)
    sample = sample_of(logits, number, known, losses)
    return losses(sample, losses.totals(sample))["a"]


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_equals_that_of_torch(dims, weights) -> None:
    logits, number, known = case(dims)
    found = computed(CrossEntropy(class_weights=weights), logits, number, known)
    wanted = cross_entropy(
        logits,
        number.masked_fill(~known, -100),
        weight=None if weights is None else torch.tensor(weights),
    )
    torch.testing.assert_close(found, wanted)


def test_balanced_classes_weigh_the_same_but_for_those_that_are_rare() -> None:
    logits, number, known = case(3)
    counts = np.bincount(number[known], minlength=CLASSES)
    assert counts[3] / counts.sum() < 0.05 < counts[2] / counts.sum()
    share = np.maximum(counts / counts.sum(), 0.05)
    probabilities = logits.double().softmax(1)
    total = whole = 0.0
    for place in known.nonzero().tolist():
        sample, *voxel = place
        own = int(number[tuple(place)])
        weight = 1 / share[own]
        total -= weight * math.log(probabilities[(sample, own, *voxel)])
        whole += weight
    found = computed(CrossEntropy(balance=True), logits, number, known)
    assert found.item() == pytest.approx(total / whole, rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [CrossEntropy(), CrossEntropy(class_weights=WEIGHTS, balance=True), Mse(), Dice()],
    ids=["plain", "weighted", "mse", "dice"],
)
@pytest.mark.parametrize("dims", [2, 3])
def test_shares_of_a_batch_add_up(loss, dims) -> None:
    logits, number, known = case(dims)
    # nothing of the last sample is known to the process that has it
    known[2] = False
    losses = stage(loss)
    assert_shares_add_up(losses, sample_of(logits.requires_grad_(), number, known, losses))


def test_what_is_unknown_changes_nothing_whatever_it_is() -> None:
    logits, number, known = case(2)
    for loss in (CrossEntropy(), CrossEntropy(balance=True)):
        clean = logits.clone().requires_grad_()
        computed(loss, clean, number, known).backward()
        for rubbish in (math.nan, math.inf):
            dirty = logits.masked_fill(~known[:, None], rubbish).requires_grad_()
            computed(loss, dirty, number, known).backward()
            torch.testing.assert_close(dirty.grad, clean.grad)
            assert not dirty.grad[~known[:, None].expand_as(dirty)].any()


def test_nothing_known_is_no_loss_and_no_gradient() -> None:
    logits, number, known = case(2)
    for loss in (CrossEntropy(), CrossEntropy(class_weights=WEIGHTS, balance=True)):
        own = logits.clone().requires_grad_()
        value = computed(loss, own, number, torch.zeros_like(known))
        value.backward()
        assert value.item() == 0
        assert not own.grad.any()


def test_nan_where_it_counts_is_seen() -> None:
    logits, number, known = case(2)
    place = known.nonzero()[0]
    logits[place[0], 1, place[1], place[2]] = math.nan
    assert computed(None, logits, number, known).isnan()


def test_weights_that_are_all_0_are_refused() -> None:
    with pytest.raises(ValueError, match=r"class_weights .* are all 0"):
        CrossEntropy(class_weights=(0, 0))
    with pytest.raises(ValueError, match=r"channel_weights .* are all 0"):
        Dice(channel_weights=(0, 0))
