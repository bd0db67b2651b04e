"""A run goes on with the data that it was begun with, or says what changed."""

import logging
import shutil
import time

import pytest
import zarr
from tiny_run import config

from lsd.spec import Dataset
from lsd.spec.paths import run_folder
from lsd.training.loop import train


def edit(folder, name) -> None:
    time.sleep(0.02)  # times of files come in steps of a clock tick
    array = zarr.open_array(str(folder / "tiny.zarr" / name / "0"), mode="r+")
    array[3, 4, 5] = 77


@pytest.mark.parametrize("name", ["raw", "labels"])
@pytest.mark.parametrize("iterations", [2, 4], ids=["finished", "to go on"])
def test_data_that_were_edited_are_refused(tmp_path, name, iterations) -> None:
    train(config(tmp_path, iterations=2), progress=False)
    edit(tmp_path, name)
    with pytest.raises(
        ValueError,
        match=rf"tiny\.zarr:{name} \({name} of 'tiny_train'\) changed since .*_0+2\.pt was",
    ):
        train(config(tmp_path, iterations=iterations), progress=False)
    accepted = config(tmp_path, iterations=4, changed_data="accept")
    [weights] = (run_folder(config(tmp_path)) / "main" / "checkpoints").glob("iteration_*2.pt")
    train(accepted, progress=False)
    train(config(tmp_path, iterations=5), progress=False)
    train(
        config(tmp_path, name="from there", iterations=2, init={"main": str(weights)}),
        progress=False,
    )


def test_what_is_not_learned_from_may_change(tmp_path) -> None:
    train(config(tmp_path, iterations=2), progress=False)
    time.sleep(0.02)
    zarr.open_group(str(tmp_path / "tiny.zarr"), mode="r+").create_dataset("other", data=[1])
    (tmp_path / "tiny.zarr" / "labels" / ".zattrs").touch()
    train(config(tmp_path, iterations=3), progress=False)


def test_data_that_were_moved_are_told(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=2)
    train(run, progress=False)
    shutil.copytree(tmp_path / "tiny.zarr", tmp_path / "copy" / "tiny.zarr")
    moved = tuple(
        volume.derive(path=str(tmp_path / "copy" / "tiny.zarr")) for volume in run.dataset.train
    )
    here = run.derive(
        dataset=Dataset(train=moved, validate=run.dataset.validate, augment=run.dataset.augment)
    )
    with pytest.raises(ValueError, match=r"dataset.train.0.path: was"):
        train(here, progress=False)
    relative = [volume.derive(path="tiny.zarr") for volume in run.dataset.train]
    begun = run.derive(
        name="relative", data_root=str(tmp_path), dataset=run.dataset.derive(train=tuple(relative))
    )
    train(begun, progress=False)
    with caplog.at_level(logging.WARNING):
        train(
            begun.derive(data_root=str(tmp_path / "copy"), train={"iterations": 3}), progress=False
        )
        assert not caplog.records, "a copy that keeps its times is the same"
        edit(tmp_path / "copy", "raw")
        train(begun.derive(data_root=str(tmp_path), train={"iterations": 4}), progress=False)
        edit(tmp_path, "labels")
        train(
            begun.derive(data_root=str(tmp_path / "copy"), train={"iterations": 5}), progress=False
        )
    assert "raw of 'tiny_train' was" in caplog.text
    assert "whether they hold the same is not looked at" in caplog.text


def test_a_revision_stands_for_the_chunks(tmp_path) -> None:
    run = config(tmp_path, iterations=2)
    named = tuple(volume.derive(revision="1") for volume in run.dataset.train)
    run = run.derive(dataset=run.dataset.derive(train=named))
    train(run, progress=False)
    edit(tmp_path, "labels")
    train(run.derive(train={"iterations": 3}), progress=False)
