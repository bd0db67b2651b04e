import pytest
import torch
from tiny_run import config

from lsd.network.checkpoints import checkpoint
from lsd.training.average import Average, averaged
from lsd.training.loop import train


def _layer(value):
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, value)
    return layer


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        # by hand, weights 1, 2, 3, .. after 0: 1/10 0 + 9/10 1 = 0.9, 2/11 0.9 + 9/11 2 = 1.8, 3/12
        # 1.8 + 9/12 3 = 2.7 ..
        (0.999, [0.9, 1.8, 2.7, 3.6, 4.5, 5.4, 6.3, 7.2]),
        # at most a fifth of the old: as before while 1/10 and 2/11, then 0.2 1.8 + 0.8 3 = 2.76,
        # 0.2 2.76 + 0.8 4 = 3.752
        (0.2, [0.9, 1.8, 2.76, 3.752]),
        (0.0, [1, 2, 3, 4]),
    ],
)
def test_average_is_what_it_is_by_hand(decay, expected) -> None:
    layer = _layer(0.0)
    average = Average(layer, decay=decay)
    found = []
    for iteration in range(len(expected)):
        torch.nn.init.constant_(layer.weight, iteration + 1)
        average.update(layer, iteration)
        found.append(average.weights["weight"].item())
    assert found == pytest.approx(expected, rel=1e-6)


def test_a_long_average_has_the_decay_that_is_asked_for() -> None:
    """From a jump on, what is left of the old shrinks by the decay: 0.9 from iteration 81 on, (1 +
    81) / (10 + 81) > 0.9."""
    layer = _layer(1.0)
    average = Average(layer, decay=0.9)
    torch.nn.init.constant_(layer.weight, 0.0)
    for iteration in range(100, 110):
        average.update(layer, iteration)
    assert average.weights["weight"].item() == pytest.approx(0.9**10, rel=1e-5)


def test_training_counts_iterations_from_the_first(tmp_path) -> None:
    """After one step a tenth of the first weights is left, after two 2/11 of that: with weights of
    runs of 0, 1, 2 steps."""
    runs = [config(tmp_path, name=f"n{n}", iterations=n, ema=0.999) for n in range(3)]
    contents = [checkpoint.load(train(run, progress=False)) for run in runs]
    w0, w1, w2 = (content["model"] for content in contents)
    for key, averaged_ in contents[2]["ema"].items():
        torch.testing.assert_close(
            averaged_, 2 / 11 * (0.1 * w0[key] + 0.9 * w1[key]) + 9 / 11 * w2[key]
        )
        torch.testing.assert_close(contents[1]["ema"][key], 0.1 * w0[key] + 0.9 * w1[key])


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
