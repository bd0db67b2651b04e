import pytest
import torch

from lsd.training.average import Average, averaged


def _layer(value):
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, value)
    return layer


def test_average_is_the_recursion_written_out() -> None:
    layer = _layer(0.0)
    average = Average(layer, decay=0.5)
    expected = 0.0
    for iteration in range(20):
        torch.nn.init.constant_(layer.weight, iteration)
        average.update(layer, iteration)
        decay = min(0.5, (1 + iteration) / (10 + iteration))
        expected = decay * expected + (1 - decay) * iteration
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-5)


def test_weights_come_back_even_after_an_error() -> None:
    layer = _layer(1.0)
    average = Average(layer, decay=0.9)
    torch.nn.init.constant_(layer.weight, 3.0)
    with pytest.raises(AssertionError, match="averaged"), averaged(layer, average):
        assert layer.weight.item() != 1.0, "averaged"
    assert layer.weight.item() == 3.0


def test_without_average_nothing_changes() -> None:
    layer = _layer(2.0)
    with averaged(layer, None):
        assert layer.weight.item() == 2.0


def test_load_goes_on_from_a_checkpoint() -> None:
    average = Average(_layer(1.0), decay=0.9)
    average.load({"weight": torch.full((1, 1), 7.0)})
    assert average.weights["weight"].item() == 7.0
