import pytest
import torch

from lsd.spec import Schedule, Train
from lsd.training.optimiser import factor, optimizer, restore_scheduler, scheduler


def _train(**schedule):
    return Train(iterations=100, learning_rate=0.1, schedule=Schedule(**schedule))


def test_betas_of_the_paper_and_no_decay() -> None:
    adam = optimizer(torch.nn.Linear(2, 2).parameters(), Train())
    assert type(adam) is torch.optim.Adam
    assert adam.defaults["betas"] == (0.95, 0.999)
    assert adam.defaults["lr"] == 5e-5


def test_weight_decay_takes_adamw_and_frozen_parameters_stay_out() -> None:
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    adam = optimizer(layer.parameters(), Train(weight_decay=0.01))
    assert type(adam) is torch.optim.AdamW
    assert [len(group["params"]) for group in adam.param_groups] == [1]


@pytest.mark.parametrize(
    ("schedule", "iteration", "expected"),
    [
        ({}, 0, 1.0),
        ({}, 99, 1.0),
        ({"warmup": 9}, 0, 0.1),
        ({"warmup": 9}, 8, 0.9),
        ({"warmup": 9}, 9, 1.0),
        ({"kind": "linear"}, 50, 0.5),
        ({"kind": "linear", "final": 0.2}, 100, 0.2),
        ({"kind": "cosine"}, 50, 0.5),
        ({"kind": "cosine", "final": 0.1}, 100, 0.1),
        ({"kind": "linear", "final": 0.2}, 50, 0.6),
        # half of a cosine: a quarter of the way 1/2 + sqrt(2)/4 of it is left
        ({"kind": "cosine", "final": 0.1}, 25, 0.1 + 0.9 * (0.5 + 0.5**1.5)),
        ({"kind": "cosine", "warmup": 20, "final": 0.1}, 60, 0.55),
        ({"kind": "linear", "warmup": 20}, 40, 0.75),
        # a run that goes on for longer than it was to
        ({"kind": "cosine"}, 150, 0.0),
        ({"kind": "linear", "final": 0.2}, 150, 0.2),
        # warm-up all the way
        ({"kind": "linear", "warmup": 100}, 99, 100 / 101),
        ({"kind": "linear", "warmup": 100}, 100, 1.0),
    ],
)
def test_factor(schedule, iteration, expected) -> None:
    assert factor(iteration, _train(**schedule)) == pytest.approx(expected)


def test_scheduler_follows_factor() -> None:
    train = _train(kind="cosine", warmup=5)
    adam = optimizer(torch.nn.Linear(2, 2).parameters(), train)
    steps = scheduler(adam, train)
    for iteration in range(20):
        assert adam.param_groups[0]["lr"] == pytest.approx(0.1 * factor(iteration, train))
        adam.step()
        steps.step()


def test_a_restored_scheduler_follows_the_iterations_of_now() -> None:
    """A run of 100 iterations ended at rate 0, and goes on to 200, which is half way."""
    short, long = _train(kind="cosine"), _train(kind="cosine").derive(iterations=200)
    weight = torch.nn.Parameter(torch.zeros(1))
    first = optimizer([weight], short)
    ended = scheduler(first, short)
    for _ in range(100):
        first.step()
        ended.step()
    assert first.param_groups[0]["lr"] == 0
    second = optimizer([weight], long)
    second.load_state_dict(first.state_dict())
    restored = scheduler(second, long)
    restore_scheduler(restored, ended.state_dict(), long)
    assert second.param_groups[0]["lr"] == pytest.approx(0.05)
    assert restored.get_last_lr() == [pytest.approx(0.05)]
    second.step()
    restored.step()
    assert second.param_groups[0]["lr"] == pytest.approx(0.1 * factor(101, long))
