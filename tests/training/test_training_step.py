"""One update against plain torch: losses, gradients, clipping, Adam, schedule and averages written
out in float64."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from noisy_batches import noise, together
from tiny_run import AFFS, NETWORKS, config

from lsd.batches.pipeline import Batch
from lsd.network.cascade import Cascade
from lsd.spec import Head, Loss, Schedule, Stage, Variant
from lsd.training.faults import NotFiniteError
from lsd.training.learner import Learner
from lsd.training.resume import begin
from lsd.training.step import LOWEST_SCALE, step

NEAR = Head(target=AFFS.target)
FAR = Head(target=AFFS.target, loss=Loss(kind="bce", weight=0.3))
VARIANT = Variant(stages=(Stage(heads={"affs": NEAR, "far": FAR}),))
# the same, but that classes of the first head are balanced
BALANCED = Variant(stages=(Stage(heads={"affs": AFFS, "far": FAR}),))
RATE = 0.01
# convolutions that a value passes, one after another; each rounds once forwards and once or twice
# backwards
LAYERS = 6


def _learner(folder, name: str, variant=VARIANT, **fields) -> Learner:
    run = config(folder, name=name, learning_rate=RATE, seed=3, **fields).derive(variant=variant)
    return begin(run, variant.stages[0])


class ByHand:
    """The same network in float64, and what a step does to it as the papers write it."""

    def __init__(self, learner: Learner) -> None:
        self.train = learner.config.train
        self.network = Cascade(VARIANT, NETWORKS["3d"].trunk).double()
        self.network.load_state_dict(learner.cascade.state_dict())
        self.weights = dict(self.network.named_parameters())
        self.mean = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.square = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        self.average = {name: weight.detach().clone() for name, weight in self.weights.items()}
        self.done = 0

    def loss(self, batch: Batch) -> torch.Tensor:
        """Mean over what counts, 0.3 of the second head."""
        logits = self.network.train()(torch.from_numpy(batch.raw).double())
        found = []
        for name, scale in (("affs", 1.0), ("far", 0.3)):
            p, t, w = (
                logits[name].sigmoid(),
                *(torch.from_numpy(of[name]).double() for of in (batch.targets, batch.weights)),
            )
            errors = (p - t) ** 2 if name == "affs" else -(t * p.log() + (1 - t) * (1 - p).log())
            found.append(scale * (w * errors)[w > 0].sum() / (w > 0).sum())
        return found[0] + found[1]

    def step(self, batches: list[Batch]) -> tuple[float, float, dict[str, torch.Tensor]]:
        """Loss, norm of the gradient before it is clipped, gradient after."""
        loss = sum(self.loss(batch) for batch in batches) / len(batches)
        gradients = dict(
            zip(self.weights, torch.autograd.grad(loss, list(self.weights.values())), strict=True)
        )
        norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
        if self.train.clip is not None and norm > self.train.clip:
            gradients = {
                name: gradient * self.train.clip / norm for name, gradient in gradients.items()
            }
        rate, (b1, b2) = RATE * self._factor(), self.train.betas
        with torch.no_grad():
            for name, weight in self.weights.items():
                self.mean[name] = b1 * self.mean[name] + (1 - b1) * gradients[name]
                self.square[name] = b2 * self.square[name] + (1 - b2) * gradients[name] ** 2
                mean, square = (
                    self.mean[name] / (1 - b1 ** (self.done + 1)),
                    self.square[name] / (1 - b2 ** (self.done + 1)),
                )
                weight -= rate * self.train.weight_decay * weight
                weight -= rate * mean / (square.sqrt() + 1e-8)
                if self.train.ema is not None:
                    decay = min(self.train.ema, (1 + self.done) / (10 + self.done))
                    self.average[name] = decay * self.average[name] + (1 - decay) * weight
        self.done += 1
        return float(loss.detach()), norm, gradients

    def _factor(self) -> float:
        """Warm-up over two steps, then half a cosine down to a tenth at the last of six."""
        if self.train.schedule.kind == "constant":
            return 1.0
        if self.done < 2:
            return (self.done + 1) / 3
        return 0.1 + 0.9 * (1 + math.cos(math.pi * (self.done - 2) / 4)) / 2


def _state(learner: Learner, what: str) -> dict[str, torch.Tensor]:
    named = {id(parameter): name for name, parameter in learner.cascade.named_parameters()}
    return {
        named[id(parameter)]: state[what] for parameter, state in learner.optimizer.state.items()
    }


COSINE = Schedule(kind="cosine", warmup=2, final=0.1)
SETTINGS = {
    "plain": {},
    "clipped": {"clip": 0.02},
    "not clipped": {"clip": 1e6},
    "accumulated": {"accumulate": 3},
    "decayed, averaged, scheduled": {
        "weight_decay": 0.1,
        "ema": 0.15,
        "schedule": COSINE,
        "iterations": 6,
    },
    "all": {
        "clip": 0.02,
        "accumulate": 2,
        "weight_decay": 0.1,
        "ema": 0.999,
        "schedule": COSINE,
        "iterations": 6,
    },
    "other layout": {"channels_last": True, "clip": 0.02},
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_step_is_what_it_is_by_hand(tmp_path, case) -> None:
    learner = _learner(tmp_path, "run", **SETTINGS[case])
    by_hand = ByHand(learner)
    each = learner.config.train.accumulate
    batches = noise(6 * each)
    for number in range(6):
        given = batches[number * each : (number + 1) * each]
        update = step(learner, iter(given))
        loss, norm, _ = by_hand.step(given)
        assert update.loss == pytest.approx(loss, rel=1e-5)
        assert update.gradient_norm == pytest.approx(norm, rel=1e-4)
        for name, mean in _state(learner, "exp_avg").items():
            torch.testing.assert_close(mean.double(), by_hand.mean[name], rtol=1e-3, atol=1e-7)
        for name, weight in learner.cascade.named_parameters():
            # Adam divides by the gradient: where that is next to nothing, its last bits count
            difference = (weight.double() - by_hand.weights[name]).abs()
            assert difference.max() < 0.02 * RATE, name
            assert difference.mean() < 1e-4 * RATE, name
        if learner.average:
            for name, weight in learner.average.weights.items():
                assert (weight.double() - by_hand.average[name]).abs().max() < 0.02 * RATE, name
    assert learner.iteration == 6


def _gradient(folder, name: str, batches: list[Batch], **fields) -> tuple[torch.Tensor, float]:
    """Of the first update that is not left out by the scaler, flat, and its loss."""
    learner = _learner(folder, name, **fields)
    for _ in range(30):
        update = step(learner, iter(batches))
        if learner.optimizer.state:
            break
    found = _state(learner, "exp_avg")
    beta = learner.config.train.betas[0]
    return torch.cat([found[key].flatten() / (1 - beta) for key in sorted(found)]), update.loss


@pytest.mark.parametrize(
    ("fields", "rounding"),
    [
        ({"precision": "bf16"}, 2**-8),
        ({"precision": "fp16"}, 2**-11),
        ({"precision": "bf16", "channels_last": True}, 2**-8),
        ({"precision": "auto"}, 2**-8),
        ({"channels_last": True}, 2**-23),
    ],
)
def test_gradients_are_those_of_fp32_but_for_rounding(tmp_path, fields, rounding) -> None:
    """Three roundings a layer, each of half a unit, in one direction at worst; on the average far
    less."""
    batches = noise(1, size=2)
    expected, loss = _gradient(tmp_path, "fp32", batches)
    found, rounded = _gradient(tmp_path, "other", batches, **fields)
    error = (found - expected).norm() / expected.norm()
    assert error < 3 * LAYERS * rounding
    assert rounded == pytest.approx(loss, rel=LAYERS * rounding)
    if fields.get("precision") in ("bf16", "fp16"):
        assert error > rounding / 100, "it computes in fp32"


def test_compiled_it_is_the_same(tmp_path, monkeypatch) -> None:
    """Captured and differentiated as a graph, without the minutes that it takes to make machine
    code of it."""
    batches, compiled = noise(1), []
    expected, loss = _gradient(tmp_path, "plain", batches)
    compile_ = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda module, **o: (
            compiled.append(o) or compile_(module, backend="aot_eager", fullgraph=True, **o)
        ),
    )
    found, seen = _gradient(tmp_path, "compiled", batches, compile=True)
    assert compiled == [{"dynamic": False}]
    assert (found - expected).norm() / expected.norm() < 1e-5
    assert seen == pytest.approx(loss, rel=1e-6)


def test_two_batches_of_one_are_a_batch_of_two(tmp_path) -> None:
    """Where as much of both is known: else each batch counts the same, not each voxel."""
    ones = noise(2, known=1.0)
    apart, _ = _gradient(tmp_path, "apart", ones, accumulate=2)
    whole, _ = _gradient(tmp_path, "whole", [together(ones)])
    torch.testing.assert_close(apart, whole, rtol=1e-3, atol=1e-6)


def test_classes_are_balanced_over_the_whole_batch(tmp_path) -> None:
    """As weights that are balanced by hand, channel by channel, over both samples of a batch."""
    [batch] = noise(1, size=2)
    target, known = batch.targets["affs"], batch.weights["affs"] > 0
    by_hand = batch.weights["affs"].copy()
    for channel in range(3):
        where = known[:, channel]
        positive = target[:, channel][where].mean()
        by_hand[:, channel] *= np.where(
            target[:, channel] > 0, 0.5 / positive, 0.5 / (1 - positive)
        )
    weighted = replace(batch, weights={**batch.weights, "affs": by_hand})
    updates = [
        step(_learner(tmp_path, name, variant), iter([given]))
        for name, variant, given in (("a", BALANCED, batch), ("b", VARIANT, weighted))
    ]
    assert updates[0].heads == pytest.approx(updates[1].heads, rel=1e-5)
    assert updates[0].gradient_norm == pytest.approx(updates[1].gradient_norm, rel=1e-4)
    plain = step(_learner(tmp_path, "c"), iter([batch]))
    assert plain.heads["affs"] != pytest.approx(updates[0].heads["affs"], rel=1e-3)


def test_a_step_that_overflows_is_left_out(tmp_path) -> None:
    """In fp16 the scale is halved, and neither weights nor learning rate move."""
    learner = _learner(
        tmp_path, "run", precision="fp16", schedule=Schedule(kind="cosine", warmup=2), iterations=6
    )
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 2.0**60})
    before = {name: weight.detach().clone() for name, weight in learner.cascade.named_parameters()}
    rate = learner.optimizer.param_groups[0]["lr"]
    step(learner, iter(noise(1)))
    assert learner.scaler.get_scale() == 2.0**59
    assert learner.optimizer.param_groups[0]["lr"] == rate
    assert all(
        torch.equal(weight, before[name]) for name, weight in learner.cascade.named_parameters()
    )


def test_gradients_that_are_finite_at_no_scale_stop_training(tmp_path) -> None:
    """In fp16, where a step that overflows is left out: not all of them."""
    learner = _learner(tmp_path, "run", precision="fp16", iterations=9)
    learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 2 * LOWEST_SCALE})
    weight = next(weight for weight in learner.cascade.parameters() if weight.requires_grad)
    weight.register_hook(lambda gradient: gradient * math.nan)
    before = weight.detach().clone()
    batches = iter(noise(2))
    step(learner, batches)
    with pytest.raises(NotFiniteError, match="finite at any scale, last in iteration 1; training"):
        step(learner, batches)
    assert torch.equal(weight, before)
