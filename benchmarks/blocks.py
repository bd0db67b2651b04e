"""Blocks against the whole: what segmenting in blocks costs in VOI, over the size of blocks and
their context.

Affinities are made from the truth of real volumes, with noise that leaves the whole-volume
segmentation as good as a good network's.  Each way of segmenting picks its threshold on one part of
the volume and is scored on the other.  Whether two large bodies are joined decides a score, and
chance decides that now and then, in blocks or not: so the mean over several draws of the noise is
given, and the range.  Needs the real volumes below $LSD_DATA, ./data or ../shared/data.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray
from scipy import ndimage

from lsd.batches.augmentations.grow_boundary import grow_boundary
from lsd.evaluation.partition import Partition
from lsd.evaluation.run import evaluate
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
)
from lsd.spec import Fragments as FragmentOptions
from lsd.spec.paths import prediction
from lsd.targets.affinities import affinities
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

NEIGHBORHOOD = Affinities().neighborhood
THRESHOLDS = tuple(n / 20 for n in range(1, 20))
LABELS = "volumes/labels/neuron_ids"
# how edges are scored -> settings, and contexts: voxels around fragments, twice as many around
# edges; None: what is the default
WAYS: dict[str, tuple[dict[str, Any], tuple[int | None, ...]]] = {
    "mean": ({"scoring": "mean"}, (0, None)),
    "quantile 75, in blocks": ({"scoring": "hist_quant_75"}, (0, 16, None)),
}
SEEDS = 4


@dataclass(frozen=True)
class Case:
    """A volume, how it is split, and the blocks that are tried.

    parts: sections that pick the threshold, and those that are scored; most: voxels along y and x;
           blocks: voxels, z y x
    """

    path: str
    parts: tuple[tuple[int, int], tuple[int, int]]
    most: int
    blocks: tuple[tuple[int, int, int], ...]
    in_xy: bool


CASES = {
    "fib25": Case(
        "fib25.zarr", ((0, 100), (100, 250)), 250, ((64, 64, 64), (128, 128, 128)), in_xy=False
    ),
    "snemi3d": Case(
        "snemi3d.hdf",
        ((0, 30), (30, 70)),
        768,
        ((40, 128, 128), (20, 256, 256), (40, 256, 256)),
        in_xy=True,
    ),
}


def run(names: tuple[str, ...] = tuple(CASES)) -> dict[str, Any]:
    """VOI sums: of the whole, and for each size and context what blocks add to it."""
    root = _root()
    if root is None:
        return {"skipped": "the real volumes are not at hand; set LSD_DATA"}
    results: dict[str, Any] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            for what, scores in _measured(name, CASES[name], root, Path(folder)):
                results[f"{name} {what}"] = scores
                print(f"    {name} {what}: {scores}", flush=True)
    return results


def _measured(name: str, case: Case, root: Path, folder: Path) -> Iterator[tuple[str, str]]:
    runs = [_noisy_run(name, case, root, folder, seed) for seed in range(SEEDS)]
    for way, (settings, contexts) in WAYS.items():
        runs = [_set(config, **settings) for config in runs]
        whole = np.array([_score(config) for config in runs])
        yield f"{way}: whole", f"VOI {whole.mean():.3f} ({whole.min():.3f} .. {whole.max():.3f})"
        for block in case.blocks:
            for context in contexts:
                tried = {"block": block, **_contexts(context, block)}
                added = np.array([_score(_set(config, **tried)) for config in runs]) - whole
                said = f"{added.mean():+.3f} ({added.min():+.3f} .. {added.max():+.3f})"
                where = (
                    f"{'x'.join(map(str, block))}, context "
                    f"{'default' if context is None else context}"
                )
                yield f"{way}: blocks {where}", said


def _noisy_run(name: str, case: Case, root: Path, folder: Path, seed: int) -> Config:
    """A run whose predictions are there."""
    config = _config(f"{name}_{seed}", case, root, folder)
    for part, volume in config.dataset.volumes().items():
        array = open_array(root / case.path, LABELS)
        shape = [min(n, case.most) for n in array.roi.shape[1:]]
        truth = array.read(
            Roi((volume.region[0][0], *array.roi.begin[1:]), (_length(volume), *shape))
        )
        _write(config, part, truth.astype(np.uint64), array.voxel_size, seed)
    return config


def _set(config: Config, **segment: Any) -> Config:
    return config.derive(segment=segment)


def _config(name: str, case: Case, root: Path, folder: Path) -> Config:
    pick, score = (
        (Volume(path=case.path, labels=LABELS, region=((begin, end),), unknown=None),)
        for begin, end in case.parts
    )
    return Config(
        name=name,
        dataset=Dataset(validate=pick, test=score),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(
            thresholds=(0.5,), fragments=FragmentOptions(in_xy=case.in_xy), block=(4096,) * 3
        ),
        runs=str(folder),
        data_root=str(root),
    )


def _length(volume: Volume) -> int:
    begin, end = volume.region[0]
    assert begin is not None
    assert end is not None
    return end - begin


def _contexts(context: int | None, block: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """Of fragments and of edges: the same along all axes, or across thick sections a quarter of
    it."""
    if context is None:
        return {"context": Segment().context, "edge_context": Segment().edge_context}
    first = context if block[0] == block[1] else context // 4
    return {
        "context": (first, context, context),
        "edge_context": (2 * first, 2 * context, 2 * context),
    }


def _write(
    config: Config, part: str, truth: NDArray[np.uint64], voxel_size: tuple[float, ...], seed: int
) -> None:
    begin = config.dataset.volumes()[part].region[0][0] or 0
    roi = Roi((begin, 0, 0), truth.shape)
    affs = noisy(truth, in_xy=config.segment.fragments.in_xy, seed=seed)
    create_array(
        prediction(config, part), "affs", roi=roi, voxel_size=voxel_size, dtype=np.uint8, channels=3
    ).write(affs, roi)


def noisy(truth: NDArray[np.uint64], *, in_xy: bool, seed: int = 0) -> NDArray[np.uint8]:
    """Affinities (3, z, y, x) as a network might give them: blurred at boundaries, with holes and
    false boundaries."""
    rng = np.random.default_rng(seed)
    apart = grow_boundary(truth, steps=1, in_xy=in_xy)
    blur = (0.0, 1.0, 1.0) if in_xy else (1.0, 1.0, 1.0)
    spots = (0.5, 3.0, 3.0) if in_xy else (2.0, 2.0, 2.0)
    # one field for all channels: where a membrane is hard to see it is so in every direction
    field = ndimage.gaussian_filter(rng.standard_normal(truth.shape, dtype=np.float32), spots)
    field *= np.float32(NOISE / field.std())
    affs = np.empty((3, *truth.shape), np.uint8)
    for channel, aff in enumerate(affinities(apart, NEIGHBORHOOD)[0]):
        smooth = ndimage.gaussian_filter(aff.astype(np.float32), blur)
        affs[channel] = np.clip(smooth + field, 0, 1) * 255
    return affs


NOISE = 0.15


def _score(config: Config) -> float:
    segment(config, progress=_silent)
    scores = evaluate(_set(config, thresholds=THRESHOLDS), progress=_silent).part("test")
    assert isinstance(scores, Partition)
    return scores.voi_sum


def _silent(_: str) -> None:
    """Says nothing."""


def _root() -> Path | None:
    for root in (os.environ.get("LSD_DATA", "data"), Path(__file__).parents[2] / "shared" / "data"):
        if (Path(root) / "fib25.zarr").exists():
            return Path(root)
    return None


def main() -> None:
    """Prints the table; several minutes."""
    run()


if __name__ == "__main__":
    main()
