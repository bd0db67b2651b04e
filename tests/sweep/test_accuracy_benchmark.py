"""`python -m benchmarks accuracy`: its settings differ, and its scores are those of what is on
disk."""

import numpy as np
import pytest

from benchmarks.accuracy import KINDS
from benchmarks.accuracy.scores import along_skeletons
from lsd.cli.files import load_settings
from lsd.evaluation.run import evaluate
from lsd.evaluation.skeletons import expected_run_length, labels_at
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec.paths import segmentation
from lsd.synthetic import skeletons
from lsd.training.loop import train
from lsd.volumes.array import open_array


@pytest.mark.parametrize("kind", ["isotropic", "sections"])
def test_settings_differ_in_what_they_learn(kind) -> None:
    sweep, settings = load_settings(KINDS[kind])
    assert sweep is not None
    assert {"aff", "lr", "mtlsd_0.1", "mtlsd_1", "mtlsd_10", "acrlsd", "paper"} <= set(settings)
    configs = [setting.config for setting in settings.values()]
    assert len({config.model_dump_json() for config in configs}) == len(configs)
    assert len({config.dataset.model_dump_json() for config in configs}) == 1
    # as many voxels whatever the kind
    volumes = {**configs[0].dataset.volumes(), **sweep.scored.volumes()}
    voxels = {name: np.prod(volume.synthetic.shape) for name, volume in volumes.items()}
    assert voxels == {
        "training": 192**3, "crop": 256**3, "validation": 256**3, "testing": 256**3,
    }  # fmt: skip
    (crop,) = configs[0].dataset.validate
    assert np.prod([end - begin for begin, end in crop.region]) == 128**3
    assert len({volume.synthetic.seed for volume in volumes.values()}) == 3


@pytest.mark.slow
def test_scores_are_those_of_the_segmentation_on_disk(sweep) -> None:
    config = sweep.settings["aff"].config
    train(config, progress=False)
    predict(config)
    segment(config)
    evaluation = evaluate(config)
    found = along_skeletons(config, evaluation)
    (volume,) = config.dataset.test
    array = open_array(segmentation(config, "synthetic_test"), array_name(evaluation.threshold))
    lines = skeletons(volume.synthetic)
    at = labels_at(array.read(array.roi), lines.positions, voxel_size=volume.synthetic.voxel_size)
    expected = expected_run_length(lines, at)
    assert found["ERL um"] == pytest.approx(expected.erl / 1000)
    assert found["nERL"] == expected.nerl
    assert found["split edges"] == expected.split
    assert found["merging segments"] == expected.merging_segments
    # the second time from the file beside the volume
    assert along_skeletons(config, evaluation) == found
