"""The discriminative loss of embeddings against its definition, object by object, in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

import lsd
from lsd.losses import discriminative
from lsd.losses.loss import LossSample
from lsd.losses.stage import StageLosses
from lsd.spec import Affinities, Bce, Discriminative, Embeddings, Head

HUGE = 2**64 - 1
FIXED = {"alpha": 1.3, "beta": 0.7, "gamma": 0.01, "dv": 0.2, "dd": 1.1}


def objects_of(labels, known):
    """(label, voxels) of each connected component of what is known of a sample, by scipy."""
    found = []
    for label in np.unique(labels[known & (labels > 0)]):
        touching = np.ones((3,) * labels.ndim)
        pieces, count = ndimage.label((labels == label) & known, structure=touching)
        found += [(int(label), pieces.ravel() == piece) for piece in range(1, count + 1)]
    return found


def by_definition(logits, labels, known, *, alpha=1.0, beta=1.0, gamma=0.001, dv=0.0, dd=1.5):
    """Loops over samples, objects, voxels and pairs; float64 tensors with their graph."""
    losses = []
    for sample, of_sample, where in zip(logits, labels, known, strict=True):
        objects = objects_of(of_sample, where)
        if not objects:
            continue
        voxels = sample.flatten(1).T
        means = [voxels[torch.from_numpy(inside)].mean(0) for _, inside in objects]
        count = len(objects)
        drawn = pushed = small = 0.0
        for mean, (label, inside) in zip(means, objects, strict=True):
            far = (voxels[torch.from_numpy(inside)] - mean).abs().sum(1)
            drawn = drawn + sum(max(d - dv, 0.0 * d) ** 2 for d in far) / len(far)
            small = small + mean.abs().sum()
            for other, (of_other, _) in zip(means, objects, strict=True):
                if of_other != label:
                    pushed = pushed + max(2 * dd - (mean - other).abs().sum(), 0.0) ** 2
        pushed = pushed / (count * (count - 1)) if count > 1 else pushed
        losses.append(alpha * drawn / count + beta * pushed + gamma * small / count)
    return sum(losses) / len(losses)


def case(dims, *, seed=0, channels=5):
    """Logits (2, channels, *spatial), labels of which some are in pieces, and where known."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 5, (2, *(3,) * dims)), np.ones((1, *(2, 3, 3)[-dims:]), int))
    labels = labels.astype(np.uint64)
    labels[labels == 4] = HUGE
    known = rng.random(labels.shape) < 0.7
    logits = torch.from_numpy(rng.normal(0, 0.6, (2, channels, *labels.shape[1:]))).float()
    return logits, labels, known


def value_and_gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    value = loss(logits)
    value.backward()
    return value.detach(), logits.grad


@pytest.mark.parametrize("settings", [{}, FIXED], ids=["the paper's", "others"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dims", [2, 3])
def test_equals_the_definition(dims, masked, settings) -> None:
    """Value and gradient; some labels are in several pieces, which touch or not."""
    logits, labels, known = case(dims)
    mask = known if masked else None
    known = known if masked else np.ones_like(known)
    pieces = [len(objects_of(*sample)) for sample in zip(labels, known, strict=True)]
    assert min(pieces) > 2
    found, gradient = value_and_gradient(
        lambda x: lsd.EmbeddingLoss(**settings)(x, labels, mask), logits
    )
    wanted, slope = value_and_gradient(
        lambda x: by_definition(x, labels, known, **settings), logits.double()
    )
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-4, atol=1e-7)
    counted = torch.from_numpy(known & (labels > 0))[:, None].expand_as(logits)
    assert (gradient[~counted] == 0).all()
    assert (gradient[counted] != 0).any()


def test_gradient_is_the_slope() -> None:
    logits, labels, _ = case(3)
    loss = lsd.EmbeddingLoss(**FIXED)
    _, gradient = value_and_gradient(lambda x: loss(x, labels), logits)
    step = gradient / gradient.norm() * 1e-2
    rise = loss(logits + step, labels) - loss(logits - step, labels)
    assert rise.item() == pytest.approx(2e-2 * gradient.norm().item(), rel=1e-3)


def test_by_hand() -> None:
    """Two pieces of one label at one place do not push each other, and push another label."""
    logits = torch.tensor([[[[1.0, 0.0, 0.5, 1.0]], [[0.0, 0.0, 0.0, 0.0]]]])
    labels = np.array([[[7, 0, 3, 7]]])
    loss = lsd.EmbeddingLoss(gamma=0.1)(logits, labels)
    # 3 objects; |mu_k - mu_l| is 0.5 for the 4 ordered pairs of different labels
    assert loss.item() == pytest.approx(4 * 2.5**2 / 6 + 0.1 * 2.5 / 3)
    near = lsd.EmbeddingLoss(beta=0, gamma=0)(logits, np.array([[[7, 7, 7, 7]]]))
    # the mean is 0.625
    assert near.item() == pytest.approx((2 * 0.375**2 + 0.625**2 + 0.125**2) / 4)


def test_pairs_in_parts_are_all_pairs(monkeypatch) -> None:
    logits, labels, _ = case(3)
    loss = lsd.EmbeddingLoss(**FIXED)
    whole = value_and_gradient(lambda x: loss(x, labels), logits)
    monkeypatch.setattr(discriminative, "MOST_PAIRS", 7)
    parts = value_and_gradient(lambda x: loss(x, labels), logits)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), 1e30])
def test_what_is_not_known_does_not_matter(rubbish) -> None:
    logits, labels, known = case(2)
    loss = lsd.EmbeddingLoss()
    clean = value_and_gradient(lambda x: loss(x, labels, known), logits)
    outside = torch.from_numpy(~known | (labels == 0))[:, None]
    dirty_labels = np.where(known, labels, np.uint64(9))
    dirty = value_and_gradient(
        lambda x: loss(x, dirty_labels, known), logits.masked_fill(outside, rubbish)
    )
    for one, other in zip(clean, dirty, strict=True):
        torch.testing.assert_close(one, other)


def test_nan_where_it_counts_is_told_with_its_place() -> None:
    logits = torch.zeros(1, 2, 3, 3)
    logits[0, 0, 1, 1] = float("nan")
    with pytest.raises(ValueError, match=r"nan in sample 0, channel 0, at voxel \(1, 1\)"):
        lsd.EmbeddingLoss()(logits, np.ones((1, 3, 3), int))


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_learn_is_no_loss_and_no_gradient(count) -> None:
    """No object at all; or one, whose voxels are alike and at 0."""
    value, gradient = value_and_gradient(
        lambda x: lsd.EmbeddingLoss()(x, np.full((2, 3, 3), count)), torch.zeros(2, 4, 3, 3)
    )
    assert value.item() == 0
    assert (gradient == 0).all()


def test_samples_without_an_object_do_not_count() -> None:
    logits, labels, _ = case(2)
    alone = lsd.EmbeddingLoss()(logits[:1], labels[:1])
    both = lsd.EmbeddingLoss()(logits, np.stack([labels[0], np.zeros_like(labels[0])]))
    torch.testing.assert_close(alone, both)


def test_lower_precision_is_computed_in_fp32() -> None:
    logits, labels, _ = case(3)
    low = logits.bfloat16()
    wanted = lsd.EmbeddingLoss()(low.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for given in (low, low.float()):
            found = lsd.EmbeddingLoss()(given, labels)
            assert found.dtype == torch.float32
            assert torch.equal(found, wanted)


def test_the_mean_of_a_large_object_is_exact() -> None:
    """Sums in fp32, one after another, would be off by a thousandth and more."""
    logits = torch.full((1, 1, 128, 128, 128), 0.51)
    labels = np.ones((1, 128, 128, 128), np.uint8)
    assert lsd.EmbeddingLoss(gamma=0)(logits, labels).item() < 1e-12


def test_settings_below_0_are_refused() -> None:
    for name in ("alpha", "beta", "gamma", "dv", "dd"):
        with pytest.raises(ValueError, match=rf"^{name}: .*got -1"):
            lsd.EmbeddingLoss(**{name: -1})
    assert "dv=0.2" in repr(lsd.EmbeddingLoss(**FIXED))


HEADS = {
    "affs": Head(
        target=Embeddings(dimensions=5, dd=FIXED["dd"]),
        loss=Discriminative(**{name: FIXED[name] for name in ("alpha", "beta", "gamma", "dv")}),
    )
}


def _sample(logits, labels, known):
    of_voxels = torch.from_numpy(known)[:, None]
    return LossSample(
        logits={"affs": logits},
        targets={"affs": torch.zeros(len(logits), 3, *logits.shape[2:])},
        weights={"affs": torch.ones(len(logits), 3, *logits.shape[2:])},
        labels=torch.from_numpy(labels.view(np.int64))[:, None],
        known=of_voxels,
        voxel_size=(8.0,) * (logits.ndim - 2),
        activations=StageLosses(HEADS).activations,
    )


def test_a_head_has_the_loss_of_the_module() -> None:
    logits, labels, known = case(3)
    losses, sample = StageLosses(HEADS), _sample(logits, labels, known)
    [found] = losses(sample, losses.totals(sample)).values()
    assert torch.equal(found, lsd.EmbeddingLoss(**FIXED)(logits, labels, known))


def test_the_shares_of_a_batch_add_up_to_it() -> None:
    """One has a sample without an object."""
    logits, labels, known = case(2)
    logits, labels, known = (
        logits.repeat(2, 1, 1, 1),
        np.tile(labels, (2, 1, 1)),
        known.repeat(2, 0),
    )
    known[1] = False
    logits, losses = logits.requires_grad_(), StageLosses(HEADS)
    sample = _sample(logits, labels, known)
    [whole] = losses(sample, losses.totals(sample)).values()
    shares = [
        replace(
            sample,
            logits={"affs": logits[cut]},
            labels=sample.labels[cut],
            known=sample.known[cut],
        )
        for cut in (slice(0, 2), slice(2, 3), slice(3, 4))
    ]
    of_shares = [losses.totals(share)["affs"] for share in shares]
    assert [share["samples"].item() for share in of_shares] == [1, 1, 1]
    totals = {"affs": {"samples": sum(share["samples"] for share in of_shares)}}
    parts = sum(losses(share, totals)["affs"] for share in shares)
    torch.testing.assert_close(parts, whole)
    one, other = (torch.autograd.grad(value, logits)[0] for value in (parts, whole))
    torch.testing.assert_close(one, other)


def test_losses_and_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"head 'a': loss 'discriminative' learns embeddings, and"):
        StageLosses({"a": Head(target=Affinities(), loss=Discriminative())})
    says = r"'(mse|bce)' wants .* 'embeddings' has others; .* Discriminative\(\)"
    for loss in (Head(target=Embeddings()).loss, Bce()):
        with pytest.raises(ValueError, match=says):
            StageLosses({"a": Head(target=Embeddings(), loss=loss)})
