"""From the sites of errors to a corrected volume, and to a network that learns from it."""

import numpy as np
import pytest
from reported_run import ROI, VOXEL_SIZE, make, truth

from lsd.evaluation.error_sites.sites import read_sites
from lsd.evaluation.partition import compare
from lsd.report.exports.correct import correct
from lsd.report.exports.run import exported_volumes
from lsd.report.exports.training import training_volume
from lsd.spec import Volume
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export
from lsd.spec.paths import checkpoints, evaluation_file
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

VOLUME = "v_validate"


@pytest.mark.slow
def test_what_was_found_wrong_is_right_and_learnt_from(tmp_path) -> None:
    config, _, _ = make(tmp_path)
    settings = Export(volumes=(VOLUME,))
    [volume] = exported_volumes(config, settings, progress=lambda line: None)
    labels = truth()
    before = volume.results.read(ROI, volume.threshold)
    sites = read_sites(evaluation_file(config))[VOLUME]
    assert {site.kind for site in sites} == {"split", "merge"}
    # the border between two neurons lies within a fragment, which no cut parts
    painted = np.zeros(ROI.shape, np.uint64)
    for number, site in enumerate(site for site in sites if site.kind == "merge"):
        neuron = (before == site.segments[0]) & (labels == site.truth[0])
        painted[neuron] = 10_000 + number
    create_array(
        tmp_path / "painted.zarr", "ids", roi=ROI, voxel_size=VOXEL_SIZE, dtype=np.uint64
    ).write(painted, ROI)
    corrections = Corrections(
        joins=[site.segments for site in sites if site.kind == "split"],
        painted=f"{tmp_path}/painted.zarr:ids",
    )
    container = correct(volume, corrections)
    after = open_array(container, "labels").read(ROI)
    known = labels > 0
    scores = [compare(each[known], labels[known]) for each in (before, after)]
    assert scores[1].voi_split < scores[0].voi_split
    assert scores[1].voi_merge < scores[0].voi_merge
    learnt_from = eval(training_volume(volume), {"Volume": Volume})
    again = config.derive(
        name="again",
        dataset=config.dataset.derive(train=(learnt_from,), validate=(), test=()),
        train={"iterations": 2, "workers": 1},
        predict=config.predict.derive(volumes=("train",)),
    )
    train(again)
    assert list(checkpoints(again, "main").glob("*.pt"))
