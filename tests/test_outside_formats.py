"""Formats from outside of the package: raw and labels of a volume that is trained on, by batch
workers as well, and predicted; and what tells their content from another."""

import json
import os

import numpy as np
import pytest
from funlib.geometry import Roi
from kinds_outside.formats import Npz, SlabArray

from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.array import predict_array
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Format,
    Head,
    Network,
    Predict,
    Stage,
    Train,
    UNet,
    Variant,
    Volume,
    Workers,
)
from lsd.spec.kinds import import_kinds
from lsd.training.loop import train
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayState
from lsd.volumes.volume import open_volume

SHAPE, VOXEL_SIZE, OFFSET = (32, 30, 28), (40.0, 8.0, 8.0), (80.0, 0.0, 16.0)
ROI = Roi((2, 0, 2), SHAPE)
RAW = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
LABELS = (np.indices(SHAPE) // 11 * np.array([1, 4, 16]).reshape(-1, 1, 1, 1)).sum(0) + 1


@pytest.fixture(scope="module", autouse=True)
def imported():
    import_kinds(["kinds_outside.formats"])


@pytest.fixture
def slabs(tmp_path):
    """Raw in slabs of 8 sections."""
    folder = tmp_path / "em"
    folder.mkdir()
    for index in range(4):
        np.save(folder / f"{index:03d}.npy", RAW[8 * index : 8 * index + 8])
    (folder / "slabs.json").write_text(json.dumps({"resolution": VOXEL_SIZE, "offset": OFFSET}))
    return folder


@pytest.fixture
def archive(tmp_path):
    """Labels."""
    path = tmp_path / "truth.npz"
    np.savez(path, **{"cells": LABELS.astype(np.uint64), "cells.resolution": VOXEL_SIZE})
    return path


@pytest.fixture
def volume(slabs, archive):
    assert (slabs.name, archive.name) == ("em", "truth.npz")
    return Volume(path="em", labels="truth.npz:cells", offset={"labels": OFFSET}, name="em")


def test_arrays_are_read_like_any_other(slabs, archive):
    raw, labels = open_array(slabs), open_array(archive, "cells")
    assert (raw.roi, raw.voxel_size, raw.dtype) == (ROI, VOXEL_SIZE, np.uint8)
    assert (labels.shape, labels.voxel_size) == (SHAPE, VOXEL_SIZE)
    part = Roi((7, 3, 4), (13, 5, 6))
    np.testing.assert_array_equal(raw.read(part), RAW[5:18, 3:8, 2:8])
    beyond = raw.read(Roi((0, 0, 0), (4, 3, 3)), beyond="reflect")
    np.testing.assert_array_equal(beyond[2:, :, 2:], RAW[:2, :3, :1])
    np.testing.assert_array_equal(labels.read(labels.roi), LABELS)


@pytest.mark.slow
def test_a_volume_of_theirs_is_trained_on_and_predicted(volume, tmp_path):
    config = Config(
        imports="kinds_outside.formats",
        name="numpy",
        dataset=Dataset(train=volume, test=volume.derive(name="other")),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(
            trunk=UNet(features=2, multiplier=1, factors=((2, 2, 2),), kernels=((3, 3, 3),)),
            train_shape=(18, 18, 18),
        ),
        train=Train(iterations=2, workers=1, threads=1, device="cpu", log_every=1),
        predict=Predict(
            volumes=("test",), checkpoint="latest", shape=(18, 18, 18), device="cpu", threads=1
        ),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    restored = from_checkpoint(train(config, progress=False))
    [path] = predict(config, workers=Workers(count=1, timeout=300), progress=False)
    predictor = Predictor(restored.cascade, config.network, settings=config.predict)
    # what the world mirrors in front; blocks are aligned to even voxels
    world = np.pad(RAW, [(24, 0)] * 3, mode="reflect")
    affs = open_array(path, "affs")
    assert affs.roi == ROI
    before = affs.read(ROI)
    expected = predict_array(predictor, world, roi=Roi((24, 24, 24), SHAPE))["affs"]
    np.testing.assert_allclose(before / 255, expected, atol=0.51 / 255)
    np.save(tmp_path / "em" / "002.npy", RAW[16:24][::-1])
    predict(config, progress=False)
    again = open_array(path, "affs").read(ROI)
    assert (again[:, 19:21] != before[:, 19:21]).any(), "raw was edited, so it is predicted anew"
    np.testing.assert_array_equal(again[:, :12], before[:, :12])


def test_content_is_told_by_the_files_that_are_read(volume, slabs, archive, tmp_path):
    opened = open_volume(volume, name="em", data_root=tmp_path)
    states = {
        "all of raw": ArrayState.of(opened.raw),
        "its first slab": ArrayState.of(opened.raw, Roi(ROI.begin, (8, 30, 28))),
        "labels": ArrayState.of(opened.labels),
    }

    def changed():
        again = open_volume(volume, name="em", data_root=tmp_path)
        arrays = {"all of raw": again.raw, "its first slab": again.raw, "labels": again.labels}
        return {what for what, state in states.items() if state.again(arrays[what]) != state}

    assert changed() == set()
    _edit(slabs / "002.npy")
    assert changed() == {"all of raw"}
    _edit(archive)
    assert changed() == {"all of raw", "labels"}


def test_messages_know_them(slabs, archive, tmp_path):
    with pytest.raises(ValueError, match=r"truth.npz holds no array 'raw'; it holds: cells"):
        open_array(archive, "raw")
    with pytest.raises(ValueError, match="holds a single array, without a name, not 'raw'"):
        open_array(slabs, "raw")
    (tmp_path / "a.nrrd").write_bytes(b"NRRD")
    with pytest.raises(ValueError, match=r"is an NRRD file, which is not read; .* folder of slabs"):
        open_array(tmp_path / "a.nrrd")
    (slabs / "001.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(
        ValueError, match=r"em cannot be opened: format 'slabs' .*line \d+\): .*EOF"
    ):
        open_array(slabs)
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"npz cannot be read: format 'npz' .*: BadZipFile"):
        open_array(archive, "cells")


def test_a_format_of_ones_own_is_asked_first(tmp_path, monkeypatch):
    own = next(form for form in containers.formats() if form.spec.kind == "npz")
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zgroup").write_text('{"zarr_format": 2}')
    assert containers.format_of(tmp_path / "a.zarr").spec.kind == "zarr"
    monkeypatch.setattr(type(own), "claims", lambda self, path: path.suffix == ".zarr")
    assert containers.format_of(tmp_path / "a.zarr") is own
    assert Format.kinds()["npz"] is Npz


def test_arrays_that_were_opened_in_one_process_are_opened_again_in_another(slabs):
    import pickle

    array = open_array(slabs)
    assert isinstance(array.source.handle, SlabArray)
    again = pickle.loads(pickle.dumps(array))
    assert again.source._opened is None
    np.testing.assert_array_equal(again.read(ROI), RAW)


def _edit(path) -> None:
    """As if it was written again a second later."""
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
