"""Two processes that share every batch beside one that has it alone: the small network, on the same
cores, each from start to end in turn.

It shows what sharing costs, since the cores are the same: on two GPUs each process has its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from config.datasets import AUGMENTATIONS, IDS
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.spec import Config, Dataset, Network, Synthetic, Volume
from lsd.spec.paths import run_folder
from lsd.training.loop import train
from lsd.training.step_time import recorded_rate


def run(
    *, network: Network = NETWORKS["small"], side: int = 160, iterations: int = 12, pairs: int = 3
) -> dict[str, Any]:
    """Iterations a second of both, and how many times as fast two are; medians.

    side: voxels of the synthetic volume
    """
    with tempfile.TemporaryDirectory() as folder:
        config = _config(Path(folder), network, side, iterations)
        rates = [
            [_rate(config, devices, name=f"{devices}_{pair}") for devices in (1, 2)]
            for pair in range(pairs)
        ]
    one, two = (median(values) for values in zip(*rates, strict=True))
    return {
        "one process with two threads, iterations/s": one,
        "two processes with one thread, iterations/s": two,
        "two over one": median(shared / alone for alone, shared in rates),
    }


def main() -> None:
    """Prints what was measured; some minutes."""
    for name, value in run().items():
        print(f"{name:48} {value:8.3f}")


def _rate(config: Config, devices: int, *, name: str) -> float:
    shared = config.derive(name=name, train={"devices": devices, "threads": 2 // devices})
    train(shared, progress=False)
    rate = recorded_rate(run_folder(shared) / shared.variant.stages[0].name)
    assert rate is not None, "each iteration is logged"
    return rate


def _config(folder: Path, network: Network, side: int, iterations: int) -> Config:
    volume = Volume(synthetic=Synthetic(shape=(side,) * 3, seed=1), labels=IDS)
    return Config(
        name="ranks",
        dataset=Dataset(train=(volume,), augment=AUGMENTATIONS["light"]),
        variant=VARIANTS["mtlsd"],
        network=network,
        train={
            "device": "cpu",
            "workers": 0,
            "batch_size": 2,
            "iterations": iterations,
            "log_every": 1,
            "snapshot_every": 0,
            "checkpoint_every": iterations,
        },
        runs=str(folder / "runs"),
        data_root=str(folder),
    )


if __name__ == "__main__":
    main()
