"""What is refused before anything is predicted."""

import os
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from predicted_run import AFFS, OFFSET, SHAPE, no_inference

from lsd.prediction import run
from lsd.prediction.run import predict
from lsd.spec import (
    Stage,
    UNet,
    Variant,
    paths,
)
from lsd.volumes.array import open_array


def test_an_output_that_cannot_be_written_fails_before_inference(make, monkeypatch):
    config, _ = make()
    no_inference(monkeypatch)
    folder = paths.prediction(config, "em").parent
    folder.write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"cannot write .*em\.zarr"):
        predict(config)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_fails_before_inference(make, monkeypatch):
    config, _ = make()
    no_inference(monkeypatch)
    folder = paths.prediction(config, "em").parent
    folder.mkdir()
    folder.chmod(0o500)
    with pytest.raises(OSError, match=r"cannot write .*em\.zarr"):
        predict(config)


def test_missing_data_is_said_before_the_network_is_built(make, monkeypatch):
    config, _ = make(volume={"raw": "volumes/row"})
    monkeypatch.setattr(run, "from_checkpoint", lambda _: pytest.fail("a network was built"))
    with pytest.raises(
        ValueError, match=r"'em': .*holds no array 'volumes/row'; it holds: volumes/raw"
    ):
        predict(config)


def test_the_output_may_not_be_the_input(make, monkeypatch):
    config, _ = make()
    no_inference(monkeypatch)
    place = paths.prediction(config, "em")
    place.parent.mkdir(parents=True)
    os.symlink(Path(config.data_root) / "em.zarr", place)
    with pytest.raises(ValueError, match="would be written into the input"):
        predict(config)


def test_a_small_volume_is_refused_by_option(make, monkeypatch):
    deep = UNet(features=2, multiplier=1, factors=((2, 2, 2), (2, 2, 2)))
    one = Variant(stages=(Stage(name="affs", heads={"affs": AFFS}),))
    config, _ = make(trunk=deep, variant=one, small="refuse")
    no_inference(monkeypatch)
    with pytest.raises(
        ValueError, match=r"em.*reads at least 44x44x44 voxels; set predict.small=pad"
    ):
        predict(config)


def test_a_region_beyond_the_volume_is_refused(make, monkeypatch):
    config, _ = make(region=((0, 20),))
    no_inference(monkeypatch)
    with pytest.raises(ValueError, match=r"volume 'em': region 0:20, .* is not inside"):
        predict(config)


@pytest.mark.parametrize("value", [0, 200])
def test_raw_that_is_one_value_is_refused_before_anything_is_predicted(make, tmp_path, value):
    config, raw = make()
    path, roi = tmp_path / "em.zarr", Roi(OFFSET, SHAPE)
    open_array(path, "volumes/raw", writable=True).write(np.full_like(raw, value), roi)
    with pytest.raises(
        ValueError, match=r"'em': raw, .*volumes/raw, is one value everywhere in 10:29"
    ):
        predict(config)
    assert not paths.prediction(config, "em").exists()
    speck = np.full_like(raw, value)
    speck[3, 4, 5] = 90
    open_array(path, "volumes/raw", writable=True).write(speck, roi)
    predict(config)


def test_raw_that_its_range_cuts_to_one_value_is_refused(make):
    config, _ = make(volume={"raw_range": (0, 1)})
    with pytest.raises(
        ValueError,
        match=r"'em': .*values lie in 0\.\.255, raw_range is 0\.\.1, and 99% of them lie outside",
    ):
        predict(config)
