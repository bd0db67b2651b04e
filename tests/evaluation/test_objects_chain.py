"""Mitochondria of a made-up volume from training to scores: validation picks by what was found."""

import json

import numpy as np
import pytest

from lsd.evaluation.calibration import calibration
from lsd.evaluation.detection import average_precision
from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.report.run import draw_figures
from lsd.report.table import heads_table, scores_table
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name, validated
from lsd.spec import (
    Bce,
    Components,
    Config,
    Dataset,
    Evaluate,
    Foreground,
    Head,
    Network,
    ResidualUNet,
    Segment,
    Stage,
    Synthetic,
    Variant,
    Volume,
    paths,
)
from lsd.sweep.chain import scores_by_heading
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)


def volume(seed: int) -> Volume:
    synthetic = Synthetic(shape=(24, 48, 48), voxel_size=(16, 16, 16), seed=seed)
    return Volume(synthetic=synthetic, labels="volumes/labels/mitochondria")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Config:
    """A run that was trained, predicted and segmented."""
    folder = tmp_path_factory.mktemp("mitochondria")
    trunk = ResidualUNet(widths=(8, 16), factors=((2, 2, 2),), kernel=(3, 3, 3), context=(4, 4, 4))
    head = Head(target=Foreground(), loss=Bce(balance=True))
    config = Config(
        name="mito",
        dataset=Dataset(train=(volume(1),), validate=(volume(2),)),
        variant=Variant(stages=(Stage(heads={"foreground": head}),)),
        network=Network(trunk=trunk, train_shape=(16, 24, 24)),
        train={
            "iterations": 40,
            "validate_every": 10,
            "learning_rate": 1e-2,
            "workers": 0,
            "threads": 1,
            "device": "cpu",
        },
        predict={"volumes": "validate", "threads": 1, "device": "cpu"},
        segment=Segment(
            decoder=Components(head="foreground"), objects={"min_size": 10}, thresholds=THRESHOLDS
        ),
        evaluate=Evaluate(metric="objects", heads="foreground", block=(13, 20, 48)),
        runs=str(folder / "runs"),
        data_root=str(folder / "data"),
    )
    train(config, progress=False)
    predict(config)
    segment(config)
    return config


@pytest.mark.slow
def test_validation_picks_by_what_was_found(config) -> None:
    """The score of the checkpoint that is kept is that of what it predicts, on disk."""
    name = "synthetic_validate"
    opened = open_volume(volume(2), name=name, data_root=paths.data_root(config))
    truth = opened.read_labels(opened.roi)
    found = {}
    for threshold in THRESHOLDS:
        array = open_array(paths.segmentation(config, name), array_name(threshold))
        segments = array.read(array.roi)
        found[threshold] = average_precision(segments, truth, kind="accuracy", thresholds=0.5)
    best = max(found.values())
    assert 0 < best < 1
    content = json.loads(paths.validation_file(config).read_text())
    assert content["score"] == pytest.approx(1 - best)
    assert found[content["threshold"]] == best
    assert content["accuracy"] == pytest.approx(best)
    assert content["yardstick"]["score"] == "objects"
    assert validated(config) == content["threshold"]


def test_an_evaluation_says_the_same_and_more(config) -> None:
    evaluation = evaluate(config)
    assert evaluation.threshold == validated(config)
    score = evaluation.part("validate")
    content = json.loads(paths.validation_file(config).read_text())
    assert score.objective == pytest.approx(content["score"])
    [counts] = evaluation.heads["synthetic_validate"].values()
    opened = open_volume(volume(2), name="v", data_root=paths.data_root(config))
    predicted = open_array(paths.prediction(config, "synthetic_validate"), "foreground")
    expected = calibration(predicted.read(opened.roi)[0], opened.read_labels(opened.roi) > 0)
    np.testing.assert_array_equal(counts.all.values, expected.values)
    assert counts.as_dict() == expected.as_dict()
    shown = scores_table(evaluation).splitlines()
    assert f"{score.value:.3f}" in shown[2]
    assert "accuracy50" in shown[0]
    assert f"{expected.ece():.3f}" in heads_table(evaluation)
    sweep, section, _of_training = draw_figures(config, evaluation)
    assert min(path.stat().st_size for path in (sweep, section)) > 1000
    of_sweep = scores_by_heading(evaluation)
    assert of_sweep["validate accuracy50"] == score.value
    assert of_sweep["validate PQ 50"] == score.as_dict()["pq"]
    assert of_sweep["validate foreground ECE"] == expected.ece()


def test_another_objective_is_another_yardstick(config) -> None:
    """A threshold that was picked by one is no threshold of the other."""
    masks = config.derive(evaluate={"metric": "foreground"})
    assert validated(masks) is None
    evaluation = evaluate(masks)
    assert evaluation.threshold is not None
    ious = {t: s.iou for t, s in evaluation.volumes["synthetic_validate"].sweep.items()}
    assert ious[evaluation.threshold] == max(ious.values())
    assert validated(config.derive(evaluate={"heads": ()})) is not None
