"""Segmentation on disk: what is written, which thresholds, and what is said when something is
missing."""

import json
from shutil import rmtree

import numpy as np
import pytest
from segmented_run import ROI, THRESHOLDS, VOXEL_SIZE, affs, changed, make_config, names

from lsd.blockwise.on_disk.inspect import verify_blocks
from lsd.blockwise.running.run import BlocksFailed
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders import watershed
from lsd.segmentation.on_disk.tables import open_table
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.over_blocks.fragments import FragmentsFunction as Fragments_
from lsd.segmentation.over_blocks.whole import WholeFunction
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, scoring_settings
from lsd.spec import (
    Affinities,
    Head,
    Stage,
)
from lsd.spec.paths import evaluation_file, segmentation, validation_file
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array


@pytest.fixture
def config(tmp_path):
    return make_config(tmp_path)


def test_what_is_written(config) -> None:
    told = []
    assert segment(config, progress=told.append) == [
        segmentation(config, name) for name in ("data_validate", "data_test")
    ]
    assert any("fragments" in line for line in told)
    assert names(config, "data_validate") == ["0.28", "0.29", "0.6"]
    expected = decode(affs(), Affinities().neighborhood, config.segment)
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

    for asked in (config, changed(config, scoring="hist_quant_75")):
        segment(asked)
        assert said("fragments") == config.segment.fragments.model_dump(mode="json")
        assert all(
            said(array_name(threshold)) == scoring_settings(asked.segment)
            for threshold in THRESHOLDS
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
    assert names(config, "data_test") == ["0.55"]
    assert names(config, "data_validate") == ["0.28", "0.29", "0.6"]
    settings = scoring_settings(config.segment)
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
    config = changed(config, agglomeration="whole", edge_context=(1, 1, 1))
    assert asked() == ["0.29"]
    for path in (evaluation_file(config), validation_file(config)):
        _write(path, {"threshold": 0.55, "segment": settings | {"caution": 0.5}})
    assert asked() == ["0.28", "0.29", "0.6"], "picked otherwise"
    assert names(config, "data_test") == ["0.28", "0.29", "0.55", "0.6"]


def test_mask_blank_sections_and_mutex(config) -> None:
    options = config.segment.fragments.derive(blank_sections=(6, 100))
    segment(changed(config, use_mask=True, fragments=options))
    fragments = open_array(segmentation(config, "data_test"), "fragments").read(ROI)
    assert not fragments[:, :, :7].any()
    assert not fragments[1].any()
    assert fragments[0, :, 7:].all()
    pytest.importorskip("mwatershed")
    far = Head(target=Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))))
    segment(
        config.derive(segment={"decoder": "mutex"}, variant={"stages": Stage(heads={"affs": far})})
    )
    assert names(config, "data_test") == ["mutex"]


def test_another_mask_in_the_same_place_is_another_segmentation(config, tmp_path) -> None:
    masked = changed(config, use_mask=True)
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
    found = decode(affs()[1:], ((-1, 0), (0, -1)), config.segment)
    np.testing.assert_array_equal(found.fragments[3], found.segmentation(-1.0)[3])
    assert not set(np.unique(found.segmentation(1.0)[0])) & set(
        np.unique(found.segmentation(1.0)[1])
    ) - {0}


def test_errors(config) -> None:
    with pytest.raises(ValueError, match="heads with affinities: affs"):
        segment(changed(config, affinities="lsds"))
    with pytest.raises(ValueError, match=r"run `lsd predict` first"):
        segment(config.derive(name="another"))


def test_contacts_that_do_not_fit_into_memory_are_joined_in_blocks_instead(
    config, monkeypatch
) -> None:
    one = config.predict.derive(volumes=("validate",))
    config = changed(config.derive(predict=one), block=(6, 10, 24))
    monkeypatch.setattr(watershed, "available", lambda: 1000)
    with pytest.raises(
        ValueError, match=r"to join \d+ contacts .* GB .*, 1e-06 GB are free; set segment\.aggl"
    ):
        segment(config)
    monkeypatch.setattr(Fragments_, "compute", None)
    segment(changed(config, agglomeration="blocks"))
    with pytest.raises(ValueError, match="to join"):
        segment(config)
    monkeypatch.setattr(watershed, "available", lambda: None)
    segment(config)


def test_blocks_and_whole_are_not_taken_for_each_other(config) -> None:
    """Over the whole volume, blocks change no score; on their own they do."""
    config = changed(
        config, block=(6, 10, 24), context=(1, 1, 1), edge_context=(1, 1, 1), scoring="mean"
    )
    found = {}
    for agglomeration in ("whole", "blocks", "auto"):
        asked = changed(config, agglomeration=agglomeration)
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
    config = changed(config.derive(predict=one), block=(6, 10, 24))
    with monkeypatch.context() as patch:
        patch.setattr(WholeFunction, "compute", _out_of_memory)
        with pytest.raises(BlocksFailed, match=r"1 of 1 block of edges failed:"):
            segment(config)
    [container] = segment(changed(config, agglomeration="blocks"))
    assert verify_blocks(container.parents[1]) == []
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
    assert [finding.folder.name for finding in verify_blocks(container.parents[1])] == [
        "contacts"
    ], "edges were never done"
    segment(config)


def _out_of_memory(*_):
    raise MemoryError
