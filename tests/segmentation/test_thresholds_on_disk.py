"""Lists of thresholds: what is there stays, what is missing is written beside it, and what others
wrote is left alone."""

import shutil

import ngff_zarr
import numpy as np
import pytest
import zarr
from segmented_run import ROI, THRESHOLDS, changed, make_config, names

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.on_disk.written import is_written
from lsd.blockwise.running.run import BlocksFailed
from lsd.segmentation.on_disk.tables import damaged_tables, verify_tables
from lsd.segmentation.over_blocks.segments import SegmentsFunction
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, scoring_settings
from lsd.spec import (
    Fragments,
)
from lsd.spec.paths import prediction, segmentation
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_level, has_array
from lsd.volumes.levels import coarser


@pytest.fixture
def config(tmp_path):
    return make_config(tmp_path)


def _content(config, volume="data_validate"):
    """Arrays and tables of a volume, by name."""
    container = segmentation(config, volume)
    arrays = {
        name: open_array(container, name).read(ROI) for name in containers.array_names(container)
    }
    return arrays | {path.name: np.load(path) for path in (container / "tables").glob("*.npy")}


def _same(found, expected) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], strict=True, err_msg=name)


def test_other_thresholds_are_written_beside_those_that_are_there(config, monkeypatch) -> None:
    """However they are asked for, in whatever order, they are what one list of them all gives."""
    everything = changed(config.derive(name="at_once"), thresholds=(0.28, 0.29, 0.4, 0.5, 0.6))
    shutil.copytree(prediction(config, "x").parent, prediction(everything, "x").parent)
    segment(everything)
    segment(config)
    computed = []
    monkeypatch.setattr(SegmentsFunction, "compute", _noting(SegmentsFunction.compute, computed))
    for thresholds, written in (
        ((0.5,), {"0.5"}),
        ((0.29, 0.5), set()),
        ((0.6, 0.4, 0.5), {"0.4"}),
        (THRESHOLDS, set()),
    ):
        computed.clear()
        segment(changed(config, thresholds=thresholds))
        assert {threshold for name in computed for threshold in name} == written
    assert names(config, "data_validate") == ["0.28", "0.29", "0.4", "0.5", "0.6"]
    assert not [
        path for path in segmentation(config, "x").parent.iterdir() if "partial" in path.name
    ]
    _same(_content(config), _content(everything))
    assert verify_blocks(segmentation(config, "x").parent) == []
    assert verify_tables(segmentation(config, "x").parent) == []
    assert damaged_tables(segmentation(config, "data_validate")) == []


def _noting(compute, noted):
    def wrapped(self, block, source):
        noted.append([name.removeprefix("segmentation/") for name in self.tables])
        return compute(self, block, source)

    return wrapped


def test_a_list_that_was_killed_is_gone_on_with(config, monkeypatch) -> None:
    """Asked for again, in part, or beside others: nothing of it is lost or done twice."""
    config = changed(config, block=(6, 10, 24))
    segment(config)
    expected = _content(config)
    for again in (THRESHOLDS, (0.29,), (0.29, 0.35), (0.35,)):
        shutil.rmtree(segmentation(config, "x").parent)
        with monkeypatch.context() as patch:
            patch.setattr(SegmentsFunction, "compute", _failing_at(SegmentsFunction.compute, 2))
            with pytest.raises(BlocksFailed):
                segment(config)
        segment(changed(config, thresholds=again))
        if again == (0.35,):
            assert not is_written(segmentation(config, "data_validate"), array_name(0.29))
            assert is_written(segmentation(config, "data_validate"), array_name(0.35))
        segment(changed(config, thresholds=(*THRESHOLDS, *again)))
        found = _content(config)
        _same({name: found[name] for name in expected}, expected)
        assert verify_blocks(segmentation(config, "x").parent) == []


def _failing_at(compute, index):
    def wrapped(self, block, source):
        if block.index == index:
            raise RuntimeError("an elephant")
        return compute(self, block, source)

    return wrapped


def test_an_array_that_was_deleted_by_hand_is_written_again(config) -> None:
    segment(config)
    expected = _content(config)
    shutil.rmtree(segmentation(config, "data_validate") / "segmentation" / "0.29")
    segment(changed(config, thresholds=(0.28,)))
    assert names(config, "data_validate") == ["0.28", "0.6"]
    segment(config)
    _same(_content(config), expected)
    assert verify_blocks(segmentation(config, "x").parent) == []


def test_what_other_edges_made_goes_and_is_named(config, caplog) -> None:
    caplog.set_level("INFO")
    segment(config)
    segment(changed(config, thresholds=(0.5,)))
    other = changed(config, scoring="hist_quant_75", thresholds=(0.6,))
    segment(other)
    gone = [record.getMessage() for record in caplog.records if "removed" in record.getMessage()]
    arrays = ", ".join(map(array_name, (0.28, 0.29, 0.5, 0.6)))
    assert [line.split("removed")[1] for line in gone] == [
        f", for what they were made from is made anew: {arrays}"
    ] * 2
    assert names(config, "data_validate") == ["0.6"]
    assert sorted(
        path.name for path in (segmentation(config, "data_validate") / "tables").glob("*.npy")
    ) == [
        "0.6.npy",
        "first.npy",
    ]
    fresh = other.derive(name="fresh")
    shutil.copytree(prediction(config, "x").parent, prediction(fresh, "x").parent)
    segment(fresh)
    _same(_content(other), _content(fresh))
    caplog.clear()
    segment(changed(other, fragments=Fragments(min_seed_distance=3), thresholds=(0.2,)))
    gone = [record.getMessage() for record in caplog.records if "removed" in record.getMessage()]
    assert [line.rpartition(": ")[2] for line in gone] == ["segmentation/0.6"] * 2
    assert names(config, "data_validate") == ["0.2"]


def test_levels_are_majorities_and_come_when_they_are_asked_for(config) -> None:
    segment(config)
    before = _content(config)
    told = []
    segment(changed(config, levels=3, thresholds=(0.29, 0.4)), progress=told.append)
    found = _content(config)
    _same({name: found[name] for name in before}, before)
    container = segmentation(config, "data_validate")
    for name in ("fragments", "segmentation/0.28", "segmentation/0.29", "segmentation/0.4"):
        image = ngff_zarr.from_ngff_zarr(str(container / name), validate=True)
        assert len(image.images) == 3
        for level, factor in ((1, (1, 2, 2)), (2, (1, 4, 4))):
            expected = coarser(found[name], factor, "majority")
            np.testing.assert_array_equal(image.images[level].data.compute(), expected, strict=True)
            assert [image.images[level].scale[dim] for dim in "zyx"] == [
                40.0,
                4.5 * factor[1],
                4.0 * factor[2],
            ]
    assert not has_array(container, "uncut/1")
    segment(changed(config, levels=3))
    assert verify_blocks(container.parent) == []
    # what is scored and picked does not depend on them
    assert scoring_settings(changed(config, levels=3).segment) == scoring_settings(config.segment)


def test_a_list_of_an_earlier_version_is_gone_on_with(config) -> None:
    """Its arrays stand at their names themselves, and one step wrote them all."""
    segment(config)
    expected = _content(config)
    container = segmentation(config, "data_validate")
    for name in containers.array_names(container):
        (container / name).rename(container / "moved")
        (container / "moved" / "0").rename(container / name)
        shutil.rmtree(container / "moved")
    _same(_content(config), expected)
    segment(changed(config, thresholds=(0.28, 0.5)))
    found = _content(config)
    assert "segmentation/0.5" in found
    _same({name: found[name] for name in expected}, expected)
    assert (container / "segmentation" / "0.28" / ".zarray").exists(), "it stays where it is"
    assert verify_blocks(container.parent) == []


def test_what_another_wrote_where_a_later_list_goes_stays(config) -> None:
    """A corrected copy beside the others, and a table of a name that is none of ours."""
    segment(config)
    container = segmentation(config, "data_validate")
    shutil.copytree(container / "segmentation" / "0.6", container / "segmentation" / "0.7")
    mine = np.full(ROI.shape, 7, np.uint64)
    open_array(container, "segmentation/0.7", writable=True).write(mine, ROI)
    (container / "tables" / "mine.npy").write_bytes(b"mine")
    with pytest.raises(
        ValueError,
        match=r"segmentation/0\.7 holds what this program did not write, and is not written over",
    ):
        segment(changed(config, thresholds=(0.6, 0.7)))
    np.testing.assert_array_equal(open_array(container, "segmentation/0.7").read(ROI), mine)
    segment(changed(config, thresholds=(0.5, 0.6)))
    assert (container / "tables" / "mine.npy").read_bytes() == b"mine"
    shutil.rmtree(container / "segmentation" / "0.7")
    with pytest.raises(ValueError, match=r"did not write: .*tables/mine\.npy"):
        segment(changed(config, fragments=config.segment.fragments.derive(min_seed_distance=5)))


@pytest.mark.parametrize("describes", [True, False])
def test_a_level_that_another_made_stays(config, describes) -> None:
    segment(config)
    container = segmentation(config, "data_validate")
    level = create_level(container, "fragments", 1, factor=(1, 2, 2))
    level.write(np.full(level.shape, 5, np.uint64), level.roi)
    if not describes:
        (container / "fragments" / "1" / ".zattrs").unlink()
    with pytest.raises(ValueError, match=r"fragments/1 holds what this program did not write"):
        segment(changed(config, levels=2))
    assert (zarr.open_array(str(container / "fragments" / "1"), mode="r")[:] == 5).all()


def test_a_damaged_table_is_found_and_written_again(config) -> None:
    segment(config)
    folder = segmentation(config, "data_validate")
    assert verify_tables(folder.parent) == []
    table = folder / "tables" / "0.6.npy"
    intact = table.read_bytes()
    table.write_bytes(intact[:-8] + b"elephant")
    assert verify_tables(folder.parent) == [f"{table}: not what was written: another checksum"]
    segment(config)
    assert table.read_bytes() == intact
