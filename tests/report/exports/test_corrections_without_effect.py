"""Corrections that change nothing are done, and told: other fragments may have been meant."""

import json

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from run_with_segments import THRESHOLD, VOLUME, segmented_run

from lsd.cli.commands.correct import main
from lsd.report.exports.correct import correct
from lsd.report.exports.run import exported_volumes
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export
from lsd.spec.paths import run_folder, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


def read(path, name):
    array = open_array(path, name)
    return array.read(array.roi)


@pytest.fixture
def found(config):
    """Fragments, labels, and the fragments of each of two segments, the first of several."""
    container = segmentation(config, VOLUME)
    fragments, labels = (read(container, n) for n in ("fragments", f"segmentation/{THRESHOLD}"))
    of = [np.unique(fragments[labels == label]).tolist() for label in np.unique(labels)[1:]]
    most, other = sorted(of, key=len)[-1], sorted(of, key=len)[-2]
    return fragments, labels, most, other


def test_it_is_told_and_the_rest_is_done(config, found, caplog) -> None:
    _, labels, most, other = found
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    caplog.clear()
    container = correct(
        volume, Corrections(joins=[(most[0], most[-1])], cuts=[(most[0], other[0])])
    )
    assert caplog.messages == [
        f"{VOLUME}: joins.0: fragments {most[0]} and {most[-1]} are in one segment already, so no "
        f"label changes by it; are these the fragments that were meant?",
        f"{VOLUME}: cuts.0: fragments {most[0]} and {other[0]} are in two segments already, so no "
        f"label changes by it; are these the fragments that were meant?",
    ]
    np.testing.assert_array_equal(read(container, "labels"), labels)
    # what it is about is trusted all the same
    mask = read(container, "labels_mask")
    assert mask[np.isin(labels, [labels[found[0] == end][0] for end in (most[0], other[0])])].all()


def test_what_changes_something_is_not_told(config, found, caplog) -> None:
    _, _, most, other = found
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    caplog.clear()
    correct(volume, Corrections(cuts=[(most[0], most[-1])]))
    correct(volume, Corrections(joins=[(most[0], other[0])]))
    assert not [line for line in caplog.messages if "already" in line]


def test_nothing_that_is_painted_is_told(config, found, tmp_path, caplog) -> None:
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    labels, like = found[1], volume.segmentation.array
    path, whole = tmp_path / "p.zarr", like.roi
    painted = create_array(path, "p", roi=whole, voxel_size=like.voxel_size, dtype=np.uint32)
    painted.write(np.zeros(labels.shape, np.uint32), whole)
    caplog.clear()
    container = correct(volume, Corrections(painted=f"{path}:p"))
    np.testing.assert_array_equal(read(container, "labels"), labels)
    [told] = caplog.messages
    assert "is 0 throughout the segmentation, so no label changes by it" in told
    last = Roi(whole.end - Coordinate(1, 1, 1), (1, 1, 1))
    painted.write(np.ones(last.shape, np.uint32), last)
    caplog.clear()
    correct(volume, Corrections(painted=f"{path}:p"))
    assert not caplog.messages


def test_as_a_command(config, found, tmp_path, capsys, caplog) -> None:
    _, _, most, other = found
    file = tmp_path / "corrections.json"
    words = [str(run_folder(config)), VOLUME, str(file), "--threshold", str(THRESHOLD)]

    def said(status, **corrections):
        file.write_text(json.dumps(corrections))
        with pytest.raises(SystemExit) as end:
            main(words)
        told = capsys.readouterr()
        assert end.value.code == status, told.err
        return told.err

    said(0, cuts=[[most[0], other[0]]])
    assert f"cuts.0: fragments {most[0]} and {other[0]} are in two segments already" in caplog.text
    told = said(2, joins=[[most[0]]])
    assert "Corrections.joins.0: a join is two fragments, each an id or a place in it" in told
    assert told.count("\n") == 1
