"""What the version before kinds were open left on disk is gone on with, and nothing is made again.

version_9772e41.zip holds a run of that commit: three iterations of training, the prediction of a
volume with its segmentation and scores, and the prediction of the same volume under another name,
interrupted after two of its blocks.
"""

import json
import logging
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.blockwise.on_disk.inspect import status, verify_blocks
from lsd.cli import load
from lsd.evaluation.run import evaluate
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.run import predict
from lsd.report.page.write import write_report
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import validated
from lsd.spec import paths
from lsd.training.loop import train
from lsd.volumes import inputs
from lsd.volumes.array import open_array
from lsd.volumes.state import address
from lsd.volumes.volume import OpenVolume

ARCHIVE = Path(__file__).with_name("version_9772e41.zip")
MADE_IN = Path("/tmp/version_9772e41")
ROI = Roi((28, 0, 0), (12, 24, 24))
# iterations 4 and 5, as that version went on; it took labels beyond the border for 0
LOSSES = (0.315287321805954, 0.2903909683227539)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The run, with the times of its files and the place where it was made, by which another volume
    or a changed one is noticed."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for name, nanoseconds in json.loads((tmp_path / "times.json").read_text()).items():
        os.utime(tmp_path / name, ns=(nanoseconds, nanoseconds))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inputs, "address", as_made)
    return tmp_path


def as_made(path: Path, name: str) -> str:
    """The place of an array of the volume, as that run recorded it."""
    return address(MADE_IN / path.relative_to(Path.cwd()), name)


def written(folder: Path) -> dict[str, int]:
    """When each chunk below a folder was written."""
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name.isdecimal()
    }


@pytest.mark.usefixtures("folder")
def test_its_training_goes_on_as_it_would_have(monkeypatch) -> None:
    read = OpenVolume.read_truth
    monkeypatch.setattr(OpenVolume, "read_truth", lambda self, roi, **_: read(self, roi))
    longer = load("runs/run/config.json", ["train.iterations=5"])
    train(longer, progress=False)
    last = from_checkpoint(paths.checkpoints(longer, "main") / "iteration_00000005.pt")
    assert last.iteration == 5
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(paths.run_folder(longer) / "main"))
    events.Reload()
    losses = [event.value for event in events.Scalars("loss/total")]
    assert losses == pytest.approx(LOSSES, rel=1e-4)


def test_its_finished_steps_stay_as_they_are(folder, caplog) -> None:
    caplog.set_level(logging.INFO)
    config = load("runs/run/config.json", [])
    before, scores = written(folder), paths.evaluation_file(config).read_text()
    predict(config)
    segment(config)
    scored = evaluate(config)
    assert written(folder) == before
    assert "made anew" not in caplog.text
    assert scored.threshold == json.loads(scores)["threshold"] == validated(config)


def test_its_half_prediction_is_gone_on_with(folder) -> None:
    half = load("runs/run/config.json", ["predict.volumes=half"])
    done = written(folder / "runs/run/prediction/half.zarr.partial")
    assert len(done) == 4  # two blocks of two heads
    [container] = predict(half)
    assert written(container).items() > done.items()
    whole = paths.prediction(half, "whole")
    for head in ("affs", "lsds"):
        steps = [open_array(place, head).read(ROI).astype(int) for place in (whole, container)]
        # another processor may round a step of 1/255 the other way
        assert np.abs(steps[0] - steps[1]).max() <= 1


@pytest.mark.usefixtures("folder")
def test_other_settings_than_those_of_its_half_prediction_are_refused() -> None:
    other = load("runs/run/config.json", ["predict.volumes=half", "predict.augment=flips"])
    with pytest.raises(ValueError, match=r"half.* holds unfinished blocks .*augment.*delete"):
        predict(other)


@pytest.mark.usefixtures("folder")
def test_it_has_a_page() -> None:
    """Of a run that noted neither seconds nor error sites, nor its volumes with its scores."""
    config = load("runs/run/config.json", [])
    text = write_report(config).read_text(encoding="utf-8")
    [scores] = json.loads(paths.evaluation_file(config).read_text())["volumes"].values()
    for name in ("voi_split", "voi_merge", "voi_sum", "arand"):
        pointer = f"/volumes/whole/scores/{name}"
        shown = re.search(rf'data-json="{pointer}"[^>]*>([^<]*)<', text)
        assert float(shown[1]) == round(scores["scores"][name], 3)
    layers = json.loads(re.search(r'"titles":(\[[^]]*\])', text)[1])
    assert layers == ["raw", "truth", "affinities", "descriptors", "segmentation"]


@pytest.mark.usefixtures("folder")
def test_its_blocks_are_told_and_verified() -> None:
    done = {
        (line.folder.parents[1].name, line.name): (line.done, line.blocks)
        for line in status(Path("runs/run"))
    }
    assert done["half.zarr.partial", "heads"] == (2, 4)
    assert done["whole.zarr", "heads"] == (4, 4)
    assert verify_blocks(Path("runs/run")) == []
