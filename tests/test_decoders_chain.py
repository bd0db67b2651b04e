"""From training to scores with each decoder of objects, on a small made-up volume."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from outside_run import make_config

from lsd.evaluation.partition import compare
from lsd.evaluation.run import evaluate
from lsd.network.cascade import Cascade
from lsd.prediction.run import predict
from lsd.report.run import draw_figures
from lsd.segmentation.made_from import SAME, of_run
from lsd.segmentation.objects import objects
from lsd.segmentation.run import segment
from lsd.spec import (
    Box,
    Components,
    Consensus,
    Foreground,
    Head,
    Instance,
    Occupancy,
    SignedDistance,
    Stage,
    Variant,
    paths,
)
from lsd.targets.occupancy import consensus
from lsd.training.loop import train
from lsd.training.validation import Validator, predict_region
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

KERNEL = Box(size=(3, 3, 3))
VARIANT = Variant(
    stages=Stage(
        heads={
            "mask": Head(target=Foreground(), loss="bce"),
            "distance": Head(target=SignedDistance(reach=40)),
            "around": Head(target=Occupancy(mode="foreground", kernel=KERNEL), loss="bce"),
            "pairs": Head(target=Occupancy(kernel=KERNEL), loss="bce"),
        }
    )
)
DECODERS = {
    "mask": Components(head="mask"),
    "distance": Components(head="distance"),
    "consensus": Consensus(head="around"),
    "centre": Consensus(head="around", centre=True),
    "instance": Instance(),
    "instance by watershed": Instance(by="watershed", foreground="mask"),
}
THRESHOLDS = (0.3, 0.5, 0.7)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that is trained and predicted, once."""
    folder = tmp_path_factory.mktemp("chain")
    config = make_config(folder, VARIANT, imports=(), iterations=12).derive(
        train={"learning_rate": 0.01},
        segment={
            "decoder": DECODERS["consensus"],
            "affinities": "pairs",
            "thresholds": THRESHOLDS,
            "objects": {"min_size": 4, "fill_holes": True},
        },
        predict={"volumes": ("validate", "test")},
        evaluate={"metric": "foreground"},
    )
    train(config, progress=False)
    predict(config)
    return config


@pytest.mark.parametrize("name", DECODERS)
def test_the_chain(trained, name) -> None:
    if name == "instance":
        pytest.importorskip("mwatershed")
    config = trained.derive(segment={"decoder": DECODERS[name]})
    told: list[str] = []
    segment(config, progress=told.append)
    file = paths.evaluation_file(config)
    if file.exists():
        # of the decoder before
        assert all(each.is_other for each in of_run(config, json.loads(file.read_text())).values())
    evaluation = evaluate(config)
    volume = evaluation.volumes["boxes"]
    assert volume.scored is not None
    container = paths.segmentation(config, "boxes")
    if name == "instance":
        assert (evaluation.threshold, volume.sweep) == (None, {})
        found = open_array(container, "segmentation/mutex")
    else:
        assert evaluation.threshold in THRESHOLDS
        assert list(volume.sweep) == list(THRESHOLDS)
        found = open_array(container, f"segmentation/{evaluation.threshold}")
    segments = found.read(found.roi)
    truth = open_array(config.dataset.test[0].path, "labels").read(found.roi)
    inside, real = segments > 0, truth > 0
    expected = (inside & real).sum() / (inside | real).sum()
    scores = json.loads(file.read_text())
    assert of_run(config, scores) == dict.fromkeys(evaluation.volumes, SAME)
    assert scores["volumes"]["boxes"]["scores"]["iou"] == pytest.approx(expected)
    if name == "consensus":
        assert draw_figures(config, evaluation)


def test_what_validation_scored(trained) -> None:
    """The objects of a region that is predicted, at each threshold, as segmentation makes them."""
    stage = trained.variant.stages[0]
    config = trained.derive(evaluate={"metric": "voi"})
    torch.manual_seed(0)
    validator, cascade = Validator(config, stage), Cascade(config.variant, config.network.trunk)
    found = validator(cascade)
    volume = open_volume(config.dataset.validate[0], name="boxes", data_root=Path("."))
    [roi] = validator.rois
    predicted = predict_region(validator.predictor(cascade), volume, roi)["around"]
    stored = np.rint(predicted * 255).astype(np.uint8)
    probability, _ = consensus(stored, KERNEL.offsets_in(3))
    truth, known = volume.read_truth(roi)
    assert list(found.sweep) == list(THRESHOLDS)
    for threshold, score in found.sweep.items():
        segments = objects(probability >= np.float32(threshold), min_size=4, fill_holes=True)
        assert score == compare(segments[known], truth[known])
    # and in training
    record = json.loads(paths.validation_file(trained).read_text())
    assert record["threshold"] in THRESHOLDS
    assert 0 <= record["score"] <= 1
