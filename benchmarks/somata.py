"""`python -m benchmarks somata [key=value ...]`: cell bodies of a made-up volume, by two networks
of which one locates and one outlines, beside the latter alone, which then sees all of it.

The networks of config/examples/soma.py are trained on its volumes, as far as they are not; both
ways are scored on another volume.  --side says how large it is, --part the side of the corner that
one stage sees, for which both are scored once more.  Runs lie below runs= (runs/somata), what was
found in its file found.json:

    python -m benchmarks somata --side 512 --part 256 runs=/large/runs data_root=/large/data
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from benchmarks.error_map import taken
from benchmarks.seconds import seconds_of
from config.examples import soma
from config.examples.soma import SCALE, SMALLEST, TEST, coarsely
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import step_folder
from lsd.cli.files import load
from lsd.evaluation.run import evaluate
from lsd.evaluation.score import Score
from lsd.objects.at_seeds import SEED, STEP, counts
from lsd.objects.located import Located
from lsd.objects.locator import locator_of, table_path
from lsd.objects.run import locate
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.tables import read_located
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Config
from lsd.spec.paths import data_root, objects, run_folder
from lsd.training.loop import train
from lsd.volumes.find import expand
from lsd.volumes.units import lengths
from lsd.volumes.volume import OpenVolume, open_volume

# that cells of the test volume fill; those of a fly brain fill of its tissue (docs/soma.md)
FRACTION, FLY_BRAIN = 0.08, 0.089
EXAMPLES, NAMES = Path(soma.__file__).parent, ("soma_coarse.py", "soma.py")
BLOCK = (128, 128, 128)


def main(words: list[str]) -> int:
    """Prints what was found, and writes it."""
    if {"-h", "--help"} & set(words):
        print(__doc__, file=sys.stderr)
        return 0
    words = list(words)
    side, part = (int(taken(words, name) or n) for name, n in (("--side", 256), ("--part", 128)))
    coarse, fine = (load(EXAMPLES / name, ["runs=runs/somata", *words]) for name in NAMES)
    found = run(coarse, fine, side=side, part=part)
    path = run_folder(fine).parent / "found.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    print(f"written: {path}")
    return 0


def run(coarse: Config, fine: Config, *, side: int, part: int) -> dict[str, Any]:
    """Scores, voxels that a network gave, and seconds of both ways; None of what was before."""
    made = TEST.synthetic
    assert made is not None, "it is made up"
    test = TEST.derive(synthetic=made.derive(shape=(side,) * 3, fraction=FRACTION), name="test")
    found: dict[str, Any] = {
        f"training {each.name}, s": seconds_of(train, each, makes="main") for each in (coarse, fine)
    }
    locating, outlining = (
        config.derive(dataset={"test": volume}, predict={"volumes": ("test",)})
        for config, volume in ((coarse, coarsely(test)), (fine, test))
    )
    outlining = outlining.derive(seeds={"locator": str(run_folder(locating)), "block": BLOCK})
    # which makes it: no part of what is timed
    truth = _open(outlining)
    found["whole, two stages"] = _two_stages(outlining, truth, truth.roi)
    checkpoint = str(run_folder(outlining) / "main" / "checkpoints" / "best.pt")
    corner = outlining.derive(
        predict={"region": ", ".join([f"0:{part}"] * 3), "checkpoint": checkpoint}
    )
    roi = Roi(truth.roi.begin, (part,) * 3)
    found["part, two stages"] = _two_stages(corner.derive(name="two_stages"), truth, roi)
    found["part, one stage"] = _one_stage(corner.derive(name="one_stage"), roi)
    return found | arithmetic(found["whole, two stages"])


def _open(config: Config) -> OpenVolume:
    return open_volume(
        expand(config).dataset.volumes()["test"], name="test", data_root=data_root(config)
    )


def _two_stages(config: Config, volume: OpenVolume, roi: Roi) -> dict[str, Any]:
    locator = locator_of(config)
    seconds = {
        "predicting coarsely, s": seconds_of(predict, locator, makes="prediction"),
        "locating, s": seconds_of(locate, locator, makes="located"),
        "outlining, s": seconds_of(segment_at_seeds, config, makes="objects"),
    }
    rows = [rows for _, rows in read_ledger(step_folder(objects(config, "test"), STEP)).rows(SEED)]
    count = counts(np.concatenate(rows))
    truth = volume.read_truth(roi)[0]
    return {
        "voxels": int(roi.size),
        "cells fill": float((truth > 0).mean()),
        **_named(evaluate(config).part("test")),
        **found_by(read_located(table_path(config, "test")), truth, volume, roi),
        "coarse voxels": int(roi.size) // int(np.prod(SCALE)),
        "fine voxels": count["predicted"],
        "windows": count["windows"],
        **seconds,
    }


def _one_stage(config: Config, roi: Roi) -> dict[str, Any]:
    config = config.derive(evaluate={"of": "segmentation"})
    seconds = {
        "predicting, s": seconds_of(predict, config, makes="prediction"),
        "segmenting, s": seconds_of(segment, config, makes="segmentation"),
    }
    return {**_named(evaluate(config).part("test")), "fine voxels": int(roi.size), **seconds}


def found_by(
    located: Located, truth: NDArray[np.uint64], volume: OpenVolume, roi: Roi
) -> dict[str, Any]:
    """Precision and recall of located points: one is right in a cell that no other one is in; cells
    that are too small count neither way."""
    cells, sizes = np.unique(truth[truth > 0], return_counts=True)
    large = cells[sizes >= SMALLEST]
    begin = lengths(roi.begin, volume.voxel_size, volume.raw.remainder)
    voxels = np.floor((located.point - begin) / volume.voxel_size).astype(int)
    hit = truth[tuple(voxels.T)]
    right = len(np.intersect1d(hit, large))
    counted = int(np.isin(hit, [0, *large]).sum())
    return {
        "cells": len(large),
        "located": len(located),
        "located rightly": right,
        "precision of locating": right / counted if counted else None,
        "recall of locating": right / len(large) if len(large) else None,
    }


def arithmetic(found: dict[str, Any]) -> dict[str, float]:
    """Which fraction of a volume cells may fill until two stages compute as many voxels as one, and
    what share of them two compute where cells fill what those of a fly brain do."""
    coarsely_seen = found["coarse voxels"] / found["voxels"]
    seen = found["fine voxels"] / (found["cells fill"] * found["voxels"])
    return {
        "fine voxels for a voxel of a cell": seen,
        "as many at a fraction of": (1 - coarsely_seen) / seen,
        f"share of voxels at {FLY_BRAIN}": coarsely_seen + seen * FLY_BRAIN,
    }


def _named(score: Score | None) -> dict[str, float | None]:
    return {} if score is None else dict(score.row())
