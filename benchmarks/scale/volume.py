"""Memory and speed of segmentation: a large volume, a smaller one whole, and one beside another
four times larger.

Affinities are made of cells with noise that repeat themselves tile by tile; so they are written,
too.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from benchmarks.scale.process import Cost, fresh
from lsd.segmentation.run import segment
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
    Workers,
)
from lsd.spec.paths import prediction
from lsd.volumes.create import create_array

THRESHOLDS = (0.2, 0.5)
CELL = 32
_HERE = "benchmarks.scale.volume"


@dataclass(frozen=True)
class Case:
    """tile: voxels a side; shape and block in tiles; workers: 0: in one process"""

    name: str
    tile: int
    shape: tuple[int, int, int]
    block: tuple[int, int, int]
    workers: int


CASES = (
    Case("whole", 128, (2, 4, 4), (2, 4, 4), 0),
    Case("in blocks", 128, (4, 8, 8), (2, 2, 2), 2),
    # the same blocks, some with all of their context around them
    Case("memory", 64, (4, 4, 4), (1, 1, 1), 1),
    Case("memory, four times larger", 64, (4, 8, 8), (1, 1, 1), 1),
)


def run(scale: float) -> dict[str, Any]:
    """Voxels a second, and MB of the driver and of the largest worker; scale: of the voxels of
    everything."""
    results: dict[str, Any] = {}
    for case in CASES:
        tile = 32 * max(1, round(case.tile / 32 * scale ** (1 / 3)))
        shape, block = ([n * tile for n in tiles] for tiles in (case.shape, case.block))
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            fresh(f"{_HERE}:make", folder=folder, shape=shape, tile=tile)
            cost = fresh(f"{_HERE}:segmented", folder=folder, block=block, workers=case.workers)
        shown = _shown(case, "x".join(map(str, shape)), cost, int(np.prod(shape)))
        for what, value in shown.items():
            print(
                f"    {what}: {value if isinstance(value, str) else format(value, '.4g')}",
                flush=True,
            )
        results |= shown
    return results


def _shown(case: Case, shape: str, cost: Cost, voxels: int) -> dict[str, Any]:
    results: dict[str, str | float] = {
        "": f"{shape}, {case.workers or 1} process{'es' if case.workers > 1 else ''}; {cost.result}"
    }
    results |= {
        "Mvoxels/s": voxels / cost.wall / 1e6,
        "CPU s/Mvoxel": cost.cpu / voxels * 1e6,
        "peak MB": cost.peak,
    }
    if case.workers:
        results["largest worker, peak MB"] = cost.child
    return {f"{case.name}: {what}".removesuffix(": "): value for what, value in results.items()}


def make(*, folder: str, shape: list[int], tile: int) -> None:
    """Affinities as a prediction left them."""
    config, content = _config(folder, shape, 0), cells(tile)
    array = create_array(
        prediction(config, "cells"),
        "affs",
        roi=Roi((0, 0, 0), shape),
        voxel_size=(8, 8, 8),
        dtype=np.uint8,
        channels=3,
        chunks=(tile // 2,) * 3,
    )
    for place in np.ndindex(*(n // tile for n in shape)):
        array.write(content, Roi([n * tile for n in place], (tile,) * 3))


def cells(size: int, seed: int = 0) -> NDArray[np.uint8]:
    """Affinities (3, size, size, size) of cells about CELL wide: periodic, blurred, with holes and
    false boundaries."""
    rng = np.random.default_rng(seed)
    points = rng.random((max(8, (size // CELL) ** 3), 3)) * size
    voxels = np.indices((size,) * 3).reshape(3, -1).T + 0.5
    labels = cKDTree(points, boxsize=size).query(voxels)[1].reshape((size,) * 3)
    inside = ndimage.maximum_filter(labels, 3, mode="wrap") == ndimage.minimum_filter(
        labels, 3, mode="wrap"
    )
    field = ndimage.gaussian_filter(
        rng.standard_normal((size,) * 3, dtype=np.float32), 2.0, mode="wrap"
    )
    field *= np.float32(0.15 / field.std())
    affs = np.empty((3, size, size, size), np.uint8)
    for axis in range(3):
        same = inside & np.roll(inside, 1, axis) & (labels == np.roll(labels, 1, axis))
        smooth = ndimage.gaussian_filter(same.astype(np.float32), 1.0, mode="wrap")
        affs[axis] = np.clip(smooth + field, 0, 1) * 255
    return affs


def segmented(*, folder: str, block: list[int], workers: int) -> str:
    """Segments it; returns what was told of fragments and segments, and how fast each step was."""
    told: list[str] = []
    segment(_config(folder, block, workers), progress=told.append)
    return "; ".join(line.removeprefix("cells: ") for line in told)


def _config(folder: str, block: list[int], workers: int) -> Config:
    return Config(
        name="scale",
        dataset=Dataset(test=(Volume(path="cells.zarr", name="cells", labels="labels"),)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(block=tuple(block), thresholds=THRESHOLDS, workers=Workers(count=workers)),
        runs=str(Path(folder) / "runs"),
        data_root=folder,
    )
