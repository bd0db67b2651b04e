"""The sum over heads."""

import pytest
import torch

from lsd.losses.dense import bce, mse
from lsd.losses.tasks import total
from lsd.spec import Loss


def test_sum_of_weighted_heads():
    torch.manual_seed(0)
    shapes = {"lsds": (1, 10, 3, 3, 3), "affs": (1, 3, 3, 3, 3)}
    logits = {name: torch.randn(shape, requires_grad=True) for name, shape in shapes.items()}
    targets = {name: torch.rand(shape) for name, shape in shapes.items()}
    weights = {name: torch.rand(shape) for name, shape in shapes.items()}
    losses = {"lsds": Loss(weight=2.0), "affs": Loss(kind="bce", weight=0.5)}
    found = total(logits, targets, weights=weights, losses=losses)
    expected = {"lsds": mse(logits["lsds"], targets["lsds"], weights["lsds"])}
    expected["affs"] = bce(logits["affs"], targets["affs"], weights["affs"])
    assert {name: value.item() for name, value in found.heads.items()} == {
        n: v.item() for n, v in expected.items()
    }
    assert found.value.item() == pytest.approx(
        2 * expected["lsds"].item() + 0.5 * expected["affs"].item(), rel=1e-6
    )
    assert not any(value.requires_grad for value in found.heads.values())
    found.value.backward()
    gradient = torch.autograd.grad(2 * expected["lsds"], logits["lsds"])[0]
    torch.testing.assert_close(logits["lsds"].grad, gradient)
