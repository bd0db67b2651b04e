"""Runs whose tasks are weighed: stopped and resumed, kept in checkpoints, refused where they cannot
go on, predicted."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpointed import FULL, assert_same, content_of, last, signal_at
from tiny_run import AFFS, LSDS, config, curve

from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.run import predict
from lsd.spec import Boundary, Head, Stage, Variant, paths
from lsd.training.loop import train
from lsd.volumes.array import open_array

HEADS = {"lsds": LSDS, "affs": AFFS, "boundary": Head(target=Boundary())}
KINDS = ("uncertainty", "pcgrad", "project_auxiliary", "cosine_gate")
LEARNED = "balancer.log_variance.head_affs"


def weighted(folder, kind, *, name: str = "run", **fields):
    run = config(folder, name=name, **fields)
    return run.derive(variant=Variant(stages=(Stage(heads=HEADS, weighting=kind),)))


def after(run, iteration: int) -> dict:
    return content_of(paths.checkpoints(run, "main") / files.file_name(iteration))


@pytest.mark.parametrize("dims", ["3d", "2d"])
@pytest.mark.parametrize("kind", KINDS)
def test_stopped_and_resumed_equals_uninterrupted(tmp_path, monkeypatch, kind, dims) -> None:
    """With several batches a step, and orders of three tasks that are drawn."""
    fields = FULL | {"iterations": 4}
    straight = weighted(tmp_path, kind, name="straight", dims=dims, **fields)
    train(straight, progress=False)
    broken = weighted(tmp_path, kind, name="broken", dims=dims, **fields)
    with monkeypatch.context() as patch:
        signal_at(patch, 3, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            train(broken, progress=False)
    assert last(broken, "main").name == files.file_name(3)
    train(broken, progress=False)
    assert_same(after(straight, 4), after(broken, 4))


def test_orders_are_drawn_anew_in_each_iteration(tmp_path) -> None:
    """And do not depend on anything else that is drawn."""
    from lsd.losses.weighting import pcgrad

    orders = []
    factors = pcgrad.ProjectConflicts.factors

    def noted(self, products, *, orders: list) -> np.ndarray:
        drawn.append(orders)
        return factors(self, products, orders=orders)

    for name in ("a", "b"):
        drawn: list = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pcgrad.ProjectConflicts, "factors", noted)
            run = weighted(tmp_path, "pcgrad", name=name, iterations=8)
            train(run, progress=False)
        orders.append(drawn)
        torch.manual_seed(5)
    assert orders[0] == orders[1]
    assert min(curve(run, "main", "weighting/factor/boundary")) >= 1
    assert len({str(order) for order in orders[0]}) > 2


def test_what_uncertainty_learned_is_in_checkpoints_and_averaged(tmp_path) -> None:
    run = weighted(tmp_path, "uncertainty", iterations=3, checkpoint_every=1, keep=9, ema=0.5)
    run = run.derive(train={"weight_decay": 0.1})
    train(run, progress=False)
    factors = curve(run, "main", "weighting/factor/affs")
    assert len(set(factors)) == 3
    contents = [after(run, iteration) for iteration in (1, 2, 3)]
    learned = [content["losses"][LEARNED].item() for content in contents]
    assert len({-0.5, *learned}) == 4, "each step moves it"
    assert factors == pytest.approx([0.5 / np.exp(each) for each in learned], rel=1e-6)
    # Adam's first step is as long as its rate; decay would add to that
    assert abs(learned[0] + 0.5) == pytest.approx(0.01, rel=1e-3)
    assert contents[2]["ema_of_losses"][LEARNED] != contents[2]["losses"][LEARNED]
    best = from_checkpoint(paths.checkpoints(run, "main") / "best.pt")
    assert best.losses[LEARNED] == contents[2]["ema_of_losses"][LEARNED]


def test_another_weighting_cannot_go_on(tmp_path) -> None:
    run = weighted(tmp_path, "fixed", iterations=1)
    newest = train(run, progress=False).with_name(files.file_name(1))
    assert json.loads(checkpoint.load(newest)["config"])["variant"]["stages"][0].keys() == {
        "name", "reads", "heads",
    }  # fmt: skip
    for kind in KINDS:
        message = rf"variant\.stages\.0\.weighting: was None, now '{kind}'"
        with pytest.raises(ValueError, match=message):
            train(weighted(tmp_path, kind, iterations=2), progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_by_the_scripts_of_the_top_level(tmp_path, kind) -> None:
    """Named on the command line, and predicted."""
    run = config(tmp_path, "mtlsd", iterations=2)
    (tmp_path / "config.json").write_text(run.model_dump_json())
    common = ["-c", str(tmp_path / "config.json"), f"variant.stages.0.weighting={kind}"]
    for script in ("trainer.py", "predicter.py"):
        extra = ["predict.volumes=validate"] if script == "predicter.py" else []
        done = subprocess.run(
            [sys.executable, script, *common, *extra],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    kept = json.loads(paths.config_file(run).read_text())
    assert kept["variant"]["stages"][0]["weighting"] == kind
    [container] = predict(run.derive(predict={"volumes": ("validate",)}))
    affs = open_array(container, "affs")
    assert np.asarray(affs.read(affs.roi)).std() > 0
