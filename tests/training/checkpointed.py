"""Checkpoints of runs that are compared, and signals that arrive in the midst of one."""

import os
import signal
from pathlib import Path

import pytest
import torch

from lsd.network.checkpoints import checkpoint, files
from lsd.spec import Config, Schedule, paths
from lsd.training.loop import train
from lsd.training.progress import Progress

FULL = {
    "accumulate": 2,
    "clip": 0.05,
    "ema": 0.9,
    "weight_decay": 0.01,
    "schedule": Schedule(kind="cosine", warmup=2, final=0.1),
    "iterations": 6,
    "keep": 9,
    "checkpoint_every": 2,
}


def content_of(path: Path) -> dict:
    content = checkpoint.load(path)
    # what two runs of other names differ in
    for key in ("config", "config_hash", "sha256"):
        assert content.pop(key)
    return content


def assert_same(a, b, where="content") -> None:
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    else:
        assert a == b, where


def last(run: Config, stage: str) -> Path:
    found = files.newest_file(paths.checkpoints(run, stage))
    assert found is not None
    return found


def signal_at(monkeypatch, iteration: int, number: int) -> None:
    """A signal arrives while that iteration of a stage is under way."""
    advance, count = Progress.advance, [0]

    def counting(self: Progress, loss: float) -> None:
        advance(self, loss)
        count[0] += 1
        if count[0] == iteration:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Progress, "advance", counting)


def resumed_as_straight(straight: Config, broken: Config, monkeypatch) -> dict:
    """Trains one run in one go and the other stopped after iteration 3; the content of the last
    checkpoint, which must be the same of both."""
    train(straight, progress=False)
    with monkeypatch.context() as patch:
        signal_at(patch, 3, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="iteration 3"):
            train(broken, progress=False)
    train(broken, progress=False)
    one, other = (content_of(last(run, "main")) for run in (straight, broken))
    assert_same(one, other)
    return one
