"""Branches that several processes train."""

import pytest
import torch
from checkpointed import content_of
from tiny_run import AFFS, LSDS, config, curve

from lsd.network.checkpoints import files
from lsd.spec import ForkMerge, Head, Stage, Variant, paths
from lsd.training.loop import train

HEADS = {"lsds": LSDS, "affs": Head(target=AFFS.target)}

# each process imports torch and all of training, which takes seconds
pytestmark = pytest.mark.slow


def test_two_processes_merge_as_one_does_and_go_on(tmp_path) -> None:
    """Batches are not shared evenly; after the first round one process goes on."""
    fields = {"iterations": 6, "batch_size": 3, "ema": 0.5, "learning_rate": 0.05}
    mode = ForkMerge(every=3, score="loss")
    variant = Variant(stages=(Stage(heads=HEADS, weighting="pcgrad"),))
    alone, shared = (
        config(tmp_path, name=name, **fields).derive(variant=variant, train={"mode": mode})
        for name in ("alone", "shared")
    )
    train(alone, progress=False)
    train(shared.derive(train={"devices": 2, "iterations": 3}), progress=False)
    train(shared, progress=False)
    contents = [
        content_of(paths.checkpoints(run, "main") / files.file_name(6)) for run in (alone, shared)
    ]
    for one, other in zip(*(content["merges"] for content in contents), strict=True):
        assert one["score"] == pytest.approx(other["score"], rel=1e-4)
        for name, branch in one["branches"].items():
            assert branch == pytest.approx(other["branches"][name], rel=1e-4)
    for name, weight in contents[0]["model"].items():
        torch.testing.assert_close(contents[1]["model"][name], weight, rtol=1e-2, atol=1e-4)
    assert curve(shared, "main") == pytest.approx(curve(alone, "main"), rel=1e-4)
