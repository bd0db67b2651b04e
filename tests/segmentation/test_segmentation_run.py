"""Segmentation on disk: what is written, which thresholds, and what is said when something is missing."""

import json
from shutil import rmtree

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy import ndimage

from lsd.blockwise.inspect import verify
from lsd.blockwise.run import BlocksFailed
from lsd.segmentation import run
from lsd.segmentation.blocks import Fragments as Fragments_
from lsd.segmentation.blocks import edge_pieces
from lsd.segmentation.decode import decode
from lsd.segmentation.run import segment
from lsd.segmentation.tables import open_table, verify_tables
from lsd.segmentation.threshold import array_name, scoring_settings
from lsd.segmentation.whole import Whole
from lsd.spec import Affinities, Config, Dataset, Fragments, Head, Network, ResidualUNet, Segment, Stage, Variant, Volume
from lsd.spec.paths import evaluation_file, prediction, segmentation, validation_file
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

ROI = Roi((5, 0, 2), (12, 20, 24))
VOXEL_SIZE = (40.0, 4.5, 4.0)
THRESHOLDS = (0.28, 0.29, 0.6)


def _affs():
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((3, *ROI.shape)), (0, 1.5, 1.5, 1.5))
    low, high = np.percentile(noise, [5, 90])
    return (255 * np.clip((noise - low) / (high - low), 0, 1)).astype(np.uint8)


@pytest.fixture
def config(tmp_path):
    labels = np.ones(ROI.shape, np.uint64)
    for what, data in (("raw", labels.astype(np.uint8)), ("labels", labels), ("mask", labels.astype(np.uint8))):
        if what == "mask":
            data[:, :, :7] = 0
        create_array(tmp_path / "data.zarr", what, roi=ROI, voxel_size=VOXEL_SIZE, dtype=data.dtype).write(data, ROI)
    volume = Volume(path="data.zarr", raw="raw", labels="labels", labels_mask="mask")
    config = Config(
        name="run",
        dataset=Dataset(validate=(volume,), test=(volume.model_copy(update={"labels": None}),)),
        variant=Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),)),
        network=Network(trunk=ResidualUNet(), train_shape=(16, 16, 16)),
        segment=Segment(thresholds=THRESHOLDS, fragments=Fragments(min_seed_distance=4)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path),
    )
    for name in ("data_validate", "data_test"):
        create_array(prediction(config, name), "affs", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8, channels=3).write(
            _affs(), ROI
        )
    return config


def _set(config, **segment):
    return config.model_copy(update={"segment": config.segment.model_copy(update=segment)})


def _names(config, volume):
    folder = segmentation(config, volume) / "segmentation"
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_what_is_written(config) -> None:
    told = []
    assert segment(config, progress=told.append) == [segmentation(config, name) for name in ("data_validate", "data_test")]
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
        np.testing.assert_array_equal(open_array(path, array_name(threshold)).read(ROI), expected.segmentation(threshold))
        np.testing.assert_array_equal(open_table(path, repr(threshold)).segments, expected.table(threshold)[1:])
    assert expected.segmentation(0.6).max() < expected.fragments.max()


def test_arrays_say_with_which_settings_they_were_made(config) -> None:
    def said(array):
        path = segmentation(config, "data_validate") / array / ".zattrs"
        return json.loads(path.read_text())["settings"]

    for changed in (config, _set(config, scoring="hist_quant_75")):
        segment(changed)
        assert said("fragments") == config.segment.fragments.model_dump(mode="json")
        assert all(said(array_name(threshold)) == scoring_settings(changed) for threshold in THRESHOLDS)


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_without_truth_the_picked_threshold_is_used(config) -> None:
    _write(validation_file(config), {"threshold": 0.55})
    segment(config)
    assert _names(config, "data_test") == ["0.55"]
    assert _names(config, "data_validate") == ["0.28", "0.29", "0.6"]
    settings = scoring_settings(config)
    _write(validation_file(config), {"threshold": 0.55, "segment": settings | {"block": [1, 2, 3], "agglomeration": "blocks"}})
    _write(evaluation_file(config), {"threshold": 0.29, "segment": settings | {"scoring": "mean_all"}})
    segment(config)
    assert _names(config, "data_test") == ["0.55"], "picked with another scoring"
    _write(evaluation_file(config), {"threshold": 0.29, "segment": settings})
    segment(config)
    assert _names(config, "data_test") == ["0.29"]
    unused = _set(config, agglomeration="whole", edge_context=(1, 1, 1))
    segment(unused)
    assert _names(unused, "data_test") == ["0.29"]
    for path in (evaluation_file(config), validation_file(config)):
        _write(path, {"threshold": 0.55, "segment": settings | {"caution": 0.5}})
    segment(config)
    assert _names(config, "data_test") == ["0.28", "0.29", "0.6"], "picked otherwise"


def test_again_leaves_nothing_behind(config) -> None:
    segment(config)
    segment(_set(config, thresholds=(0.5,)))
    assert _names(config, "data_validate") == ["0.5"]
    assert not [path for path in segmentation(config, "x").parent.iterdir() if "partial" in path.name]


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
    options = config.segment.fragments.model_copy(update={"blank_sections": (6, 100)})
    segment(_set(config, use_mask=True, fragments=options))
    fragments = open_array(segmentation(config, "data_test"), "fragments").read(ROI)
    assert not fragments[:, :, :7].any()
    assert not fragments[1].any()
    assert fragments[0, :, 7:].all()
    pytest.importorskip("mwatershed")
    segment(_set(config, decoder="mutex"))
    assert _names(config, "data_test") == ["mutex"]


def test_another_mask_in_the_same_place_is_another_segmentation(config, tmp_path) -> None:
    masked = _set(config, use_mask=True)
    segment(masked)
    rmtree(tmp_path / "data.zarr" / "mask")
    other = np.ones(ROI.shape, np.uint8)
    other[:, :5] = 0
    create_array(tmp_path / "data.zarr", "mask", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint8).write(other, ROI)
    segment(masked)
    fragments = open_array(segmentation(config, "data_test"), "fragments").read(ROI)
    np.testing.assert_array_equal(fragments > 0, other > 0)


def test_sections_of_a_2d_network(config) -> None:
    affs = _affs()
    found = decode(affs[1:], ((-1, 0), (0, -1)), config.segment)
    np.testing.assert_array_equal(found.fragments[3], found.segmentation(-1.0)[3])
    assert not set(np.unique(found.segmentation(1.0)[0])) & set(np.unique(found.segmentation(1.0)[1])) - {0}


def test_errors(config) -> None:
    with pytest.raises(ValueError, match="heads with affinities: affs"):
        segment(_set(config, affinities="lsds"))
    with pytest.raises(ValueError, match=r"run predicter\.py first"):
        segment(config.model_copy(update={"name": "another"}))


def test_contacts_that_do_not_fit_into_memory_are_joined_in_blocks_instead(config, monkeypatch) -> None:
    one = config.predict.model_copy(update={"volumes": ("validate",)})
    config = _set(config.model_copy(update={"predict": one}), block=(6, 10, 24))
    monkeypatch.setattr(run, "available", lambda: 1000)
    with pytest.raises(ValueError, match=r"to join \d+ contacts .* GB .*, 1e-06 GB are free; set segment\.aggl"):
        segment(config)
    monkeypatch.setattr(Fragments_, "compute", None)
    segment(_set(config, agglomeration="blocks"))
    with pytest.raises(ValueError, match="to join"):
        segment(config)
    monkeypatch.setattr(run, "available", lambda: None)
    segment(config)


def test_blocks_and_whole_are_not_taken_for_each_other(config) -> None:
    """Over the whole volume, blocks change no score; on their own they do."""
    config = _set(config, block=(6, 10, 24), context=(1, 1, 1), edge_context=(1, 1, 1), scoring="mean")
    found = {}
    for agglomeration in ("whole", "blocks", "auto"):
        asked = _set(config, agglomeration=agglomeration)
        segment(asked)
        edges = np.concatenate(list(edge_pieces(segmentation(asked, "data_validate") / "blocks" / "edges")))
        found[agglomeration] = np.sort(edges, order=["u", "v"])
    np.testing.assert_array_equal(found["whole"], found["auto"])
    assert (found["whole"][["u", "v"]] == found["blocks"][["u", "v"]]).all()
    assert (found["whole"]["score"] != found["blocks"]["score"]).any()


def test_a_whole_that_failed_gives_way_to_blocks_and_what_is_damaged_is_named(config, monkeypatch) -> None:
    one = config.predict.model_copy(update={"volumes": ("validate",)})
    config = _set(config.model_copy(update={"predict": one}), block=(6, 10, 24))
    with monkeypatch.context() as patch:
        patch.setattr(Whole, "compute", _out_of_memory)
        with pytest.raises(BlocksFailed, match=r"1 of 1 blocks of edges failed:"):
            segment(config)
    [container] = segment(_set(config, agglomeration="blocks"))
    assert verify(container.parents[1]) == []
    assert not (container / "blocks" / "contacts").exists(), "nothing would mend them"
    monkeypatch.setattr(run, "LONG", 10)
    segment(config)
    [rows] = (container / "blocks" / "contacts").glob("*.rows")
    content = bytearray(rows.read_bytes())
    content[20] ^= 8
    rows.write_bytes(content)
    rmtree(container / "blocks" / "edges")
    with pytest.raises(BlocksFailed, match=r"contacts/.*\.rows is damaged: block \d; verify the run"):
        segment(config)
    assert [finding.folder.name for finding in verify(container.parents[1])] == ["contacts"], "edges were never done"
    segment(config)


def _out_of_memory(*_):
    raise MemoryError
