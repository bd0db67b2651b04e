"""Whether the device computes what the CPU does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import get_args

import numpy as np
import torch

from benchmarks.gpu.line import Line, Setting, at_most
from benchmarks.gpu.runs import SMALL, config_of, noise
from config.datasets import IDS
from lsd import spec
from lsd.losses.loss import HeadLoss, LossSample
from lsd.spec import Synthetic
from lsd.spec.kinds import behaviour
from lsd.synthetic import synthesize
from lsd.targets.descriptors import descriptors
from lsd.targets.target import target_kind
from lsd.targets.windows import Mode
from lsd.training.learner import new_learner
from lsd.training.step import step

# the largest difference of a descriptor in 0..1; of losses and gradients, relative, in fp32, and of
# convolutions in TF32
EXACT, ROUNDED, TF32 = 1e-4, 1e-4, 1e-2


def descriptors_equal(setting: Setting) -> Iterator[Line]:
    """Descriptors on the device and on the CPU, both windows, with and without downsampling."""
    side = 48 if setting.rehearsal else 128
    labels = synthesize(Synthetic(shape=(side,) * 3, seed=2))[IDS]
    modes: tuple[Mode, ...] = get_args(Mode)
    for mode, downsample in product(modes, (1, 2)):
        of_labels = partial(
            descriptors, labels, voxel_size=10, sigma=40, downsample=downsample, mode=mode
        )
        ours, there = of_labels(), of_labels(device=str(setting.device))
        yield at_most(
            f"descriptors of {side}^3, {mode}, downsample {downsample}: largest difference",
            float(np.abs(ours - there).max()),
            EXACT,
        )


def losses_equal(setting: Setting) -> Iterator[Line]:
    """Each kind of loss, its value and its gradient, on the device and on the CPU."""
    for kind, cls in spec.Loss.kinds().items():
        if not cls.__module__.startswith("lsd."):
            continue
        here, there = (_loss(kind, torch.device(name)) for name in ("cpu", setting.device))
        yield at_most(f"loss {cls.__name__}: value", _apart(here[0], there[0]), ROUNDED)
        yield at_most(f"loss {cls.__name__}: gradient", _apart(here[1], there[1]), ROUNDED)


def network_equals(setting: Setting) -> Iterator[Line]:
    """A step of the small network: loss and norm of the gradient, in fp32."""
    config = config_of(SMALL, setting)
    updates = []
    for device in ("cpu", str(setting.device)):
        one = config.derive(train={"device": device})
        updates.append(step(new_learner(one, one.variant.stages[0]), noise(one)))
    here, there = updates
    yield at_most(f"{SMALL}, a step: loss", abs(there.loss / here.loss - 1), TF32)
    norm = abs(there.gradient_norm / here.gradient_norm - 1)
    yield at_most(f"{SMALL}, a step: norm of the gradient", norm, TF32)


def _loss(kind: str, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Value and gradient, on the CPU, of a loss of what it can learn, by labels that are blocks."""
    loss = behaviour(spec.Loss(kind=kind))
    assert isinstance(loss, HeadLoss)
    learned = (spec.Affinities(), spec.Embeddings(), spec.Semantic(classes=(1, 2)))
    targets = map(target_kind, learned)
    target = next(target for target in targets if not loss.misfit(target))
    rng = np.random.default_rng(0)
    shape = (2, 3, 24, 24, 24)
    z, y, x = np.ogrid[:24, :24, :24]
    labels = np.broadcast_to((z // 8 * 9 + y // 8 * 3 + x // 8 + 1)[None, None], (2, 1, 24, 24, 24))
    own = {
        "logits": rng.normal(size=(2, target.logit_channels(3), *shape[2:])),
        "targets": rng.random(shape) < 0.7,
        "weights": rng.random(shape) < 0.8,
    }
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)
        for name, values in own.items()
    }
    logits = tensors["logits"].requires_grad_()
    sample = LossSample(
        logits={"affs": logits},
        targets={"affs": tensors["targets"]},
        weights={"affs": tensors["weights"]},
        labels=torch.from_numpy(np.ascontiguousarray(labels, np.int64)).to(device),
        known=torch.ones(labels.shape, dtype=torch.bool, device=device),
        voxel_size=(10.0, 10.0, 10.0),
        activations={"affs": target.activation},
        neighborhoods={"affs": target.neighborhood(3) or ()},
        head="affs",
    )
    loss = loss.to(device)
    value = loss(sample, loss.totals(sample))
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach().cpu(), gradient.cpu()


def _apart(here: torch.Tensor, there: torch.Tensor) -> float:
    """How far two tensors are apart, relative to the first."""
    return float((there.double() - here.double()).norm() / here.double().norm().clamp(min=1e-30))
