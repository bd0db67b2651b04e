"""Checkpoints survive kills, refuse damage, and execute nothing."""

import hashlib
import os
import random
import resource
import signal
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsd.network import randomness
from lsd.network.checkpoints import checkpoint, files
from lsd.system import atomic

CONTENT = {
    "config": "{}",
    "stage": "main",
    "iteration": 7,
    "model": {"w": torch.arange(6.0)},
    "normalisation": {"low": 0},
}


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "run: a=b é" / "checkpoints" / files.file_name(7)


def _saved(path, **more):
    return checkpoint.save(path, {**CONTENT, **more})


def test_content_comes_back_and_plain_torch_reads_it(path):
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    digest = _saved(
        path,
        model=network.state_dict(),
        optimizer=optimizer.state_dict(),
        scheduler=schedule.state_dict(),
        scaler=scaler.state_dict(),
        random=randomness.capture(),
        generator=np.random.default_rng(3).bit_generator.state,
        ema=None,
    )
    content = checkpoint.load(path)
    assert content["sha256"] == digest == checkpoint.verify(path)
    assert content["iteration"] == 7
    assert content["generator"] == np.random.default_rng(3).bit_generator.state
    optimizer.load_state_dict(content["optimizer"])
    torch.testing.assert_close(content["model"], dict(network.state_dict()))
    assert torch.load(path, weights_only=True)["stage"] == "main"
    # the checksum is that of all but the comment
    comment = zipfile.ZipFile(path).comment
    assert (
        comment
        == b"sha256 " + hashlib.sha256(path.read_bytes()[: -len(comment)]).hexdigest().encode()
    )


def test_what_was_loaded_can_be_saved_again(path):
    _saved(path)
    assert checkpoint.save(path, checkpoint.load(path)) == checkpoint.verify(path)


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_every_flipped_bit_is_found(path, data):
    _saved(path)
    whole = bytearray(path.read_bytes())
    place = data.draw(
        st.integers(0, len(whole) - 1) | st.integers(len(whole) - 120, len(whole) - 1)
    )
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    for read in (checkpoint.load, checkpoint.verify):
        with pytest.raises(ValueError, match=r"is damaged|ends without a checksum"):
            read(path)


def test_truncated_and_foreign_files_are_refused(path):
    _saved(path)
    whole = path.read_bytes()
    for size in (0, 1, 21, 71, 93, 200, len(whole) // 2, len(whole) - 71, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(
            ValueError, match="ends without a checksum, so it is truncated or no checkpoint"
        ):
            checkpoint.load(path)
    torch.save(CONTENT, path)
    with pytest.raises(ValueError, match="ends without a checksum"):
        checkpoint.load(path)
    with pytest.raises(ValueError, match="is no file; name a checkpoint"):
        checkpoint.load(path.parent)


class Malicious:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_nothing_is_executed(path, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_check_plain", lambda value, where: None)
        _saved(path, optimizer=Malicious(tmp_path / "executed"))
    checkpoint.verify(path)
    with pytest.raises(ValueError, match="nothing was executed"):
        checkpoint.load(path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "value",
    [
        np.float64(1),
        np.zeros(2),
        Path("a"),
        {"a": [np.int64(1)]},
        {np.int64(1): 2},
        {1, 2},
        object(),
        torch.nn.Linear(1, 1),
    ],
)
def test_what_would_not_load_is_not_saved(path, value):
    with pytest.raises(ValueError, match="would not load without running code"):
        _saved(path, extra=value)
    assert not path.exists()


def test_missing_keys_are_named(path):
    with pytest.raises(ValueError, match="needs 'model', a dictionary, and this one has none"):
        checkpoint.save(path, {key: value for key, value in CONTENT.items() if key != "model"})
    with pytest.raises(ValueError, match=r"'iteration', a whole number, and this one holds 1\.0"):
        _saved(path, iteration=1.0)
    with pytest.raises(ValueError, match="no checkpoint of format 1"):
        _saved(path, format=2)


def _kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


class KilledMidway:
    """Writes half of what torch.save would, and dies."""

    def __call__(self, content, file):
        file.write(b"half a checkpoint")
        file.flush()
        _kill()


@pytest.mark.parametrize("point", ["save", "_seal", "fsync", "replace", "_sync"])
def test_a_kill_leaves_the_previous_checkpoint(path, point):
    _saved(path)
    child = os.fork()
    if child == 0:
        places = {"save": torch, "fsync": os, "replace": os, "_sync": atomic}
        ways = {"save": KilledMidway(), "_sync": lambda path: path.is_dir() and _kill()}
        setattr(places.get(point, checkpoint), point, ways.get(point, _kill))
        try:
            _saved(path, iteration=8)
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert checkpoint.load(path)["iteration"] == (8 if point == "_sync" else 7)
    assert files.listing(path.parent) == [path]
    files.prune(path.parent, keep=3)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_a_full_disk_is_named_and_leaves_the_previous_checkpoint(path):
    _saved(path)
    limits, handler = (
        resource.getrlimit(resource.RLIMIT_FSIZE),
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(
            OSError, match=r"checkpoint .* could not be written: .*; earlier ones are untouched"
        ):
            _saved(path, iteration=8, model={"w": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert checkpoint.load(path)["iteration"] == 7
    assert list(path.parent.iterdir()) == [path]


def test_names_newest_best_and_pruning(tmp_path):
    assert files.newest_file(tmp_path / "none") is None
    paths = [tmp_path / files.file_name(n) for n in (900, 5, 20_000, 123_456_789)]
    for path in paths:
        _saved(path)
    for stray in (
        "iteration_00000999.pt.12.partial",
        "iteration_1.pt",
        "iteration_0000000x.pt",
        "notes.txt",
    ):
        (tmp_path / stray).touch()
    ordered = [paths[1], paths[0], paths[2], paths[3]]
    assert files.listing(tmp_path) == ordered
    assert files.newest_file(tmp_path) == paths[3]
    assert files.best_file(tmp_path) is None
    for path in (paths[1], paths[1], paths[0]):
        files.make_best(path)
    files.prune(tmp_path, keep=2)
    assert files.listing(tmp_path) == ordered[2:]
    assert not list(tmp_path.glob("*.partial"))
    assert checkpoint.load(files.best_file(tmp_path))["iteration"] == 7


def test_publishing_copies_where_links_are_not_to_be_had(tmp_path, monkeypatch):
    source, target = tmp_path / files.file_name(1), tmp_path / "best.pt"
    _saved(source)

    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    files.make_best(source)
    assert target.read_bytes() == source.read_bytes()
    assert source.stat().st_ino != target.stat().st_ino


def test_random_states_go_on_where_they_were(path):
    def draw():
        return random.random(), np.random.rand(), np.random.normal(), torch.rand(2).tolist()  # noqa: NPY002

    np.random.normal()  # noqa: NPY002 (leaves half a pair of normals in the state)
    _saved(path, random=randomness.capture())
    expected = draw()
    draw()
    randomness.restore(checkpoint.load(path)["random"])
    assert draw() == expected
