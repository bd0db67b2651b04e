"""The loss that follows from counts of pairs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_kruskal import plain_pair_counts
from scipy import ndimage
from shared_batch import assert_shares_add_up
from structured import AFFS, sample_of

from lsd.arrays.offsets import for_dims
from lsd.losses.malis_loss import malis_loss, malis_weights
from lsd.losses.stage import StageLosses
from lsd.spec import Descriptors, Head, Malis, Mse
from lsd.spec.kinds import behaviour
from lsd.targets.affinities import affinities

# of the first sample of `structured`, in 2D and 3D, and beside a dense loss
GOLDEN = {
    (2, False): 0.90724975,
    (3, False): 0.93849564,
    (2, True): 1.19298363,
    (3, True): 1.22444725,
}


def loss_of(sample, spec=None):
    loss = behaviour(spec or Malis())
    return loss(sample, loss.totals(sample))


def by_hand(sample, dims):
    """Voxel by voxel from counts of plain Python, with pieces of objects by scipy."""
    offsets, losses = for_dims(AFFS.neighborhood, dims), []
    values = sample.own_values.detach().numpy()
    for affs, ids, known in zip(values, sample.labels.numpy(), sample.known.numpy(), strict=True):
        pieces = pieces_of(np.where(known[0], ids[0], 0), offsets)
        target, _ = affinities(pieces, offsets)
        counts = plain_pair_counts(affs, pieces, offsets, mask=known[0])
        weights = sum(count / max(count.sum(), 1) for count in counts)
        losses.append((weights * (target - affs) ** 2).sum())
    return np.mean(losses)


def pieces_of(labels, offsets):
    """Connected by faces; then those that an offset joins are one, until nothing changes."""
    pieces = np.zeros(labels.shape, int)
    for label in np.unique(labels[labels != 0]):
        parts, _ = ndimage.label(labels == label)
        pieces += np.where(parts > 0, parts + pieces.max(), 0)
    while True:
        same = [pair for offset in offsets for pair in joined(labels, pieces, offset)]
        if not same:
            return pieces
        first, second = same[0]
        pieces[pieces == second] = first


def joined(labels, pieces, offset):
    """Pairs of pieces of one label that the offset joins."""
    for voxel in np.argwhere(labels):
        other = tuple(voxel + offset)
        if all(0 <= a < n for a, n in zip(other, labels.shape, strict=True)):
            one, two = pieces[tuple(voxel)], pieces[other]
            if labels[tuple(voxel)] == labels[other] and one != two:
                yield one, two


@pytest.mark.parametrize("dims", [2, 3])
def test_equals_the_definition(dims):
    sample = sample_of(AFFS, dims=dims)
    expected = by_hand(sample, dims)
    assert loss_of(sample).item() == pytest.approx(expected, rel=1e-5)
    offsets = for_dims(AFFS.neighborhood, dims)
    alone = malis_loss(sample.own_logits, sample.labels, offsets, mask=sample.known)
    assert alone.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_both_passes_add_up_to_one_and_have_no_gradient(dims):
    sample = sample_of(AFFS, dims=dims)
    offsets = for_dims(AFFS.neighborhood, dims)
    weights = malis_weights(sample.own_logits, sample.labels, offsets, known=sample.known)
    assert not weights.requires_grad
    target = sample.own_target
    for positive in (True, False):
        sums = (weights * (target == positive)).flatten(1).sum(1)
        torch.testing.assert_close(sums, torch.ones(2))
    assert (weights[sample.own_weights == 0] == 0).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_gradient_is_that_of_finite_differences(dims):
    """Where a small step changes no order: weights stay what they are."""
    torch.manual_seed(0)
    shape = sample_of(AFFS, dims=dims).own_logits.shape
    # far enough apart for a step
    levels = torch.randperm(shape.numel()).reshape(shape).double() / shape.numel() * 6 - 3
    sample = sample_of(AFFS, dims=dims, logits=levels.clone())
    offsets = for_dims(AFFS.neighborhood, dims)

    def loss(logits):
        return malis_loss(logits, sample.labels, offsets, mask=sample.known).item()

    value = malis_loss(sample.own_logits, sample.labels, offsets, mask=sample.known)
    [gradient] = torch.autograd.grad(value, sample.own_logits)
    highest = gradient.abs().flatten().topk(5).indices.tolist()
    for place in [*highest, 3, 40]:
        step = torch.zeros(shape.numel(), dtype=torch.double)
        step[place] = 1e-3
        up, down = (loss(levels + sign * step.reshape(shape)) for sign in (1, -1))
        slope = (up - down) / 2e-3
        assert gradient.flatten()[place].item() == pytest.approx(slope, rel=1e-2, abs=1e-4)


def test_what_is_unknown_changes_nothing():
    sample = sample_of(AFFS)
    expected = torch.autograd.grad(loss_of(sample), sample.own_logits)[0]
    unknown = sample.own_weights == 0
    dirty = sample.own_logits.detach().masked_fill(unknown, float("nan")).requires_grad_()
    target = sample.own_target.masked_fill(unknown, float("nan"))
    labels = sample.labels.masked_fill(~sample.known, 77)
    other = replace(sample, logits={"a": dirty}, targets={"a": target}, labels=labels)
    value = loss_of(other)
    [gradient] = torch.autograd.grad(value, dirty)
    assert value.isfinite()
    assert (gradient[unknown] == 0).all()
    # unknown edges join in another order, but nothing of them is seen
    assert gradient.isfinite().all()
    assert expected[unknown].abs().max() == 0


def test_nan_where_it_counts_is_an_error():
    sample = sample_of(AFFS)
    place = tuple((sample.own_weights > 0).nonzero()[5].tolist())
    for wrong in (float("nan"), float("inf")):
        logits = sample.own_logits.detach().clone()
        logits[place] = wrong
        with pytest.raises(ValueError, match=rf"logits are {wrong} in sample {place[0]}, channel"):
            loss_of(replace(sample, logits={"a": logits}))


def test_nothing_known_or_one_object_is_no_loss():
    sample = sample_of(AFFS)
    nothing = replace(
        sample, known=torch.zeros_like(sample.known), weights={"a": 0 * sample.own_weights}
    )
    value = loss_of(nothing)
    value.backward()
    assert value.item() == 0
    assert (sample.own_logits.grad == 0).all()


def test_pieces_of_one_object_are_not_one():
    """What joins them may lie outside: an edge between them is none to be learned."""
    labels = torch.tensor([[[[5, 5, 0, 5, 5]]]])
    logits = torch.tensor([[[[0.0, 3, -1, -1, 3]]]])
    weights = malis_weights(logits, labels, [(0, -1)], known=torch.ones_like(labels).bool())
    # 1 of 2 pairs inside a piece; all 4 pairs between the two at the weaker membrane
    torch.testing.assert_close(weights, torch.tensor([[[[0, 0.5, 0, 1, 0.5]]]]))


@pytest.mark.parametrize("dense", [None, Mse(balance=True, weight=0.5)])
def test_shares_of_a_batch_add_up_to_it(dense):
    heads = {"a": Head(target=AFFS, loss=Malis(dense=dense))}
    sample, losses = sample_of(AFFS, size=3), StageLosses(heads)
    assert_shares_add_up(losses, sample)


def test_a_dense_loss_is_added_times_its_weight():
    sample, dense = sample_of(AFFS), Mse(balance=True, weight=0.5)
    alone, beside = loss_of(sample), loss_of(sample, Malis(dense=dense))
    torch.testing.assert_close(beside, alone + 0.5 * loss_of(sample, dense))


def test_only_affinities_have_pairs():
    with pytest.raises(ValueError, match="head 'lsds': loss 'malis' counts pairs"):
        StageLosses({"lsds": Head(target=Descriptors(), loss=Malis())})
    odd = Malis(dense={"kind": "mse", "balance": True})
    assert StageLosses({"affs": Head(target=AFFS, loss=odd)}).remarks() == []


@pytest.mark.parametrize(("dims", "with_dense"), GOLDEN)
def test_golden(dims, with_dense):
    """A refactoring leaves it alone."""
    spec = Malis(dense=Mse() if with_dense else None)
    value = loss_of(sample_of(AFFS, dims=dims), spec).item()
    assert value == pytest.approx(GOLDEN[dims, with_dense], rel=1e-5)
