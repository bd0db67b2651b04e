"""Balancers: which gradient they put in place, of what tasks share and of what is their own."""

import numpy as np
import pytest
import torch
from torch import nn

from lsd import spec
from lsd.losses.weighting import combine
from lsd.spec import (
    Affinities,
    Boundary,
    CosineGate,
    Descriptors,
    Fixed,
    Head,
    PCGrad,
    ProjectAuxiliary,
    Stage,
    Uncertainty,
)
from lsd.spec.kinds import behaviour

TASKS = ("lsds", "affs", "boundary")
OF_GRADIENTS = [PCGrad(), ProjectAuxiliary(), CosineGate()]
OF_LOSSES = [Fixed(), Uncertainty()]


class Toy(nn.Module):
    """A trunk that all tasks share, a layer that two share, and one of each task."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.two = nn.Linear(4, 6), nn.Linear(6, 6)
        self.own = nn.ModuleList(nn.Linear(6, 1) for _ in TASKS)
        self.unused = nn.Parameter(torch.ones(2))

    def losses(self, seed: int) -> dict[str, torch.Tensor]:
        """Different ones by seed, with gradients that point against each other."""
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn((8, 4), generator=generator)
        hidden = self.trunk(x).tanh()
        deeper = self.two(hidden).tanh()
        inputs = (deeper, hidden, deeper)
        wanted = torch.randn((len(TASKS), 8, 1), generator=generator)
        return {
            task: (layer(given) - target).square().mean()
            for task, layer, given, target in zip(TASKS, self.own, inputs, wanted, strict=True)
        }


def balancer_of(weighting, target: int = 1):
    return behaviour(weighting, TASKS, target=target)


def alone(tensors) -> None:
    """Sum over a run of one process."""


def gradient(toy, balancer, seeds, *, scale=1.0, rng=0, tasks=TASKS) -> dict[str, np.ndarray]:
    """What a step of so many batches puts in place."""
    parameters = [*toy.parameters(), *balancer.parameters()]
    for parameter in parameters:
        parameter.grad = None
    for seed in seeds:
        losses = {task: loss for task, loss in toy.losses(seed).items() if task in tasks}
        value = balancer(losses)
        balancer.backward(value, losses, parameters, scale=lambda loss: loss * scale / len(seeds))
    balancer.complete(parameters, sum=alone, rng=np.random.default_rng(rng))
    named = [*toy.named_parameters(), *balancer.named_parameters()]
    return {
        name: parameter.grad.numpy().copy()
        for name, parameter in named
        if parameter.grad is not None
    }


def by_task(toy, seeds) -> dict[str, dict[str, np.ndarray]]:
    """Gradient of each task by itself, mean over the batches."""
    named = dict(toy.named_parameters())
    found = {}
    for task in TASKS:
        loss = torch.stack([toy.losses(seed)[task] for seed in seeds]).mean()
        parts = torch.autograd.grad(loss, list(named.values()), materialize_grads=True)
        found[task] = {name: part.numpy() for name, part in zip(named, parts, strict=True)}
    return found


def flat(gradients, names) -> np.ndarray:
    return np.concatenate([gradients[name].ravel() for name in names])


SHARED = ("trunk.weight", "trunk.bias", "two.weight", "two.bias")


@pytest.mark.parametrize("weighting", OF_GRADIENTS, ids=lambda kind: kind.kind)
@pytest.mark.parametrize("seeds", [(1,), (1, 2, 3)], ids=["a batch", "three batches"])
def test_what_is_shared_is_combined_once_a_step_and_what_is_not_is_plain(weighting, seeds) -> None:
    toy = Toy()
    # orders of 3 tasks matter; these are drawn from the generator of the step
    found = gradient(toy, balancer_of(weighting), seeds, rng=5)
    expected = by_task(toy, seeds)
    rng = np.random.default_rng(5)
    orders = [[o for o in rng.permutation(3).tolist() if o != task] for task in range(3)]
    matrix = np.stack([flat(expected[task], SHARED) for task in TASKS])
    whole = combine(matrix, kind=weighting.kind, target=1, orders=orders)
    np.testing.assert_allclose(flat(found, SHARED), whole, rtol=1e-5, atol=1e-7)
    assert np.abs(whole - matrix.sum(0)).max() > 1e-3, "there was something to weigh"
    for number, task in enumerate(TASKS):
        for name in (f"own.{number}.weight", f"own.{number}.bias"):
            np.testing.assert_allclose(found[name], expected[task][name], rtol=1e-5)
    assert "unused" not in found


@pytest.mark.parametrize("weighting", OF_GRADIENTS + OF_LOSSES, ids=lambda kind: kind.kind)
def test_a_scale_of_losses_is_one_of_the_gradient(weighting) -> None:
    """As fp16 needs it: what is weighed does not depend on the scale."""
    toy = Toy()
    once = gradient(toy, balancer_of(weighting), (1, 2))
    scaled = gradient(toy, balancer_of(weighting), (1, 2), scale=2.0**16)
    assert once.keys() == scaled.keys()
    for name, value in once.items():
        np.testing.assert_array_equal(scaled[name], value * 2**16, err_msg=name)


@pytest.mark.parametrize("weighting", OF_GRADIENTS + OF_LOSSES, ids=lambda kind: kind.kind)
@pytest.mark.parametrize("task", TASKS)
def test_an_overflow_of_any_task_is_seen(weighting, task) -> None:
    toy = Toy()
    parameters, balancer = list(toy.parameters()), balancer_of(weighting)
    losses = toy.losses(1)
    losses[task] = losses[task] * float("inf")
    balancer.backward(balancer(losses), losses, parameters, scale=lambda loss: loss)
    balancer.complete(parameters, sum=alone, rng=np.random.default_rng(0))
    assert not toy.trunk.weight.grad.isfinite().all()


@pytest.mark.parametrize("weighting", OF_GRADIENTS + OF_LOSSES, ids=lambda kind: kind.kind)
def test_without_the_other_tasks_it_is_the_gradient_of_the_target(weighting) -> None:
    """As in a branch that learns the target alone; a factor of uncertainty is known."""
    toy, expected = Toy(), by_task(Toy(), (1,))["affs"]
    factor = 1 / (2 * np.exp(-0.5)) if weighting.kind == "uncertainty" else 1
    found = gradient(toy, balancer_of(weighting), (1,), tasks=("affs",))
    for name in ("trunk.weight", "trunk.bias", "own.1.weight"):
        np.testing.assert_allclose(found[name], factor * expected[name], rtol=1e-5)
    assert "own.0.weight" not in found


def test_a_fixed_sum_is_the_sum() -> None:
    toy = Toy()
    found, expected = gradient(toy, balancer_of(Fixed()), (1, 2)), by_task(toy, (1, 2))
    for name in SHARED:
        np.testing.assert_allclose(
            found[name], sum(part[name] for part in expected.values()), rtol=1e-5, atol=1e-7
        )


def test_uncertainty_is_its_formula() -> None:
    """Value and derivatives by hand, and where s has learned: at s = log L the sum is lowest."""
    toy, balancer = Toy(), balancer_of(Uncertainty(start=0.3))
    losses = {task: loss.item() for task, loss in toy.losses(1).items()}
    value = balancer({task: torch.tensor(loss) for task, loss in losses.items()})
    by_hand = sum(loss / (2 * np.exp(0.3)) + 0.3 / 2 for loss in losses.values())
    assert value.item() == pytest.approx(by_hand, rel=1e-6)
    found, expected = gradient(toy, balancer, (1,)), by_task(toy, (1,))
    total = sum(part["trunk.weight"] for part in expected.values()) / (2 * np.exp(0.3))
    np.testing.assert_allclose(found["trunk.weight"], total, rtol=1e-5, atol=1e-7)
    for task, loss in losses.items():
        slope = found[f"log_variance.head_{task}"]
        assert slope == pytest.approx(0.5 - loss / (2 * np.exp(0.3)), rel=1e-5)
        with torch.no_grad():
            balancer.log_variance[f"head_{task}"].fill_(np.log(loss))
    for name, slope in gradient(toy, balancer, (1,)).items():
        if name.startswith("log_variance"):
            assert abs(slope) < 1e-6


def test_uncertainty_starts_where_it_is_told() -> None:
    for weighting, start in ((Uncertainty(), -0.5), (Uncertainty(start=1), 1.0)):
        assert [s.item() for s in balancer_of(weighting).parameters()] == [start] * 3


HEADS = {"lsds": Head(target=Descriptors()), "affs": Head(target=Affinities())}


@pytest.mark.parametrize("kind", [ProjectAuxiliary, CosineGate])
def test_the_target_is_the_head_that_is_named_or_that_of_affinities(kind) -> None:
    targets = Stage(heads=HEADS).targets()
    assert kind().target_of(targets) == "affs"
    assert kind(target="lsds").target_of(targets) == "lsds"
    assert Stage(heads=HEADS, weighting=kind()).weighting == kind()
    with pytest.raises(ValueError, match="target 'aff' is none of the heads: lsds, affs"):
        Stage(heads=HEADS, weighting=kind(target="aff"))
    none = {"lsds": HEADS["lsds"], "boundary": Head(target=Boundary())}
    with pytest.raises(ValueError, match="of the heads lsds, boundary, none learn affinities"):
        Stage(heads=none, weighting=kind())
    assert Stage(heads=none, weighting=kind(target="boundary"))
    with pytest.raises(ValueError, match="several learn affinities; name one: target="):
        Stage(heads=HEADS | {"more": HEADS["affs"]}, weighting=kind())


def test_it_is_not_written_where_it_is_the_usual_one() -> None:
    """So configs, and what is compared with those of before, stay as they are."""
    plain = Stage(heads=HEADS)
    assert "weighting" not in plain.model_dump(mode="json")
    assert Stage.model_validate_json(plain.model_dump_json()).weighting == Fixed()
    assert plain == Stage(heads=HEADS, weighting="fixed") == Stage(heads=HEADS, weighting=Fixed())
    named = Stage(heads=HEADS, weighting="pcgrad")
    assert named.model_dump(mode="json")["weighting"] == "pcgrad"
    chosen = Stage(heads=HEADS, weighting=CosineGate(target="lsds"))
    for stage in (named, chosen, Stage(heads=HEADS, weighting=Uncertainty(start=0))):
        assert Stage.model_validate_json(stage.model_dump_json()) == stage
    with pytest.raises(ValueError, match="weighting 'mean' is unknown; allowed: fixed, uncert"):
        Stage(heads=HEADS, weighting="mean")
    with pytest.raises(ValueError, match="names; did you mean 'pcgrad'"):
        Stage(heads=HEADS, weighting="pcgard")


@pytest.mark.parametrize("name", list(spec.Weighting.kinds()))
def test_every_kind_has_its_answers(name) -> None:
    """Those that are written later, too."""
    toy, balancer = Toy(), balancer_of(spec.Weighting(kind=name))
    value = balancer(toy.losses(0))
    assert value.shape == ()
    found = gradient(toy, balancer, (0,))
    assert all(np.isfinite(part).all() for part in found.values())
    assert found["trunk.weight"].any()
