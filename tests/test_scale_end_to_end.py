"""A run on a volume at a scale is the run on the volume that was written at that scale before: each
loss, each predicted voxel, each segment and each score."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi

sys.path.append(str(Path(__file__).parent / "training"))
from tiny_run import config as tiny_config
from tiny_run import curve

from lsd.cli.survey.prediction import survey as prediction_survey
from lsd.cli.survey.training import survey as training_survey
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec.paths import checkpoints, evaluation_file, prediction, segmentation
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.levels import coarser

SCALE, BEGIN = (1, 2, 2), Roi((4, -6, 10), (40, 40, 40))
# voxels of the files that are read as those of the small volume, odd ends and all
FINE = Roi((4, -12, 20), (40, 79, 80))


def write(path, name, data, roi, size):
    create_array(path, name, roi=roi, voxel_size=size, dtype=data.dtype).write(data, roi)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The two runs, trained, predicted, segmented and scored."""
    folder = tmp_path_factory.mktemp("scaled")
    config = tiny_config(folder, iterations=4, validate_every=2)
    tiny = {name: open_array(folder / "tiny.zarr", name) for name in ("raw", "labels")}
    rng, arrays = np.random.default_rng(0), {}
    for name, array in tiny.items():
        data = array.read(array.roi).repeat(2, axis=1).repeat(2, axis=2)[:, :79]
        noise = rng.integers(-9, 9, data.shape) if name == "raw" else 0
        arrays[name] = np.clip(data + noise, 0, 255).astype(data.dtype)
    for name, data in arrays.items():
        how = "mean" if name == "raw" else "majority"
        write(folder / "fine.zarr", name, data, FINE, (10, 5, 5))
        write(folder / "coarse.zarr", name, coarser(data, SCALE, how), BEGIN, (10, 10, 10))
    return {kind: _done(config, kind, scale) for kind, scale in (("fine", SCALE), ("coarse", None))}


def _done(config, kind, scale):
    def placed(volume, *slices):
        factor = scale or (1, 1, 1)
        region = tuple(
            (a and a * f, b and b * f) for (a, b), f in zip(slices, factor, strict=False)
        )
        path = volume.path.replace("tiny", kind)
        return volume.derive(path=path, scale=scale, region=region, name=f"{kind}_volume")

    [volume], _ = config.dataset.train, config.dataset.validate
    run = config.derive(
        name=kind,
        dataset={
            "train": (placed(volume, (4, 32)),),
            "validate": (placed(volume, (32, 44), (-6, 18), (10, 34)).derive(name="scored"),),
        },
        predict={"volumes": ("validate",)},
    )
    train(run, progress=False)
    predict(run)
    segment(run)
    evaluate(run)
    return run


def test_losses_are_the_same(runs):
    losses = [curve(run, run.variant.stages[0].name) for run in runs.values()]
    assert len(losses[0]) == 4
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("container", "name"),
    [(prediction, "affs"), (segmentation, "fragments"), (segmentation, "segmentation/0.5")],
)
def test_outputs_are_the_same_and_lie_at_one_place(runs, container, name):
    fine, coarse = (open_array(container(run, "scored"), name) for run in runs.values())
    assert (fine.roi, fine.voxel_size) == (coarse.roi, coarse.voxel_size)
    assert fine.remainder == coarse.remainder
    np.testing.assert_array_equal(fine.read(fine.roi), coarse.read(coarse.roi))


def test_scores_are_the_same(runs):
    fine, coarse = (json.loads(evaluation_file(run).read_text()) for run in runs.values())
    assert fine["threshold"] == coarse["threshold"]
    assert fine["volumes"]["scored"]["scores"] == coarse["volumes"]["scored"]["scores"]


def test_a_region_of_prediction_counts_voxels_of_the_files(runs):
    fine = runs["fine"]
    checkpoint = max(checkpoints(fine, fine.variant.stages[0].name).glob("*.pt"))
    region = ((34, 42), (-10, 29), (24, 60))
    predict(fine.derive(name="part", predict={"region": region, "checkpoint": str(checkpoint)}))
    part = open_array(prediction(fine.derive(name="part"), "scored"), "affs")
    # 29 is in the middle of a voxel
    assert part.roi == Roi((34, -5, 12), (8, 19, 18))


def test_dry_runs_say_what_is_read(runs):
    lines = "\n".join(
        [*training_survey(runs["fine"], False), *prediction_survey(runs["fine"], False)]
    )
    assert "read at scale 1x2x2 from" in lines
    assert "(1x2x2 voxels as one)" in lines
