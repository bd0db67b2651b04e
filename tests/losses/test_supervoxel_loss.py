"""Cross entropy in which critical mistakes weigh more."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_critical import plain_critical, plain_critical_edges
from shared_batch import assert_shares_add_up
from structured import AFFS, HEADS, sample_of

from lsd.losses.stage import StageLosses
from lsd.losses.supervoxel_loss import supervoxel_loss, supervoxel_weights
from lsd.spec import Bce, Boundary, Descriptors, Foreground, Head, Mask, Supervoxel
from lsd.spec.kinds import behaviour

SETTINGS = {
    "plain": Supervoxel(),
    "merges alone, added": Supervoxel(mode="additive", alpha=0.8, w_split=0, w_merge=3),
    "splits alone": Supervoxel(alpha=0.9, w_split=1, w_merge=0, criterion="individual"),
    "another threshold": Supervoxel(threshold=0.7, alpha=0.25),
}
GOLDEN = {
    ("foreground", 2): 0.51766562,
    ("foreground", 3): 0.49843508,
    ("affinities", 2): 0.50119054,
    ("affinities", 3): 0.48479629,
}


def loss_of(sample, spec=None):
    loss = behaviour(spec or Supervoxel())
    return loss(sample, loss.totals(sample))


def by_hand(sample, spec, dims):
    """From masks of plain Python."""
    border = np.log(spec.threshold / (1 - spec.threshold))
    errors, known = [], 0
    for i in range(len(sample.labels)):
        logits, inside = sample.own_logits[i].detach().numpy(), sample.known[i, 0].numpy()
        truth = sample.labels[i, 0].numpy().view(np.uint64)
        if "a" in sample.neighborhoods:
            offsets = sample.neighborhoods["a"]
            splits, merges = plain_critical_edges(
                logits, truth, offsets, threshold=border, mask=inside
            )
        else:
            splits, merges = plain_critical(
                truth,
                logits[0] > border,
                connectivity={2: 4, 3: 6}[dims],
                criterion=spec.criterion,
                mask=inside,
            )
        plain = 1 - spec.alpha if spec.mode == "convex" else 1
        weights = plain + spec.alpha * (spec.w_split * splits + spec.w_merge * merges)
        p = 1 / (1 + np.exp(-logits.astype(np.float64)))
        t, counts = sample.own_target[i].numpy(), sample.own_weights[i].numpy()
        entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
        errors.append((weights * entropy * counts).sum())
        known += counts.sum()
    return sum(errors) / known


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("spec", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_equals_the_definition(target, spec, dims):
    sample = sample_of(target, dims=dims)
    expected = by_hand(sample, spec, dims)
    assert loss_of(sample, spec).item() == pytest.approx(expected, rel=1e-5)
    fields = spec.model_dump(exclude={"kind", "weight", "balance"})
    alone = supervoxel_loss(
        sample.own_logits,
        sample.labels,
        mask=sample.known,
        neighborhood=sample.neighborhoods.get("a"),
        **fields,
    )
    assert alone.item() == pytest.approx(expected, rel=1e-5)


def entropy(sample):
    return loss_of(sample, Bce())


@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_without_critical_mistakes_it_is_cross_entropy(target):
    """Of which a convex loss has a part only."""
    right = sample_of(target).own_target.clone()
    sample = sample_of(target, logits=4 * right - 2)
    torch.testing.assert_close(loss_of(sample, Supervoxel(alpha=0.4)), 0.6 * entropy(sample))
    added = loss_of(sample, Supervoxel(alpha=0.4, mode="additive"))
    torch.testing.assert_close(added, entropy(sample))


@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_gradient_is_that_of_finite_differences(target):
    """Weights are detached: they jump at the threshold, and are constant elsewhere."""
    sample = sample_of(target)
    offsets = sample.neighborhoods.get("a")

    def loss(logits):
        return supervoxel_loss(logits, sample.labels, mask=sample.known, neighborhood=offsets)

    [gradient] = torch.autograd.grad(loss(sample.own_logits), sample.own_logits)
    counts = (sample.own_weights > 0).flatten().nonzero()[::23, 0].tolist()
    for place in counts:
        step = torch.zeros(gradient.numel())
        step[place] = 1e-2
        step = step.reshape(gradient.shape)
        # no step across the threshold
        if (sample.own_logits.detach().abs()[step > 0] < 2e-2).any():
            continue
        slope = (loss(sample.own_logits + step) - loss(sample.own_logits - step)).item() / 2e-2
        assert gradient[step > 0].item() == pytest.approx(slope, rel=2e-2, abs=2e-5)
    weights = supervoxel_weights(
        sample.own_logits, sample.labels, known=sample.known, neighborhood=offsets
    )
    assert not weights.requires_grad


@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_what_is_unknown_changes_nothing(target):
    sample = sample_of(target)
    expected = torch.autograd.grad(loss_of(sample), sample.own_logits)[0]
    unknown = sample.own_weights == 0
    dirty = sample.own_logits.detach().masked_fill(unknown, float("nan")).requires_grad_()
    labels = sample.labels.masked_fill(~sample.known, 77)
    value = loss_of(replace(sample, logits={"a": dirty}, labels=labels))
    torch.testing.assert_close(value, loss_of(sample))
    torch.testing.assert_close(torch.autograd.grad(value, dirty)[0], expected)


@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_nan_where_it_counts_is_an_error(target):
    sample = sample_of(target)
    place = tuple((sample.own_weights > 0).nonzero()[5].tolist())
    for wrong in (float("nan"), float("-inf")):
        logits = sample.own_logits.detach().clone()
        logits[place] = wrong
        spoilt = replace(sample, logits={"a": logits})
        with pytest.raises(ValueError, match=rf"logits are {wrong} in sample {place[0]}, channel"):
            loss_of(spoilt)
        with pytest.raises(ValueError, match="not finite at 1 places"):
            supervoxel_loss(
                logits,
                sample.labels,
                mask=sample.known,
                neighborhood=sample.neighborhoods.get("a"),
            )


@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_nothing_known_is_no_loss_and_no_gradient(target):
    sample = sample_of(target)
    nothing = replace(
        sample, known=torch.zeros_like(sample.known), weights={"a": 0 * sample.own_weights}
    )
    value = loss_of(nothing)
    value.backward()
    assert value.item() == 0
    assert (sample.own_logits.grad == 0).all()


@pytest.mark.parametrize("balance", [False, True])
@pytest.mark.parametrize("target", HEADS.values(), ids=HEADS)
def test_shares_of_a_batch_add_up_to_it(target, balance):
    heads = {"a": Head(target=target, loss=Supervoxel(balance=balance))}
    sample, losses = sample_of(target, size=3), StageLosses(heads)
    assert_shares_add_up(losses, sample)


def test_targets_that_connect_nothing_are_refused():
    for target in (Descriptors(), Boundary(), Mask(array="mitochondria")):
        with pytest.raises(ValueError, match="take the target 'foreground' or 'affinities'"):
            StageLosses({"a": Head(target=target, loss=Supervoxel())})
    for target in (Foreground(), AFFS):
        assert StageLosses({"a": Head(target=target, loss=Supervoxel(balance=True))})


@pytest.mark.parametrize(("name", "dims"), GOLDEN)
def test_golden(name, dims):
    """A refactoring leaves it alone."""
    value = loss_of(sample_of(HEADS[name], dims=dims)).item()
    assert value == pytest.approx(GOLDEN[name, dims], rel=1e-5)
