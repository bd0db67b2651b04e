"""A damaged checkpoint: what is said is typed, and then the run goes on."""

import re
import subprocess
from pathlib import Path

import pytest
import torch
from tiny_run import config

from lsd.network.checkpoints import checkpoint, files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.spec import Config, paths
from lsd.training.loop import train

OFTEN = {"checkpoint_every": 1, "keep": 9}


def _follow(error: pytest.ExceptionInfo[BaseException]) -> str:
    """Types what stands between backquotes; gives what is said after it."""
    typed, rest = re.findall(r"`(.+?)`(.*)", str(error.value))[-1]
    subprocess.run(typed, shell=True, check=True)
    return rest


def _folder(run: Config, stage: str = "main") -> Path:
    return paths.checkpoints(run, stage)


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-200])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _same_as_straight(run: Config, tmp_path: Path, **train_fields) -> None:
    straight = config(tmp_path, name="straight", **train_fields)
    train(straight, progress=False)
    a, b = (
        checkpoint.load(_folder(r) / files.file_name(train_fields["iterations"]))["model"]
        for r in (straight, run)
    )
    assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("harm", [_cut, _flip, _empty])
@pytest.mark.parametrize("harmed", [1, 2])
@pytest.mark.parametrize("validate_every", [0, 1])
def test_the_run_goes_on_from_the_last_whole_one(tmp_path, harm, harmed, validate_every) -> None:
    name = "ein Lauf's"
    run = config(tmp_path, name=name, iterations=4, validate_every=validate_every, **OFTEN)
    train(run, progress=False)
    for iteration in range(4, 4 - harmed, -1):
        harm(_folder(run) / files.file_name(iteration))
    longer = config(tmp_path, name=name, iterations=5, validate_every=validate_every, **OFTEN)
    with pytest.raises(ValueError, match=r"(truncated|damaged)") as error:
        train(longer, progress=False)
    assert f"goes on from {_folder(run) / files.file_name(4 - harmed)}" in _follow(error)
    path = train(longer, progress=False)
    assert from_checkpoint(path).iteration > 0
    _same_as_straight(longer, tmp_path, iterations=5, validate_every=validate_every, **OFTEN)


def test_from_the_best_where_it_alone_is_whole(tmp_path) -> None:
    run = config(tmp_path, iterations=4, checkpoint_every=2, keep=1)
    train(run, progress=False)
    early = config(tmp_path, name="early", iterations=2)
    train(early, progress=False)
    folder = _folder(run)
    (folder / "best.pt").unlink()
    (folder / "best.pt").write_bytes((_folder(early) / "best.pt").read_bytes())
    _cut(folder / files.file_name(4))
    with pytest.raises(ValueError, match="truncated") as error:
        train(run, progress=False)
    assert f"goes on from the best one, {folder / files.file_name(2)}" in _follow(error)
    train(run, progress=False)
    _same_as_straight(run, tmp_path, iterations=4, checkpoint_every=2, keep=1)


def test_from_the_beginning_where_none_is_whole(tmp_path) -> None:
    run = config(tmp_path, iterations=2)
    train(run, progress=False)
    _empty(_folder(run) / files.file_name(2))
    with pytest.raises(ValueError, match="truncated") as error:
        train(run, progress=False)
    assert "trains it anew" in _follow(error)
    train(run, progress=False)
    _same_as_straight(run, tmp_path, iterations=2)


def test_the_best_of_an_earlier_stage(tmp_path) -> None:
    """A later stage reads it, and so does prediction: one that is whole is named."""
    run = config(tmp_path, "acrlsd", iterations=2, validate_every=1, **OFTEN)
    train(run, progress=False)
    for file in _folder(run, "affs").iterdir():
        file.unlink()
    best = _folder(run, "lsds") / "best.pt"
    content = best.read_bytes()
    best.unlink()
    best.write_bytes(content[:-100])
    with pytest.raises(
        ValueError, match=r"iteration_00000002\.pt is whole: name that one, or make it the best"
    ) as error:
        from_checkpoint(best)
    with pytest.raises(ValueError, match="truncated") as error:
        train(run, progress=False)
    _follow(error)
    assert from_checkpoint(best).iteration == 2
    assert train(run, progress=False).exists()


def test_where_nothing_is_whole_nothing_is_named(tmp_path) -> None:
    (tmp_path / "a.pt").write_bytes(b"nothing")
    with pytest.raises(
        ValueError, match=r"a\.pt ends without a checksum.*; no whole checkpoint lies beside it"
    ):
        checkpoint.load(tmp_path / "a.pt")
