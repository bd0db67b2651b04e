"""Weightings and a mode of modules outside the package: trained, resumed, kept in checkpoints,
known to `combine`."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from kinds_outside.mode import Noisy
from kinds_outside.weighting import EqualLength, PowerMean

from lsd.losses.weighting import combine
from lsd.network.checkpoints import files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, Stage, Variant, paths
from lsd.spec.kinds import import_kinds
from lsd.training.loop import train

sys.path.append(str(Path(__file__).parent / "training"))
from checkpointed import assert_same, content_of
from tiny_run import AFFS, LSDS, config

MODULES = ("kinds_outside.weighting", "kinds_outside.mode")


@pytest.fixture(autouse=True)
def _imported() -> None:
    import_kinds(MODULES)


def run_with(folder, weighting, *, name: str, **fields) -> Config:
    run = config(folder, name=name, iterations=4, checkpoint_every=2)
    stage = Stage(heads={"lsds": LSDS, "affs": AFFS}, weighting=weighting)
    return run.derive(variant=Variant(stages=(stage,)), imports=MODULES, train=fields)


def after(run, iteration: int) -> dict:
    return content_of(paths.checkpoints(run, "main") / files.file_name(iteration))


@pytest.mark.parametrize("weighting", [EqualLength(), PowerMean(start=1.5)], ids=lambda k: k.kind)
def test_it_trains_and_goes_on(tmp_path, weighting) -> None:
    straight = run_with(tmp_path, weighting, name="straight")
    train(straight, progress=False)
    broken = run_with(tmp_path, weighting, name="broken")
    train(broken.derive(train={"iterations": 2}), progress=False)
    train(broken, progress=False)
    assert_same(after(straight, 4), after(broken, 4))
    plain = run_with(tmp_path, "fixed", name="plain")
    train(plain, progress=False)
    name = "stage_main.trunk.down.0.0.convolution.weight"
    assert not torch.equal(after(plain, 4)["model"][name], after(straight, 4)["model"][name])


def test_its_parameter_is_in_checkpoints(tmp_path) -> None:
    run = run_with(tmp_path, PowerMean(start=1.5), name="run")
    best = train(run, progress=False)
    learned = from_checkpoint(best).losses["balancer.power"]
    assert 0 < abs(learned.item() - 1.5) < 0.1


def test_gradients_of_ones_own_loop() -> None:
    gradients = np.array([[3.0, 4.0], [0.0, 0.5]])
    np.testing.assert_allclose(combine(gradients, kind="equal_length"), [3, 9])
    with pytest.raises(ValueError, match="'power_mean' weighs losses"):
        combine(gradients, kind="power_mean")


def test_a_mode_takes_the_steps(tmp_path) -> None:
    straight = run_with(tmp_path, "fixed", name="straight", mode=Noisy(), ema=0.5)
    train(straight, progress=False)
    broken = run_with(tmp_path, "fixed", name="broken", mode=Noisy(), ema=0.5)
    train(broken.derive(train={"iterations": 2}), progress=False)
    train(broken, progress=False)
    assert_same(after(straight, 4), after(broken, 4))
    with pytest.raises(ValueError, match=r"train\.mode\.scale: was None, now 0\.1"):
        train(broken.derive(train={"mode": Noisy(scale=0.1), "iterations": 6}), progress=False)


@pytest.mark.parametrize(
    "field", [{"train": {"mode": Noisy()}}, {"variant": {"weighting": EqualLength()}}]
)
def test_a_config_that_does_not_name_its_module_is_refused(tmp_path, field) -> None:
    run = run_with(tmp_path, "fixed", name="run").derive(imports=())
    if "variant" in field:
        stage = run.variant.stages[0].derive(**field["variant"])
        field = {"variant": Variant(stages=(stage,))}
    with pytest.raises(ValueError, match=r"is defined in module 'kinds_outside\."):
        run.derive(**field)
