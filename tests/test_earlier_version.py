"""What the version before jobs left on disk: gone on with, or refused in words.

earlier_version.zip holds a run of it, as the scripts left it: a volume, a checkpoint, a prediction
with its segmentation and scores, and half of a prediction of the same volume under another name.
"""

import logging
import zipfile
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.blockwise.on_disk.inspect import status, verify_blocks
from lsd.cli import load
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import paths
from lsd.volumes.array import open_array

ROI = Roi((0, 0, 0), (18, 18, 18))
OLDER = "it is of an earlier version, which did not note all that its results depend on"


@pytest.fixture
def config(tmp_path, monkeypatch):
    with zipfile.ZipFile(Path(__file__).parent / "earlier_version.zip") as file:
        file.extractall(tmp_path)
    monkeypatch.chdir(tmp_path)
    return load("runs/run/config.json", ["predict.device=cpu"])


def affinities(config):
    return open_array(paths.prediction(config, "em"), "affs").read(ROI)


def test_its_config_and_checkpoint_predict_what_they_did(config, caplog) -> None:
    caplog.set_level(logging.INFO)
    before = affinities(config)
    predict(config)
    np.testing.assert_array_equal(affinities(config), before)
    assert f"is made anew, and stays until that is done: {OLDER}" in caplog.text


def test_half_of_its_prediction_is_refused(config) -> None:
    half = load("runs/run/config.json", ["predict.volumes=test", "predict.device=cpu"])
    with pytest.raises(
        ValueError,
        match=f"half.* holds unfinished blocks that this run cannot go on with: {OLDER}; .*delete",
    ):
        predict(half)


def test_its_prediction_is_segmented_and_its_segmentation_not_scored(config, caplog) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(
        ValueError,
        match=rf"em\.zarr is not what `lsd segment` would give now: {OLDER}; run `lsd segm",
    ):
        evaluate(config)
    before = [
        open_array(paths.segmentation(config, "em"), array_name(t)).read(ROI)
        for t in config.segment.thresholds
    ]
    segment(config)
    assert OLDER in caplog.text
    for threshold, expected in zip(config.segment.thresholds, before, strict=True):
        found = open_array(paths.segmentation(config, "em"), array_name(threshold))
        np.testing.assert_array_equal(found.read(ROI), expected)
    assert evaluate(config).volumes["em"].scored is not None


def test_its_blocks_are_looked_at(config) -> None:
    done = {
        (line.folder.parents[1].name, line.name): (line.done, line.blocks)
        for line in status(Path("runs/run"))
    }
    assert done[("half.zarr.partial", "heads")] == (2, 8)
    assert done[("em.zarr", "heads")] == (8, 8)
    assert verify_blocks(Path("runs/run")) == []
    chunk = sorted(
        path for path in Path("runs/run/prediction/em.zarr/affs/0").rglob("*") if path.is_file()
    )[0]
    chunk.write_bytes(chunk.read_bytes()[:-3])
    assert [finding.folder.name for finding in verify_blocks(Path("runs/run"))] == ["heads"]
