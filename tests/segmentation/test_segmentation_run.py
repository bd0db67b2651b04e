"""Segmentation on disk: what is written, which thresholds, and what is said when something is
missing."""

import json
import shutil
from shutil import rmtree

import ngff_zarr
import numpy as np
import pytest
import zarr
from funlib.geometry import Roi
from scipy import ndimage

from lsd.blockwise.on_disk.inspect import verify
from lsd.blockwise.on_disk.written import is_written
from lsd.blockwise.running.run import BlocksFailed
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders import watershed
from lsd.segmentation.on_disk.tables import damaged_tables, open_table, verify_tables
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.over_blocks.fragments import Fragments as Fragments_
from lsd.segmentation.over_blocks.segments import Segments
from lsd.segmentation.over_blocks.whole import Whole
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, scoring_settings
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Fragments,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Variant,
    Volume,
)
from lsd.spec.paths import evaluation_file, prediction, segmentation, validation_file
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array, create_level, has_array
from lsd.volumes.levels import coarser

ROI = Roi((5, 0, 2), (12, 20, 24))
VOXEL_SIZE = (40.0, 4.5, 4.0)
THRESHOLDS = (0.28, 0.29, 0.6)


def _affs():
    noise = ndimage.gaussian_filter(
        np.random.default_rng(0).random((3, *ROI.shape)), (0, 1.5, 1.5, 1.5)
    )
    low, high = np.percentile(noise, [5, 90])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


@pytest.fixture
def config(tmp_path):
    labels = np.ones(ROI.shape, np.uint64)
    for what, data in (
        ("raw", labels.astype(np.uint8)),
        ("labels", labels),
        ("mask", labels.astype(np.uint8)),
    ):
        if what == "mask":
            data[:, :, :7] = 0
        create_array(
            tmp_path / "data.zarr", what, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype
        ).write(data, ROI)
    volume = Volume(path="data.zarr", raw="raw", labels="labels", labels_mask="mask")
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,), test=(volume.derive(labels=None),)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(thresholds=THRESHOLDS, fragments=Fragments(min_seed_distance=4)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for name in ("data_validate", "data_test"):
        create_array(
            prediction(config, name),
            "affs",
            roi=ROI,
            voxel_size=VOXEL_SIZE,
            dtype=np.uint8,
            channels=3,
        ).write(_affs(), ROI)
    return config


def _set(config, **segment):
    return config.derive(segment=config.segment.derive(**segment))


def _names(config, volume):
    folder = segmentation(config, volume) / "segmentation"
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_what_is_written(config) -> None:
    told = []
    assert segment(config, progress=told.append) == [
        segmentation(config, name) for name in ("data_validate", "data_test")
    ]
    assert any("fragments" in line for line in told)
    assert _names(config, "data_validate") == ["0.28", "0.29", "0.6"]
    expected = decode(_affs(), Affinities().neighborhood, config.segment)
    path = segmentation(config, "data_validate")
    edges = np.concatenate(list(edge_pieces(path / "blocks" / "edges")))
    fragments = open_array(path, "fragments")
    assert fragments.roi == ROI
    assert fragments.voxel_size == VOXEL_SIZE
    assert fragments.dtype == np.uint64
    np.testing.assert_array_equal(fragments.read(ROI), expected.fragments)
    np.testing.assert_array_equal(np.stack([edges["u"], edges["v"]], axis=1), expected.edges)
    np.testing.assert_array_equal(edges["score"], expected.scores)
    for threshold in THRESHOLDS:
        np.testing.assert_array_equal(
            open_array(path, array_name(threshold)).read(ROI), expected.segmentation(threshold)
        )
        np.testing.assert_array_equal(
            open_table(path, repr(threshold)).segments, expected.table(threshold)[1:]
        )
    assert expected.segmentation(0.6).max() < expected.fragments.max()


def test_arrays_say_with_which_settings_they_were_made(config) -> None:
    def said(array):
        path = segmentation(config, "data_validate") / array / "0" / ".zattrs"
        return json.loads(path.read_text())["settings"]

    for changed in (config, _set(config, scoring="hist_quant_75")):
        segment(changed)
        assert said("fragments") == config.segment.fragments.model_dump(mode="json")
        assert all(
            said(array_name(threshold)) == scoring_settings(changed) for threshold in THRESHOLDS
        )


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_without_truth_the_picked_threshold_is_used(config) -> None:
    def asked():
        told = []
        segment(config, progress=told.append)
        return [
            line.split()[-1]
            for line in told
            if line.startswith("data_test") and "segments at threshold" in line
        ]

    _write(validation_file(config), {"threshold": 0.55})
    assert asked() == ["0.55"]
    assert _names(config, "data_test") == ["0.55"]
    assert _names(config, "data_validate") == ["0.28", "0.29", "0.6"]
    settings = scoring_settings(config)
    _write(
        validation_file(config),
        {"threshold": 0.55, "segment": settings | {"block": [1, 2, 3], "agglomeration": "blocks"}},
    )
    _write(
        evaluation_file(config), {"threshold": 0.29, "segment": settings | {"scoring": "mean_all"}}
    )
    assert asked() == ["0.55"], "picked with another scoring"
    _write(evaluation_file(config), {"threshold": 0.29, "segment": settings})
    assert asked() == ["0.29"]
    config = _set(config, agglomeration="whole", edge_context=(1, 1, 1))
    assert asked() == ["0.29"]
    for path in (evaluation_file(config), validation_file(config)):
        _write(path, {"threshold": 0.55, "segment": settings | {"caution": 0.5}})
    assert asked() == ["0.28", "0.29", "0.6"], "picked otherwise"
    assert _names(config, "data_test") == ["0.28", "0.29", "0.55", "0.6"]


def _content(config, volume="data_validate"):
    """Arrays and tables of a volume, by name."""
    container = segmentation(config, volume)
    arrays = {name: open_array(container, name).read(ROI) for name in containers.arrays(container)}
    return arrays | {path.name: np.load(path) for path in (container / "tables").glob("*.npy")}


def _same(found, expected) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], strict=True, err_msg=name)


def test_other_thresholds_are_written_beside_those_that_are_there(config, monkeypatch) -> None:
    """However they are asked for, in whatever order, they are what one list of them all gives."""
    everything = _set(config.derive(name="at_once"), thresholds=(0.28, 0.29, 0.4, 0.5, 0.6))
    shutil.copytree(prediction(config, "x").parent, prediction(everything, "x").parent)
    segment(everything)
    segment(config)
    computed = []
    monkeypatch.setattr(Segments, "compute", _noting(Segments.compute, computed))
    for thresholds, written in (
        ((0.5,), {"0.5"}),
        ((0.29, 0.5), set()),
        ((0.6, 0.4, 0.5), {"0.4"}),
        (THRESHOLDS, set()),
    ):
        computed.clear()
        segment(_set(config, thresholds=thresholds))
        assert {threshold for name in computed for threshold in name} == written
    assert _names(config, "data_validate") == ["0.28", "0.29", "0.4", "0.5", "0.6"]
    assert not [
        path for path in segmentation(config, "x").parent.iterdir() if "partial" in path.name
    ]
    _same(_content(config), _content(everything))
    assert verify(segmentation(config, "x").parent) == []
    assert verify_tables(segmentation(config, "x").parent) == []
    assert damaged_tables(segmentation(config, "data_validate")) == []


def _noting(compute, noted):
    def wrapped(self, block, source):
        noted.append([name.removeprefix("segmentation/") for name in self.tables])
        return compute(self, block, source)

    return wrapped


def test_a_list_that_was_killed_is_gone_on_with(config, monkeypatch) -> None:
    """Asked for again, in part, or beside others: nothing of it is lost or done twice."""
    config = _set(config, block=(6, 10, 24))
    segment(config)
    expected = _content(config)
    for again in (THRESHOLDS, (0.29,), (0.29, 0.35), (0.35,)):
        shutil.rmtree(segmentation(config, "x").parent)
        with monkeypatch.context() as patch:
            patch.setattr(Segments, "compute", _failing_at(Segments.compute, 2))
            with pytest.raises(BlocksFailed):
                segment(config)
        segment(_set(config, thresholds=again))
        if again == (0.35,):
            assert not is_written(segmentation(config, "data_validate"), array_name(0.29))
            assert is_written(segmentation(config, "data_validate"), array_name(0.35))
        segment(_set(config, thresholds=(*THRESHOLDS, *again)))
        found = _content(config)
        _same({name: found[name] for name in expected}, expected)
        assert verify(segmentation(config, "x").parent) == []


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
    segment(_set(config, thresholds=(0.28,)))
    assert _names(config, "data_validate") == ["0.28", "0.6"]
    segment(config)
    _same(_content(config), expected)
    assert verify(segmentation(config, "x").parent) == []


def test_what_other_edges_made_goes_and_is_named(config, caplog) -> None:
    caplog.set_level("INFO")
    segment(config)
    segment(_set(config, thresholds=(0.5,)))
    other = _set(config, scoring="hist_quant_75", thresholds=(0.6,))
    segment(other)
    gone = [record.getMessage() for record in caplog.records if "removed" in record.getMessage()]
    names = ", ".join(map(array_name, (0.28, 0.29, 0.5, 0.6)))
    assert [line.split("removed")[1] for line in gone] == [
        f", for what they were made from is made anew: {names}"
    ] * 2
    assert _names(config, "data_validate") == ["0.6"]
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
    segment(_set(other, fragments=Fragments(min_seed_distance=3), thresholds=(0.2,)))
    gone = [record.getMessage() for record in caplog.records if "removed" in record.getMessage()]
    assert [line.rpartition(": ")[2] for line in gone] == ["segmentation/0.6"] * 2
    assert _names(config, "data_validate") == ["0.2"]


def test_levels_are_majorities_and_come_when_they_are_asked_for(config) -> None:
    segment(config)
    before = _content(config)
    told = []
    segment(_set(config, levels=3, thresholds=(0.29, 0.4)), progress=told.append)
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
    segment(_set(config, levels=3))
    assert verify(container.parent) == []
    # what is scored and picked does not depend on them
    assert scoring_settings(_set(config, levels=3)) == scoring_settings(config)


def test_a_list_of_an_earlier_version_is_gone_on_with(config) -> None:
    """Its arrays stand at their names themselves, and one step wrote them all."""
    segment(config)
    expected = _content(config)
    container = segmentation(config, "data_validate")
    for name in containers.arrays(container):
        (container / name).rename(container / "moved")
        (container / "moved" / "0").rename(container / name)
        shutil.rmtree(container / "moved")
    _same(_content(config), expected)
    segment(_set(config, thresholds=(0.28, 0.5)))
    found = _content(config)
    assert "segmentation/0.5" in found
    _same({name: found[name] for name in expected}, expected)
    assert (container / "segmentation" / "0.28" / ".zarray").exists(), "it stays where it is"
    assert verify(container.parent) == []


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
        segment(_set(config, thresholds=(0.6, 0.7)))
    np.testing.assert_array_equal(open_array(container, "segmentation/0.7").read(ROI), mine)
    segment(_set(config, thresholds=(0.5, 0.6)))
    assert (container / "tables" / "mine.npy").read_bytes() == b"mine"
    shutil.rmtree(container / "segmentation" / "0.7")
    with pytest.raises(ValueError, match=r"did not write: .*tables/mine\.npy"):
        segment(_set(config, fragments=config.segment.fragments.derive(min_seed_distance=5)))


@pytest.mark.parametrize("describes", [True, False])
def test_a_level_that_another_made_stays(config, describes) -> None:
    segment(config)
    container = segmentation(config, "data_validate")
    level = create_level(container, "fragments", 1, factor=(1, 2, 2))
    level.write(np.full(level.shape, 5, np.uint64), level.roi)
    if not describes:
        (container / "fragments" / "1" / ".zattrs").unlink()
    with pytest.raises(ValueError, match=r"fragments/1 holds what this program did not write"):
        segment(_set(config, levels=2))
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


def test_mask_blank_sections_and_mutex(config) -> None:
    options = config.segment.fragments.derive(blank_sections=(6, 100))
    segment(_set(config, use_mask=True, fragments=options))
    fragments = open_array(segmentation(config, "data_test"), "fragments").read(ROI)
    assert not fragments[:, :, :7].any()
    assert not fragments[1].any()
    assert fragments[0, :, 7:].all()
    pytest.importorskip("mwatershed")
    far = Head(target=Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))))
    segment(
        config.derive(segment={"decoder": "mutex"}, variant={"stages": Stage(heads={"affs": far})})
    )
    assert _names(config, "data_test") == ["mutex"]


def test_another_mask_in_the_same_place_is_another_segmentation(config, tmp_path) -> None:
    masked = _set(config, use_mask=True)
    segment(masked)
    rmtree(tmp_path / "data.zarr" / "mask")
    other = np.ones(ROI.shape, np.uint8)
    other[:, :5] = 0
    create_array(
        tmp_path / "data.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8
    ).write(other, ROI)
    segment(masked)
    fragments = open_array(segmentation(config, "data_test"), "fragments").read(ROI)
    np.testing.assert_array_equal(fragments > 0, other > 0)


def test_sections_of_a_2d_network(config) -> None:
    affs = _affs()
    found = decode(affs[1:], ((-1, 0), (0, -1)), config.segment)
    np.testing.assert_array_equal(found.fragments[3], found.segmentation(-1.0)[3])
    assert not set(np.unique(found.segmentation(1.0)[0])) & set(
        np.unique(found.segmentation(1.0)[1])
    ) - {0}


def test_errors(config) -> None:
    with pytest.raises(ValueError, match="heads with affinities: affs"):
        segment(_set(config, affinities="lsds"))
    with pytest.raises(ValueError, match=r"run predicter\.py first"):
        segment(config.derive(name="another"))


def test_contacts_that_do_not_fit_into_memory_are_joined_in_blocks_instead(
    config, monkeypatch
) -> None:
    one = config.predict.derive(volumes=("validate",))
    config = _set(config.derive(predict=one), block=(6, 10, 24))
    monkeypatch.setattr(watershed, "available", lambda: 1000)
    with pytest.raises(
        ValueError, match=r"to join \d+ contacts .* GB .*, 1e-06 GB are free; set segment\.aggl"
    ):
        segment(config)
    monkeypatch.setattr(Fragments_, "compute", None)
    segment(_set(config, agglomeration="blocks"))
    with pytest.raises(ValueError, match="to join"):
        segment(config)
    monkeypatch.setattr(watershed, "available", lambda: None)
    segment(config)


def test_blocks_and_whole_are_not_taken_for_each_other(config) -> None:
    """Over the whole volume, blocks change no score; on their own they do."""
    config = _set(
        config, block=(6, 10, 24), context=(1, 1, 1), edge_context=(1, 1, 1), scoring="mean"
    )
    found = {}
    for agglomeration in ("whole", "blocks", "auto"):
        asked = _set(config, agglomeration=agglomeration)
        segment(asked)
        edges = np.concatenate(
            list(edge_pieces(segmentation(asked, "data_validate") / "blocks" / "edges"))
        )
        found[agglomeration] = np.sort(edges, order=["u", "v"])
    np.testing.assert_array_equal(found["whole"], found["auto"])
    assert (found["whole"][["u", "v"]] == found["blocks"][["u", "v"]]).all()
    assert (found["whole"]["score"] != found["blocks"]["score"]).any()


def test_a_whole_that_failed_gives_way_to_blocks_and_what_is_damaged_is_named(
    config, monkeypatch
) -> None:
    one = config.predict.derive(volumes=("validate",))
    config = _set(config.derive(predict=one), block=(6, 10, 24))
    with monkeypatch.context() as patch:
        patch.setattr(Whole, "compute", _out_of_memory)
        with pytest.raises(BlocksFailed, match=r"1 of 1 blocks of edges failed:"):
            segment(config)
    [container] = segment(_set(config, agglomeration="blocks"))
    assert verify(container.parents[1]) == []
    assert not (container / "blocks" / "contacts").exists(), "nothing would mend them"
    monkeypatch.setattr(watershed, "LONG", 10)
    segment(config)
    [rows] = (container / "blocks" / "contacts").glob("*.rows")
    content = bytearray(rows.read_bytes())
    content[20] ^= 8
    rows.write_bytes(content)
    rmtree(container / "blocks" / "edges")
    with pytest.raises(
        BlocksFailed, match=r"contacts/.*\.rows is damaged: block \d; verify the run"
    ):
        segment(config)
    assert [finding.folder.name for finding in verify(container.parents[1])] == ["contacts"], (
        "edges were never done"
    )
    segment(config)


def _out_of_memory(*_):
    raise MemoryError
