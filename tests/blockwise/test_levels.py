"""Levels of arrays on disk: made block by block, gone on with, listed when they are whole, open to
other readers."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction

import ngff_zarr
import numpy as np
import pytest
import tensorstore
from funlib.geometry import Roi
from test_run import TWO

from lsd.blockwise import levels as module
from lsd.blockwise.levels import LevelFunction, make_levels
from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.step import Step
from lsd.blockwise.running.run import BlocksFailed, prepare
from lsd.volumes import containers, create, scaled
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array, remove_array
from lsd.volumes.levels import coarser

ROI = Roi((3, -7, 4), (21, 50, 37))
VOXEL_SIZE = (40.0, 5.24, 4.0)
FACTORS = [(1, 2, 2), (1, 4, 4), (1, 8, 8)]
HOW = {"affs": "mean", "segmentation/0.5": "majority"}


class SourceJob(Job):
    """What level 0 was made with."""

    edition: int

    def open(self, container, worker):
        raise AssertionError("level 0 is there")


def source(folder, roi=ROI, voxel_size=VOXEL_SIZE, version=1) -> Step:
    """A step whose arrays are there."""
    rng = np.random.default_rng(0)
    affs = rng.integers(0, 255, (3, *roi.shape)).astype(np.uint8)
    labels = rng.integers(0, 5, roi.shape).astype(np.uint64) * np.uint64(2**40)
    none = (0,) * roi.dims
    grid = tile(roi, roi.shape, step=(1,) * roi.dims, context=(none, none))
    step = Step("source", folder / "vol.zarr", grid, SourceJob(edition=version), arrays=tuple(HOW))
    prepare(step)
    for name, data in (("affs", affs), ("segmentation/0.5", labels)):
        array = create_array(
            folder / "vol.zarr", name, roi=roi, voxel_size=voxel_size, dtype=data.dtype,
            channels=3 if name == "affs" else None,
            labels=name != "affs", chunks=(8,) * roi.dims,
        )  # fmt: skip
        array.write(data, roi)
    return step


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Several blocks, read in several pieces."""
    monkeypatch.setattr(module, "_BLOCK", {2: 8, 3: 8})
    monkeypatch.setattr(scaled, "_PIECE", 8 * 3 * 4)


def make(step, levels=4, **options):
    return list(make_levels(step, HOW, levels=levels, **options))


def check(step, factors=FACTORS, levels=4) -> None:
    """Each level is made of level 0, lies where it should, and is what others see."""
    for name, how in HOW.items():
        base = open_array(step.container, name)
        whole = base.read(base.roi)
        image = ngff_zarr.from_ngff_zarr(str(step.container / name), validate=True)
        assert len(image.images) == levels
        dims = ["z", "y", "x"][-base.roi.dims :]
        for level, (factor, found) in enumerate(
            zip(factors[: levels - 1], image.images[1:], strict=True), start=1
        ):
            expected = coarser(whole, factor, how)
            np.testing.assert_array_equal(found.data.compute(), expected, strict=True)
            for dim, begin, nm, f in zip(
                dims, base.roi.begin, base.voxel_size, factor, strict=True
            ):
                assert found.scale[dim] == pytest.approx(nm * f, rel=1e-12)
                # the middle of the voxels of level 0 that it covers, whose middles are begin, begin
                # + 1, ..
                assert found.translation[dim] == pytest.approx(
                    nm * np.mean([begin + i for i in range(f)]), rel=1e-12
                )
            spec = {
                "driver": "zarr",
                "kvstore": {"driver": "file", "path": str(step.container / name / str(level))},
            }
            np.testing.assert_array_equal(
                tensorstore.open(spec).result().read().result(), expected, strict=True
            )
            ours = open_array(step.container, f"{name}/{level}")
            np.testing.assert_array_equal(ours.read(ours.roi), expected, strict=True)
    assert containers.array_names(step.container) == sorted(HOW), "levels are parts of their image"
    assert verify_blocks(step.container.parent) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [None, TWO], ids=["here", "two"])
def test_levels(tmp_path, workers) -> None:
    step = source(tmp_path)
    if workers is None:
        assert [summary.done for summary in make(step)] == [3 * 4 * 3, 3 * 2 * 2, 3]
    else:
        # workers have no small blocks
        make(step, workers=workers)
    check(step)
    assert [summary.done for summary in make(step, workers=workers)] == [0, 0, 0]


def test_of_a_plane(tmp_path) -> None:
    step = source(tmp_path, Roi((5, -3), (33, 20)), (4.0, 4.0))
    make(step, levels=3)
    check(step, [(2, 2), (4, 4)], levels=3)


def test_beside_an_offset_that_is_no_whole_voxels(tmp_path) -> None:
    rest = (20, Fraction(131, 100), -1)
    options = {
        "roi": ROI,
        "voxel_size": VOXEL_SIZE,
        "remainder": rest,
        "dtype": np.uint8,
        "chunks": (8, 8, 8),
    }
    none = (0, 0, 0)
    grid = tile(ROI, ROI.shape, step=(1, 1, 1), context=(none, none))
    step = Step("source", tmp_path / "vol.zarr", grid, SourceJob(edition=1), arrays=("affs",))
    prepare(step)
    create_array(tmp_path / "vol.zarr", "affs", **options).write(np.ones(ROI.shape, np.uint8), ROI)
    for _ in range(2):
        list(make_levels(step, {"affs": "mean"}, levels=3))
    images = ngff_zarr.from_ngff_zarr(str(step.container / "affs"), validate=True).images
    for image, f in zip(images, (1, 2, 4), strict=True):
        first = [
            begin * nm + float(more)
            for begin, nm, more in zip(ROI.begin, VOXEL_SIZE, rest, strict=True)
        ]
        middle = [first[0], first[1] + 5.24 * (f - 1) / 2, first[2] + 4 * (f - 1) / 2]
        assert [image.translation[dim] for dim in "zyx"] == pytest.approx(middle, rel=1e-12)
    assert verify_blocks(tmp_path) == []


def test_one_level_is_nothing_to_do_and_more_may_come_later(tmp_path) -> None:
    step = source(tmp_path)
    assert make(step, levels=1) == []
    assert make(step, levels=2)[0].done
    check(step, levels=2)
    assert [summary.done > 0 for summary in make(step)] == [False, True, True]
    check(step)
    assert make(step, levels=1) == []
    check(step)


def test_killed_levels_are_gone_on_with_and_not_listed(tmp_path, monkeypatch) -> None:
    step = source(tmp_path)
    compute = LevelFunction.compute

    def failing(self, block, data):
        if block.index == 2 and any(name.endswith("/2") for name in data):
            raise RuntimeError("an elephant")
        return compute(self, block, data)

    with monkeypatch.context() as patch:
        patch.setattr(LevelFunction, "compute", failing)
        with pytest.raises(BlocksFailed):
            make(step)
    for name in HOW:
        attributes = json.loads((step.container / name / ".zattrs").read_text())
        assert [level["path"] for level in attributes["multiscales"][0]["datasets"]] == ["0", "1"]
    assert [summary.done for summary in make(step)] == [0, 1, 3]
    check(step)


def test_of_another_source_and_lost_levels_are_made_anew(tmp_path) -> None:
    step = source(tmp_path)
    make(step)
    shutil.rmtree(step.container / "affs" / "2")
    assert [summary.done for summary in make(step)] == [0, 12, 0]
    check(step)
    prepare(replace(step, job=SourceJob(edition=2)))
    assert not containers.array_names(step.container)
    assert [path.name for path in (step.container / "blocks").iterdir()] == ["source"]
    other = source(tmp_path, version=2)
    assert all(summary.done for summary in make(other))
    check(other)


def test_a_level_that_is_removed_is_not_listed(tmp_path) -> None:
    step = source(tmp_path)
    make(step)
    remove_array(step.container, "affs/3")
    assert len(ngff_zarr.from_ngff_zarr(str(step.container / "affs")).images) == 3


def test_damaged_levels_are_found_and_mended(tmp_path) -> None:
    step = source(tmp_path)
    make(step)
    (step.container / "affs" / "1" / "0" / "1" / "0" / "0").unlink()
    [found] = verify_blocks(tmp_path)
    assert found.folder.name == "source-level1"
    assert make(step)[0].done == 1
    check(step)


def test_arrays_of_earlier_versions_have_none(tmp_path, caplog) -> None:
    step = source(tmp_path)
    (step.container / "affs").rename(step.container / "image")
    (step.container / "image" / "0").rename(step.container / "affs")
    assert all(summary.done for summary in make(step, levels=2))
    assert "affs is of an earlier version, which has no room for levels" in caplog.text
    assert open_array(step.container, "affs").read(ROI).shape == (3, *ROI.shape)
    assert containers.find_array(step.container, "segmentation/0.5/1")


@pytest.mark.parametrize("whole", [True, False])
def test_levels_of_images_take_the_place_of_those_that_mixed_them(
    tmp_path, monkeypatch, whole
) -> None:
    step = source(tmp_path, voxel_size=(4.0, 4.0, 4.0))
    compute = LevelFunction.compute

    def failing(self, block, data):
        if any(name.endswith("/3") for name in data) and not whole:
            raise RuntimeError("an elephant")
        return compute(self, block, data)

    with monkeypatch.context() as patch:
        patch.setattr(LevelFunction, "compute", failing)
        with nullcontext() if whole else pytest.raises(BlocksFailed):
            make(step)
    mixed = open_array(step.container, "affs/1")
    assert mixed.shape == (3, 11, 25, 19)
    # the last of the earlier ones is no more, though nobody asks for another
    assert all(summary.done for summary in make(step, levels=3, by_image=True))
    check(step, FACTORS, levels=3)
    assert not (step.container / "affs" / "3").exists()
    assert [summary.done for summary in make(step, levels=3, by_image=True)] == [0, 0]


def test_a_level_whose_maker_was_killed_before_it_could_say_what_it_is(
    tmp_path, monkeypatch
) -> None:
    made = source(tmp_path)
    with monkeypatch.context() as patch:
        new = create.new_array

        def killed(folder, **fields):
            new(folder, **fields)
            (folder / ".zattrs").unlink()
            raise KeyboardInterrupt

        patch.setattr(create, "new_array", killed)
        with pytest.raises(KeyboardInterrupt):
            list(make_levels(made, HOW, levels=2))
    list(make_levels(made, HOW, levels=2))
    other = source(tmp_path / "other")
    list(make_levels(other, HOW, levels=2))
    for name in HOW:
        one, two = (open_array(step.container, f"{name}/1") for step in (made, other))
        assert (one.voxel_size, one.offset) == (two.voxel_size, two.offset)
        np.testing.assert_array_equal(one.read(one.roi), two.read(two.roi))
