"""Words about devices, and shares of batches, without a process being started."""

import os
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny_run import config

from lsd.batches.pipeline import Batches
from lsd.spec import Hosts, Train
from lsd.training import loop
from lsd.training.compatibility import check_same, check_shared
from lsd.training.devices import start
from lsd.training.devices.ranks import ALONE, Ranks
from lsd.training.devices.store import Report
from lsd.volumes.find import expand


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("samples", [1, 3, 4, 7, 20])
def test_shares_are_a_batch_and_differ_by_one_sample(size, samples) -> None:
    shares = [list(Ranks(rank, size).share(samples)) for rank in range(size)]
    assert [sample for share in shares for sample in share] == list(range(samples))
    assert shares[0]
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_samples_are_the_same_whoever_makes_them(tmp_path, workers) -> None:
    run = config(tmp_path, "mtlsd", batch_size=3, workers=workers)

    def batch(samples):
        with Batches(run, "main", (18,) * 3, (10,) * 3, start=5, samples=samples) as batches:
            return next(batches)

    whole, shares = batch(None), [batch(range(2)), batch(range(2, 3))]
    for name in ("raw", "labels", "known"):
        together = np.concatenate([getattr(share, name) for share in shares])
        np.testing.assert_array_equal(together, getattr(whole, name))
    for name, target in whole.targets.items():
        together = np.concatenate([share.targets[name] for share in shares])
        np.testing.assert_array_equal(together, target)


def test_alone_nothing_is_sent() -> None:
    values = [torch.ones(3), torch.tensor(2)]
    ALONE.sum(values)
    assert values[0].tolist() == [1, 1, 1]
    assert ALONE.any(True)
    assert not ALONE.any(False)
    assert ALONE.from_first(lambda: "it") == "it"


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_one_device_is_not_several(device) -> None:
    with pytest.raises(ValueError, match=f"device='{device}' is one device, and devices=2 "):
        Train(device=device, devices=2)


def test_several_machines_need_something_that_starts_them() -> None:
    with pytest.raises(ValueError, match="count=2 machines need launch="):
        Hosts(count=2)
    with pytest.raises(ValueError, match="options and host are for machines that training is se"):
        Hosts(options="--gres=gpu:4")
    with pytest.raises(ValueError, match="launch 'ssh node' starts no worker"):
        Hosts(launch="ssh node")


def test_more_devices_than_there_are(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    start.check_devices(Train(devices=2))
    with pytest.raises(ValueError, match=r"=4, and this machine shows 2 GPUs; take train.de"):
        start.check_devices(Train(devices=4))


def test_processes_without_a_sample_are_told(tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(start, "serve_store", lambda _: pytest.fail("enough"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    run = config(tmp_path, batch_size=2, devices=5, device="cpu")
    with pytest.raises(pytest.fail.Exception):
        start.train_shared(run, progress=False)
    assert "batch_size=2 is shared by 5 processes, so 3 of them have nothing" in caplog.text
    assert "devices=5 processes share 4 cores, so they wait for each other; take" in caplog.text


def test_so_many_processes_as_samples_and_cores_are_not_doubted(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4))
    assert not list(start.doubts(Train(batch_size=4, devices=4, device="cpu")))
    elsewhere = Train(batch_size=8, devices=4, hosts=Hosts(count=2, launch="slurm"), device="cpu")
    assert not list(start.doubts(elsewhere))


def test_more_threads_than_cores_are_told(tmp_path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(2))
    (doubt,) = start.doubts(Train(threads=3, device="cpu"))
    assert doubt.startswith("train.threads=3, and there are 2 cores to compute on")
    assert doubt.endswith("take train.threads=2")
    (doubt,) = start.doubts(Train(batch_size=2, devices=2, threads=2, device="cpu"))
    assert doubt.startswith("train.threads=2 in each of 2 processes, and there are 2 cores")
    assert doubt.endswith("take train.threads=1")
    assert not list(start.doubts(Train(threads=2, device="cpu")))
    assert not list(start.doubts(Train(device="cpu")))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not list(start.doubts(Train(threads=3, device="cuda")))


def test_a_run_goes_on_with_other_devices(tmp_path) -> None:
    run = config(tmp_path)
    hosts = Hosts(count=2, launch="slurm")
    check_same(run, run.derive(train={"devices": 4, "hosts": hosts}), where="it")


def _report(rank: int, kind: str, said: str = "said", **fields) -> Report:
    return Report(rank, kind, said, host="node", pid=7, **fields)


@dataclass(frozen=True)
class Second(Ranks):
    """The second of two processes, of which the first has a config of its own."""

    rank: int = 1
    size: int = 2
    config: str = ""

    def from_first(self, ask):
        return self.config


def test_processes_with_other_configs_train_nothing(tmp_path, monkeypatch) -> None:
    """As where torchrun is given two files on two machines."""
    run = expand(config(tmp_path))

    first = run.derive(train={"seed": 7, "iterations": 9})
    second = Second(config=first.model_dump_json())
    monkeypatch.setattr(loop, "joined", lambda train: nullcontext(second))
    with pytest.raises(ValueError, match="process 1 has another config than the first") as said:
        loop.train(run, progress=False)
    assert "train.seed: 7, here " in str(said.value)
    assert "train.iterations: 9, here " in str(said.value)
    # folders may be called otherwise on another machine
    elsewhere = run.derive(runs="elsewhere", data_root="/elsewhere", train={"workers": 3})
    check_shared(elsewhere.model_dump_json(), run, rank=1)


def test_who_died_is_told_before_those_who_lost_it() -> None:
    reports = [_report(0, "lost"), _report(2, "lost"), _report(1, "died", "was killed by SIGKILL")]
    with pytest.raises(start.ProcessFailed, match=r"process 1 of 3 \(7 on node\) was killed by SI"):
        start._concluded(reports, 3)


def test_an_error_that_all_have_is_that_of_the_first() -> None:
    reports = [_report(n, "failed", f"no room {n}", error="MemoryError") for n in (1, 0)]
    with pytest.raises(MemoryError, match=r"^no room 0$"):
        start._concluded(reports, 2)


def test_interrupted_is_told_before_what_follows_from_it() -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^by SIGINT$"):
        start._concluded([_report(1, "lost"), _report(0, "interrupted", "by SIGINT")], 2)


def test_interrupted_before_they_begin_is_no_failure() -> None:
    reports = [_report(n, "died", "was killed by SIGINT") for n in (0, 1)]
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted by SIGINT; the same command"):
        start._concluded(reports, 2, stopped_by="SIGINT")


def test_done_is_the_checkpoint_of_the_first() -> None:
    assert str(start._concluded([_report(1, "done", "a"), _report(0, "done", "b")], 2)) == "b"
