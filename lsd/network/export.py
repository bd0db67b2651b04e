"""A checkpoint to give away: the weights to predict with, at half size, and the config; nothing
that only training needs.

python -m lsd.network.export runs/fib25_mtlsd/main/checkpoints/best.pt pretrained/fib25_mtlsd.pt
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import config_hash, config_of, weights

KEPT = ("stage", "iteration", "normalisation", "voxel_size", "best")


def export(source: str | Path, target: str | Path) -> str:
    """Writes the averaged weights of a checkpoint as float16 to target, and gives the sha256 that
    its last bytes hold, which is of all before them.

    The config goes with them, but for what is of the machine it was trained on: folders, threads
    and devices, of the volumes it was validated on as well.

    The result is a checkpoint like any other: predict.checkpoint and train.init take it.  Networks
    compute with float32 made of these weights, which differ from the trained ones by a relative
    2^-11.  Raises ValueError if
    source is no sound checkpoint.
    """
    content = checkpoint.load(source)
    half = {key: value.to(torch.float16) for key, value in weights(content).items()}
    # where it was trained is no one else's matter
    config = config_of(content, where=source).derive(
        runs="runs",
        data_root=None,
        train={"threads": None, "device": "auto"},
        predict={"threads": None, "device": "auto"},
    )
    kept = {key: content[key] for key in KEPT if key in content}
    if kept.get("best"):
        # volumes it was validated on, with their folders
        kept["best"] = {k: v for k, v in kept["best"].items() if k != "yardstick"}
    named = {"config": config.model_dump_json(), "config_hash": config_hash(config)}
    return checkpoint.save(target, {**kept, **named, "model": half})


def main(argv: Sequence[str]) -> None:
    """Exports, and prints the sha256 of the file as `sha256sum` does.  argv: source, target"""
    source, target = argv
    export(source, target)
    sys.stdout.write(f"{hashlib.sha256(Path(target).read_bytes()).hexdigest()}  {target}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
