"""Class balancing: classes of equal weight in sum, by hand."""

import pytest
import torch

from lsd.losses.balance import balanced, class_counts


def balance(target, mask):
    """Weights of a batch, 0 where it is not known."""
    known, positive = class_counts(target, mask)
    return balanced(target, known=known, positive=positive) * mask


def test_by_hand():
    target = torch.tensor([[[1.0, 1, 1, 0, 1]]])
    weights = balance(target, torch.tensor([[[1.0, 1, 1, 1, 0]]]))
    torch.testing.assert_close(weights, torch.tensor([[[2 / 3, 2 / 3, 2 / 3, 2, 0]]]))
    assert weights.dtype == torch.float32


def test_classes_weigh_the_same_in_each_channel():
    torch.manual_seed(0)
    rare = torch.tensor([0.1, 0.5, 0.9])[:, None, None, None]
    target = (torch.rand(1, 3, 20, 20, 20) < rare).float()
    mask = (torch.rand(target.shape) < 0.7).float()
    weights = balance(target, mask)
    for channel in range(3):
        of_channel, values = weights[0, channel], target[0, channel]
        positive = of_channel[values == 1].sum().item()
        assert positive == pytest.approx(of_channel[values == 0].sum().item(), rel=1e-5)
        assert of_channel.sum().item() == pytest.approx(mask[0, channel].sum().item(), rel=1e-5)
    assert not weights[mask == 0].any()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rare_classes_are_clipped(value):
    weights = balance(torch.full((1, 1, 4, 4), value), torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(weights, torch.full((1, 1, 4, 4), 0.5 / 0.95))
    rare = torch.full((1, 1, 100), 1 - value)
    rare[0, 0, 0] = value
    assert balance(rare, torch.ones_like(rare))[0, 0, 0].item() == pytest.approx(0.5 / 0.05)


def test_a_batch_is_balanced_as_a_whole():
    """The shares of it too, by the counts of all."""
    target = torch.stack([torch.ones(2, 4), torch.zeros(2, 4)])
    known, positive = class_counts(target, torch.ones_like(target))
    torch.testing.assert_close(
        balanced(target, known=known, positive=positive), torch.ones_like(target)
    )
    shares = [class_counts(share, torch.ones_like(share)) for share in target.split(1)]
    for whole, parts in zip((known, positive), zip(*shares, strict=True), strict=True):
        assert torch.equal(sum(parts), whole)


def test_nothing_known_weighs_nothing():
    assert not balance(torch.ones(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)).any()


def test_one_mask_for_all_channels():
    target = torch.tensor([[[1.0, 1, 0, 0], [1, 0, 0, 0]]])
    known, positive = class_counts(target, torch.tensor([[[1.0, 1, 1, 0]]]))
    assert known.tolist() == [3, 3]
    assert positive.tolist() == [2, 1]
