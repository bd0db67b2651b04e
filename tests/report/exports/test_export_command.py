"""`lsd export`: what it says, what it refuses, and its exit status."""

import json
import shutil

import pytest
from run_with_segments import THRESHOLD, VOLUME, segmented_run

from lsd.cli.commands.export import main
from lsd.report.exports.correct import correct
from lsd.report.exports.run import exported_volumes
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export
from lsd.spec.paths import exported, prediction, run_folder, segmentation


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
        (
            ("--images=corected", "--threshold=0.6"),
            1,
            "segmentation/0.6; did you mean 'corrected'?",
        ),
        (("--images=fragment", "--threshold=0.6"), 1, "; did you mean 'fragments'?"),
        (("--images=corrected", "--threshold=0.6"), 1, "; it is made with `lsd correct`"),
    ],
)
def test_what_is_refused(config, capsys, words, status, says) -> None:
    assert says in said(capsys, run_folder(config), *words, status=status)


def test_an_image_that_one_of_several_volumes_has(tmp_path, capsys) -> None:
    config = segmented_run(tmp_path)
    [spec] = config.dataset.validate
    two = config.derive(dataset={"validate": (spec.derive(name=VOLUME), spec.derive(name="other"))})
    for folder in (prediction(two, VOLUME), segmentation(two, VOLUME)):
        shutil.copytree(folder, folder.with_name(f"other{folder.suffix}"))
    (run_folder(two) / "config.json").write_text(two.model_dump_json())
    asked = Export(volumes=(VOLUME,), threshold=THRESHOLD)
    correct(*exported_volumes(two, asked), Corrections())
    words = (run_folder(two), "tiff", "--threshold", THRESHOLD, "--images")
    refused = said(capsys, *words, "corrected", status=1)
    assert f"of the volumes that are exported, {VOLUME} has 'corrected', and other not" in refused
    assert f"with the volumes (--volumes) {VOLUME}, or leave" in refused
    assert "threshold" not in refused
    assert not exported(two, VOLUME).exists(), "nothing is exported before it is told"
    assert "written: " in said(capsys, *words, "corrected", f"--volumes={VOLUME}")


def test_a_folder_that_is_no_run_is_told(config, capsys) -> None:
    runs = run_folder(config).parent
    assert "is no folder of a run: it holds no config.json; runs in it: run" in said(
        capsys, runs, status=2
    )
