"""A step of each weighting: whole batches and batches in parts, fp16, overflow, compiled."""

import numpy as np
import pytest
import torch
from noisy_batches import noise, together
from tiny_run import AFFS, LSDS, config

from lsd.losses.weighting import combine
from lsd.spec import Boundary, Head, Loss, Schedule, Stage, Variant
from lsd.training import resume
from lsd.training.learner import Learner
from lsd.training.step import forward, loss_sample, step

HEADS = {
    "lsds": LSDS.derive(loss=Loss(weight=3)),
    "affs": Head(target=AFFS.target),
    "boundary": Head(target=Boundary(), loss=Loss(kind="bce", weight=0.5)),
}
CHANNELS = {"lsds": 10, "affs": 3, "boundary": 1}
KINDS = ("fixed", "uncertainty", "pcgrad", "project_auxiliary", "cosine_gate")
OF_GRADIENTS = KINDS[2:]


def learner_of(folder, kind: str, *, name: str = "run", **fields) -> Learner:
    variant = Variant(stages=(Stage(heads=HEADS, weighting=kind),))
    run = config(folder, name=name, seed=3, **fields).derive(variant=variant)
    return resume.begin(run, variant.stages[0])


def batches_of(count: int, *, size: int = 1, known: float = 0.7):
    return noise(count, size=size, known=known, heads=CHANNELS)


def stepped(learner: Learner, batches) -> dict[str, torch.Tensor]:
    """The gradient that was followed, by parameter, from Adam's first mean.  Steps that overflow
    are tried again."""
    for _ in range(30):
        step(learner, iter(batches))
        if learner.optimizer.state:
            break
    beta = learner.config.train.betas[0]
    named = [*learner.cascade.named_parameters(), *learner.losses.named_parameters()]
    return {
        name: learner.optimizer.state[parameter]["exp_avg"] / (1 - beta)
        for name, parameter in named
        if parameter in learner.optimizer.state
    }


def of_tasks(learner: Learner, batches) -> dict[str, dict[str, torch.Tensor]]:
    """Gradient of each head's loss by itself, times its weight."""
    named = dict(learner.cascade.named_parameters())
    found = {}
    for task, head in HEADS.items():
        loss = torch.zeros(())
        for batch in batches:
            sample = loss_sample(learner, batch, forward(learner, batch))
            losses = learner.losses(sample, learner.losses.totals(sample))
            loss = loss + head.loss.weight * losses[task] / len(batches)
        parts = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        found[task] = {
            name: part for name, part in zip(named, parts, strict=True) if part is not None
        }
    return found


@pytest.mark.parametrize("kind", OF_GRADIENTS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_trunk_follows_the_combined_gradient_and_heads_their_own(
    tmp_path, kind, accumulate
) -> None:
    learner, batches = learner_of(tmp_path, kind, accumulate=accumulate), batches_of(accumulate)
    tasks = of_tasks(learner, batches)
    shared = [name for name in tasks["affs"] if all(name in tasks[task] for task in tasks)]
    assert len(shared) > 4
    rows = [torch.cat([parts[name].flatten() for name in shared]) for parts in tasks.values()]
    rng = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
    orders = [[o for o in rng.permutation(3).tolist() if o != task] for task in range(3)]
    whole = combine(torch.stack(rows), kind=kind, target=1, orders=orders)
    found = stepped(learner, batches)
    torch.testing.assert_close(
        torch.cat([found[name].flatten() for name in shared]), whole, rtol=1e-4, atol=1e-7
    )
    assert (whole - torch.stack(rows).sum(0)).norm() > 0.01 * whole.norm(), "there was a conflict"
    for task, parts in tasks.items():
        for name in (name for name in parts if f"head_{task}" in name):
            torch.testing.assert_close(found[name], parts[name], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_two_batches_of_one_are_a_batch_of_two(tmp_path, kind) -> None:
    """Where as much of both is known: gradients of a task are added up before they are weighed."""
    ones = batches_of(2, known=1.0)
    apart = stepped(learner_of(tmp_path, kind, name="apart", accumulate=2), ones)
    whole = stepped(learner_of(tmp_path, kind, name="whole"), [together(ones)])
    assert apart.keys() == whole.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(apart[name], gradient, rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_gives_the_gradient_but_for_rounding(tmp_path, kind, precision) -> None:
    """Also where losses are scaled."""
    batches = batches_of(1, size=2)
    expected = stepped(learner_of(tmp_path, kind, name="fp32"), batches)
    found = stepped(learner_of(tmp_path, kind, name="other", precision=precision), batches)
    one, other = (torch.cat([part.flatten() for part in g.values()]) for g in (found, expected))
    # three roundings a layer; a cosine near 0 multiplies what is lost of a gradient
    rounding = {"bf16": 2**-8, "fp16": 2**-11}[precision]
    assert 0 < (one - other).norm() / other.norm() < 3 * 6 * rounding


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_overflows_is_left_out(tmp_path, kind) -> None:
    """The scale is halved; neither weights, nor what is learned of losses, nor the rate move."""
    schedule = Schedule(kind="cosine", warmup=2)
    learner = learner_of(tmp_path, kind, precision="fp16", schedule=schedule, iterations=6)
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 2.0**60})
    before = [parameter.detach().clone() for parameter in learner.parameters()]
    rate = learner.optimizer.param_groups[0]["lr"]
    step(learner, iter(batches_of(1)))
    assert learner.scaler.get_scale() == 2.0**59
    assert learner.optimizer.param_groups[0]["lr"] == rate
    after = learner.parameters()
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("kind", ["pcgrad", "uncertainty"])
def test_compiled_it_is_the_same(tmp_path, monkeypatch, kind) -> None:
    """Captured as a graph that is gone through once a task, without the minutes of making machine
    code of it."""
    compile_ = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda module, **o: compile_(module, backend="aot_eager", **o)
    )
    batches = batches_of(1)
    expected = stepped(learner_of(tmp_path, kind, name="plain"), batches)
    found = stepped(learner_of(tmp_path, kind, name="compiled", compile=True), batches)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
