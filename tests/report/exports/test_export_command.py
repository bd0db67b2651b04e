"""`lsd export`: what it says, what it refuses, and its exit status."""

import json

import pytest
from run_with_segments import THRESHOLD, VOLUME, segmented_run

from lsd.cli.commands.export import main
from lsd.spec.paths import exported, run_folder


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


def said(capsys, *words, status=0):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words], program="lsd export")
    out, errors = capsys.readouterr()
    assert end.value.code == status, errors
    return out if status == 0 else errors


def test_formats_and_overrides_stand_side_by_side(config, capsys, tmp_path) -> None:
    run, folder = run_folder(config), exported(config, VOLUME)
    told = said(capsys, run, "segments", "tiff", "--threshold", THRESHOLD)
    assert told.splitlines()[-1].startswith(f"written: {folder}/segments.csv")
    sharded = json.dumps({"kind": "ome_zarr", "levels": 2})
    told = said(capsys, run, sharded, "--threshold", THRESHOLD, "--images", "raw,truth")
    assert told.splitlines()[-1] == (
        f"written: {folder}/{VOLUME}.zarr/raw {folder}/{VOLUME}.zarr/truth"
    )
    other = "segment.caution=0.5"
    assert "is not what" in said(capsys, run, other, "--threshold", THRESHOLD, status=1)


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("nothing",), 2, "export format 'nothing' is unknown; allowed: precomputed, ome_zarr"),
        (('{"kind": "precomputed", "shards": 2}',), 2, "shards"),
        (('{"kind"',), 2, "is no JSON"),
        (("--workers=-1",), 2, "workers"),
        (('{"kind": "skeletons", "suffix": ".swc"}',), 2, "suffix"),
        (('{"kind": "meshes", "factor": [2, 2]}',), 2, "give z, y and x"),
        ((), 1, "are 0.28, 0.29, 0.6; set one, or run `"),
        (("--volumes=other", "--threshold=0.6"), 1, "other"),
    ],
)
def test_what_is_refused(config, capsys, words, status, says) -> None:
    assert says in said(capsys, run_folder(config), *words, status=status)


def test_a_folder_that_is_no_run_is_told(config, capsys) -> None:
    runs = run_folder(config).parent
    assert "is no folder of a run: it holds no config.json; runs in it: run" in said(
        capsys, runs, status=2
    )
