"""Training batches: our pipeline against stock gunpowder with lsds, one core each.

Raw 196^3, output 92^3, isotropic 10 nm, both elastic augmentations of the paper's set-up, mirrors
and transpositions, intensity, grown boundaries, descriptors (80 nm, downsampled by 2), affinities,
balancing.  Ours rotates about any axis, stock about z.

And samples where truth is rare: a volume of which all is labelled beside one of which a cube is,
0.1%, and the same samples are made of.  Most of stock's way, and of ours before, is drawing places
until one fits.
"""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi

from benchmarks.environment import environment, run_in
from config.datasets import AUGMENTATIONS, IDS
from config.networks import NETWORKS
from config.variants import VARIANTS
from lsd.batches.pipeline import Batch, Batches, Maker
from lsd.batches.recipe import Recipe
from lsd.batches.workers import BatchWorkers
from lsd.spec import Config, Dataset, Synthetic, Train, Volume
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.generated import generate

STOCK = ("gunpowder==1.4.4", "lsds==0.1.3", "zarr==2.18.7", "numpy<2.4")
RAW, OUTPUT = (196, 196, 196), (92, 92, 92)
# of a volume of 640 a cube of 64 is 0.1%, in which smaller outputs find their half
SPARSE_RAW, SPARSE_OUTPUT = (148, 148, 148), (44, 44, 44)
TILE = 128
PEER = Path(__file__).parent / "peers" / "stock_batches.py"
MASK = "volumes/labels/labels_mask"


def run(
    *, batches: int = 30, stock_batches: int = 5, size: int = 250, sparse_size: int = 640
) -> dict[str, Any]:
    """Seconds a batch of both, and how many times faster ours is; then what `truth` finds.

    size: voxels a side of the synthetic volume, and sparse_size of that of which little is labelled
    """
    with tempfile.TemporaryDirectory() as folder:
        container = _volume(Path(folder), size)
        python = environment("stock", STOCK)
        stock = json.loads(run_in(python, PEER, str(container), "10", str(stock_batches)))
        ours = _ours(_recipe(container), batches)
    seconds, cpu = (statistics.fmean(times) for times in zip(*stock, strict=True))
    return {
        "stock, s/batch": seconds,
        "ours, s/batch": ours[0],
        "ratio": seconds / ours[0],
        "stock, CPU s/batch": cpu,
        "ours, CPU s/batch": ours[1],
        "ratio of CPU": cpu / ours[1],
        **truth(samples=batches, size=sparse_size),
    }


def truth(*, samples: int = 30, size: int = 640, part: float = 0.001) -> dict[str, float]:
    """Samples a second of one worker, and seconds until it begins, where all of a volume is
    labelled and where `part` of it is.

    size: voxels a side; what is labelled lies in one cube.
    """
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        container = _tiled(Path(folder), size, cube=round(size * part ** (1 / 3)))
        for name, mask in {"all": None, f"{part:.1%}": MASK}.items():
            recipe = replace(
                _recipe(container, mask), raw_shape=SPARSE_RAW, output_shape=SPARSE_OUTPUT
            )
            begin = time.perf_counter()
            with Batches(
                recipe.config, recipe.stage, recipe.raw_shape, recipe.output_shape
            ) as batches:
                for _ in range(4):
                    next(batches)
                results[f"truth in {name}: s to batch 4"] = time.perf_counter() - begin
                begin = time.perf_counter()
                for _ in range(samples):
                    next(batches)
                results[f"truth in {name}: samples/s"] = samples / (time.perf_counter() - begin)
    return results


def main() -> None:
    """Prints what was measured; about three minutes."""
    for name, value in run().items():
        print(f"{name:20} {value:8.3f}")


class Timed:
    """Makes batches, and says how much CPU time the process has used so far."""

    def __init__(self, recipe: Recipe) -> None:
        self.make = Maker(recipe)

    def __call__(self, index: int) -> tuple[Batch, float]:
        """Batch and seconds."""
        return self.make(index), time.process_time()


def _ours(recipe: Recipe, batches: int) -> tuple[float, float]:
    """Wall and CPU seconds a batch of one worker, which has made a few before."""
    with BatchWorkers(Timed, recipe, count=1) as workers:
        _, used = _last(workers, 4)
        begin = time.perf_counter()
        _, used_then = _last(workers, batches)
        return (time.perf_counter() - begin) / batches, (used_then - used) / batches


def _last(workers: BatchWorkers[tuple[Batch, float]], count: int) -> tuple[Batch, float]:
    """The last of the next `count`; the others are let go, as in training."""
    for _ in range(count - 1):
        next(workers)
    return next(workers)


def _recipe(container: Path, mask: str | None = MASK) -> Recipe:
    volume = Volume(path=str(container), labels=IDS, labels_mask=mask)
    config = Config(
        name="batches",
        dataset=Dataset(train=(volume,), augment=AUGMENTATIONS["isotropic"]),
        variant=VARIANTS["mtlsd"],
        network=NETWORKS["iso"],
        train=Train(workers=1),
    )
    return Recipe(config, "main", RAW, OUTPUT)


def _volume(folder: Path, size: int) -> Path:
    """Synthetic neuropil with a mask of ones, which stock needs in order to know where labels
    end."""
    container = generate(Synthetic(shape=(size, size, size), seed=1), folder)
    roi = Roi((0, 0, 0), (size, size, size))
    create_array(container, MASK, roi=roi, voxel_size=(10, 10, 10), dtype=np.uint8).write(
        np.ones(roi.shape, np.uint8), roi
    )
    return container


def _tiled(folder: Path, size: int, *, cube: int) -> Path:
    """Copies of synthetic neuropil, labelled all over, and a mask that is 1 in a cube and written
    everywhere."""
    made = generate(Synthetic(shape=(TILE,) * 3, seed=1), folder)
    tile = {name: open_array(made, name) for name in ("volumes/raw", IDS)}
    roi, known = Roi((0, 0, 0), (size,) * 3), Roi((size // 3,) * 3, (cube,) * 3)
    target = folder / "tiled.zarr"
    for name in (*tile, MASK):
        dtype = np.dtype(np.uint8) if name == MASK else tile[name].dtype
        array = create_array(target, name, roi=roi, voxel_size=(10, 10, 10), dtype=dtype)
        for corner in itertools.product(range(0, size, TILE), repeat=3):
            part = Roi(corner, (TILE,) * 3).intersect(roi)
            if name == MASK:
                data = np.zeros(part.shape, np.uint8)
                data[(part.intersect(known) - part.begin).to_slices()] = not part.intersect(
                    known
                ).empty
            else:
                data = tile[name].read(part - part.begin)
            array.write(data, part)
    return target


if __name__ == "__main__":
    main()
