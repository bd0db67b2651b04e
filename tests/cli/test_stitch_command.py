"""`lsd stitch`: what it says, what it refuses, and its exit status."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lsd.cli.commands.stitch import main
from lsd.volumes.array import open_array

ROOT = Path(__file__).parents[2]


def said(capsys, *words, status=0):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words], program="lsd stitch")
    out, errors = capsys.readouterr()
    assert end.value.code == status, errors
    return out if status == 0 else errors


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three blocks in a row, of which the last shares nothing, with one object over two of them."""
    (tmp_path / "in").mkdir()
    block = np.zeros((4, 5, 6), np.uint8)
    block[1:3, 1:3], block[3, 4, 0] = 7, 200
    for x in (0, 4, 20):
        np.save(tmp_path / "in" / f"b_z0_y0_x{x}.npy", block)
    return tmp_path


def test_tiff_blocks_by_a_relative_path(folder, capsys, monkeypatch) -> None:
    """As the guide has it."""
    for file in (folder / "in").glob("*.npy"):
        name = file.name.replace("b_", "block_").replace(".npy", ".tif")
        tifffile.imwrite(file.with_name(name), np.load(file), photometric="minisblack")
        file.unlink()
    monkeypatch.chdir(folder)
    pattern = "--pattern=block_z{z}_y{y}_x{x}.tif"
    words = ("in/", "out.zarr", pattern, "--voxel-size=10,10,10")
    assert "1 pair of them joined: 4 objects" in said(capsys, *words)
    monkeypatch.chdir(folder.parent)
    words = (folder / "in", folder / "out.zarr", *words[2:])
    assert "labels: all done before" in said(capsys, *words)


def test_from_a_folder_to_a_volume(folder, capsys) -> None:
    words = (folder / "in", folder / "out.zarr", "--voxel-size", "40,4,4")
    planned = said(capsys, *words, "--dry-run")
    assert "3 blocks in 0:4, 0:5, 0:26, of which 1 pair is compared" in planned
    assert "1 block without any overlap, whose labels are joined with none: b_z0_y0_x20.npy" in (
        planned
    )
    assert "always=None least=0 one=0.4 both=0.3" in planned
    assert "no step is begun\nnothing was changed" in planned
    assert os.listdir(folder) == ["in"]
    text = said(capsys, *words)
    assert "6 labels in the blocks, 1 pair of them joined: 4 objects" in text
    assert text.endswith(f"written: {folder}/out.zarr/segmentation\n")
    array = open_array(folder / "out.zarr", "segmentation")
    volume = array.read(array.roi)
    assert volume[1, 1].tolist() == [1] * 10 + [0] * 10 + [3] * 6
    assert "stitched: 1 of 1 block done" in said(capsys, *words, "--dry-run")
    assert "labels: all done before" in said(capsys, *words, "--one=0.5")
    np.save(folder / "in" / "b_z0_y0_x20.npy", np.ones((4, 5, 6), np.uint8))
    planned = said(capsys, *words, "--dry-run")
    assert "since the earlier run: b_z0_y0_x20.npy was changed\n" in planned
    assert "would be made anew: blocks were changed, moved, added or left out\n" in planned
    assert "5 labels" in said(capsys, *words, "--always", "0", "--least=5", "--touching")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("out.zarr",), 1, "states no voxel size"),
        (("out",), 2, "'out' is not called as one; give it the suffix .zarr"),
        (("out.zarr", "--voxel-size=4,4"), 1, "voxel size"),
        (("out.zarr", "--voxel-size=4,x"), 2, "wants numbers, as in 40,4,4, got '4,x'"),
        (("out.zarr", "--one=-1"), 2, "--one: "),
        (("out.zarr", "--workers=-1"), 2, "--workers: "),
        (("out.zarr", "--launch=slurm"), 1, "how many workers"),
        (("out.zarr", "--imports=no_such_module"), 2, "--imports: there is no module"),
        (("out.zarr", "--voxel-size=4,4,4", "--piece=8,8"), 1, "piece has 2 numbers"),
        (("in/b_z0_y0_x0.zarr", "--voxel-size=4,4,4", "--pattern={z}"), 1, "needs {z}, {y}"),
        ((), 2, "OUTPUT"),
    ],
)
def test_what_is_refused(folder, capsys, monkeypatch, words, status, says) -> None:
    monkeypatch.chdir(folder)
    assert says in said(capsys, "in", *words, status=status)
    assert not (folder / "out.zarr").exists()


def test_an_output_that_is_in_the_way_or_cannot_be_written(folder, capsys) -> None:
    """No words of runs, which this command has none of."""
    output = folder / "out.zarr"
    words = (folder / "in", output, "--voxel-size=4,4,4")
    output.mkdir()
    (output / "notes.txt").write_text("ours")
    errors = said(capsys, *words, status=1)
    assert "did not write: " in errors
    assert "move it elsewhere, or name another output\n" in errors
    (folder / "file").write_text("")
    errors = said(capsys, words[0], folder / "file" / "out.zarr", words[2], status=1)
    assert "cannot write " in errors
    assert "mend that, or name another output\n" in errors


@pytest.mark.slow
def test_the_script_and_the_help(folder) -> None:
    words = [str(folder / "in"), str(folder / "out.zarr"), "--voxel-size=4,4,4", "--levels=2"]
    for program in (["stitch.py"], ["-m", "lsd", "stitch"]):
        done = subprocess.run(
            [sys.executable, *program, *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "4 objects" in done.stdout
    assert open_array(folder / "out.zarr", "segmentation/1").shape == (2, 3, 13)
    done = subprocess.run(
        [sys.executable, "-m", "lsd", "stitch", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "usage: lsd stitch" in done.stdout
    assert "common > LEAST" in done.stdout


def test_a_bad_block_is_corrected(folder, capsys) -> None:
    """What was begun with it is not thrown away without a word."""
    words = (folder / "in", folder / "out.zarr", "--voxel-size=4,4,4")
    bad = folder / "in" / "b_z0_y0_x4.npy"
    np.save(bad, np.full((4, 5, 6), -1))
    assert "b_z0_y0_x4.npy: ids are 0" in said(capsys, *words, status=1)
    np.save(bad, np.ones((4, 5, 6), int))
    np.save(folder / "in" / "b_z0_y9_x4.npy", np.ones((4, 5, 6), int))
    assert "cannot go on with: blocks were changed" in said(capsys, *words, status=1)
    planned = said(capsys, *words, "--dry-run")
    assert "b_z0_y9_x4.npy was added, b_z0_y0_x4.npy was changed\n" in planned
    assert "would be refused, for the earlier run is not finished: blocks" in planned
    shutil.rmtree(folder / "out.zarr.partial")
    assert "written: " in said(capsys, *words)
    assert "would be made anew: rule.one: 0.4 there, 0.6 asked for" in said(
        capsys, *words, "--one=0.6", "--dry-run"
    )
