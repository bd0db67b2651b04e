"""How training begins: with which weights, and what is refused before anything is computed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from checkpointed import assert_same, last
from funlib.geometry import Roi
from tiny_run import config

from config.networks import NETWORKS
from lsd.blockwise.on_disk.lock import exclusive
from lsd.network.checkpoints import checkpoint
from lsd.spec import Dataset, Volume, paths
from lsd.training import loop, resume
from lsd.training.faults import NoMemoryError
from lsd.training.loop import train
from lsd.training.modes import plain
from lsd.volumes.create import create_array


def test_a_changed_config_is_refused_with_both_values(tmp_path) -> None:
    train(config(tmp_path), progress=False)
    with pytest.raises(ValueError, match=r"train\.learning_rate: was 0\.01, now 0\.5"):
        train(config(tmp_path, learning_rate=0.5, iterations=9), progress=False)


def test_two_do_not_train_one_run(tmp_path) -> None:
    run = config(tmp_path)
    with (
        exclusive(paths.run_folder(run) / "training"),
        pytest.raises(RuntimeError, match="is being written by process"),
    ):
        train(run, progress=False)
    assert train(run, progress=False).exists()


def test_fine_tuning_begins_with_the_weights_and_nothing_else(tmp_path) -> None:
    start = train(config(tmp_path, name="start"), progress=False)
    tuned = config(tmp_path, name="tuned", init={"main": str(start)}, iterations=0)
    content = checkpoint.load(train(tuned, progress=False))
    assert_same(content["model"], checkpoint.load(start)["model"])
    assert not content["optimizer"]["state"]


def test_a_ready_first_stage_is_not_trained(tmp_path) -> None:
    lsd = train(config(tmp_path, "lsd", name="lsd"), progress=False)
    run = config(tmp_path, "aclsd", name="aclsd", init={"lsds": str(lsd)}, frozen=("lsds",))
    content = checkpoint.load(train(run, progress=False))
    assert not paths.checkpoints(run, "lsds").exists()
    for key, weight in checkpoint.load(lsd)["model"].items():
        assert torch.equal(content["model"][key.replace("stage_main", "stage_lsds")], weight)


def test_a_damaged_checkpoint_is_refused_not_skipped(tmp_path) -> None:
    run = config(tmp_path)
    train(run, progress=False)
    path = last(run, "main")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match="truncated"):
        train(config(tmp_path, iterations=9), progress=False)


def test_out_of_memory_names_a_smaller_legal_input(tmp_path, monkeypatch) -> None:
    def full(learner, batches):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(plain, "step", full)
    with pytest.raises(
        NoMemoryError, match=r"try network\.train_shape=\(14, 14, 14\) or train\.precision=bf16"
    ):
        train(config(tmp_path), progress=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_absent_device_is_said_before_training(tmp_path) -> None:
    with pytest.raises(ValueError, match="device 'cuda' is not available"):
        train(config(tmp_path, device="cuda"), progress=False)


def test_a_missing_checkpoint_is_said_before_training(tmp_path) -> None:
    with pytest.raises(
        ValueError, match=r"train\.init names 'no\.pt' for stage 'affs', which is no file"
    ):
        train(config(tmp_path, "acrlsd", init={"affs": "no.pt"}), progress=False)


def test_missing_data_is_said_before_a_network_is_built(tmp_path, monkeypatch) -> None:
    run = config(tmp_path)
    volume = run.dataset.train[0].derive(labels="wrong")
    monkeypatch.setattr(loop.resume, "begin", lambda *_: pytest.fail("a network was built"))
    with pytest.raises(ValueError, match="labels"):
        train(run.derive(dataset=run.dataset.derive(train=(volume,))), progress=False)


def test_frozen_last_stage_is_refused(tmp_path) -> None:
    there = tmp_path / "a.pt"
    there.touch()
    with pytest.raises(ValueError, match="nothing is left to train"):
        train(config(tmp_path, init={"main": str(there)}, frozen=("main",)), progress=False)


def test_bf16_over_two_voxels_is_refused(tmp_path, monkeypatch) -> None:
    """Gradients then hold whatever was in memory."""
    monkeypatch.setattr(
        resume, "choose", lambda precision, device: "bf16" if precision == "bf16" else "fp32"
    )
    asked = config(tmp_path, precision="bf16")
    small = NETWORKS["small"].derive(train_shape=(32, 64, 64))
    with pytest.raises(
        ValueError,
        match=r"leaves two voxels or fewer .*take at least \(64, 64, 64\), or train.precision=fp32",
    ):
        resume.check_start(asked.derive(network=small))
    resume.check_start(asked.derive(network=small.derive(train_shape=(64, 64, 64))))
    resume.check_start(config(tmp_path, precision="fp32").derive(network=small))


def test_init_may_be_gone_once_it_is_read(tmp_path) -> None:
    first = config(tmp_path, iterations=1, validate_every=0)
    [stage] = first.variant.stages
    weights = tmp_path / "weights.pt"
    weights.write_bytes(train(first).read_bytes())
    run = config(
        tmp_path, name="second", iterations=1, validate_every=0, init={stage.name: str(weights)}
    )
    train(run)
    weights.unlink()
    longer = {"iterations": 2, "init": {stage.name: "elsewhere.pt"}}
    train(run.derive(train=run.train.derive(**longer)))
    with pytest.raises(ValueError, match=r"train\.init names .*weights\.pt.* which is no file"):
        train(run.derive(name="third"))


def test_planes_are_refused_by_training(tmp_path) -> None:
    run = config(tmp_path, iterations=1)
    for name in ("raw", "labels"):
        write_plane(tmp_path / "plane.zarr", name)
    plane = Volume(path=str(tmp_path / "plane.zarr"), raw="raw", labels="labels")
    with pytest.raises(
        ValueError,
        match=r"has 2 axes, wanted: z, y and x; store a plane as one section, \(1, y, x\)",
    ):
        train(run.derive(dataset=Dataset(train=(plane,))))


def write_plane(path: Path, name: str) -> None:
    roi, dtype = Roi((0, 0), (40, 40)), np.uint8 if name == "raw" else np.uint64
    create_array(path, name, roi=roi, voxel_size=(4, 4), dtype=dtype).write(
        np.ones(roi.shape, dtype), roi
    )
