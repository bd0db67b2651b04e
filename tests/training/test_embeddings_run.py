"""Heads of embeddings and of soft dice from training to segments: stopped, gone on with, validated,
predicted, decoded."""

import re

import numpy as np
import pytest
from checkpointed import last, resumed_as_straight
from tiny_run import AFFS, EMBEDDINGS, LSDS, config

import lsd
from lsd.cli.survey.training import survey
from lsd.network.checkpoints import files
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.prediction.predictor import Predictor
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Bce, Dice, Discriminative, Head, Stage, Variant, paths
from lsd.targets.target import compute
from lsd.training.loop import train
from lsd.training.loss_score import LossScore
from lsd.training.validation import Validator, predict_region
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume

DICE = Variant(stages=(Stage(heads={"affs": AFFS.derive(loss=Dice())}),))
BOTH = Variant(stages=(Stage(heads={"affs": EMBEDDINGS, "lsds": LSDS.derive(loss=Dice())}),))
FULL = {
    "snapshot_every": 3,
    "iterations": 4,
    "checkpoint_every": 2,
    "keep": 9,
    "batch_size": 2,
    "ema": 0.5,
}


def run_of(folder, variant, **settings):
    base = config(folder, **(FULL | settings))
    test = base.dataset.validate[0].derive(name="cells")
    return base.derive(
        variant=variant,
        dataset={"test": (test,)},
        predict={"volumes": "test", "checkpoint": "latest"},
    )


@pytest.mark.parametrize(
    ("variant", "dims"),
    [(BOTH, "2d"), (BOTH, "3d"), (DICE, "3d")],
    ids=["embeddings in 2d", "embeddings in 3d", "dice"],
)
def test_from_training_to_segments(tmp_path, monkeypatch, variant, dims) -> None:
    """Stopped and gone on with, weights are those of a run that was not; each decoder makes
    segments of what is predicted."""
    straight = run_of(tmp_path, variant, name="straight", dims=dims, validate_every=4)
    broken = run_of(tmp_path, variant, name="broken", dims=dims, validate_every=4)
    content = resumed_as_straight(straight, broken, monkeypatch)
    assert (content["iteration"], content["best"]["voi_sum"] > 0) == (4, True)
    assert {path.suffix for path in paths.checkpoints(broken, "main").iterdir()} == {".pt"}
    [container] = predict(broken, progress=False)
    affs = open_array(container, "affs")
    offsets = variant.heads()["affs"].target.affinity_offsets()
    flat = [offset for offset in offsets if any(offset[1:])]
    assert affs.channels == len(flat if dims == "2d" else offsets)
    network = lsd.load(last(broken, "main"))
    assert len(network.neighborhood("affs")) == affs.channels
    assert np.ptp(affs.read(affs.roi)) > 0
    decoders = ("watershed", "mutex") if variant is BOTH else ("watershed",)
    for decoder in decoders:
        segment(broken.derive(segment={"decoder": decoder, "thresholds": (0.3,)}))
        folder = paths.segmentation(broken, "cells")
        place = "mutex" if decoder == "mutex" else "0.3"
        segments = open_array(folder, f"segmentation/{place}")
        assert segments.read(segments.roi).max() > 0


def test_a_stage_that_is_not_decoded_is_validated_by_its_values(tmp_path) -> None:
    """Embeddings of two blocks do not compare, so the affinities that are predicted count."""
    run = run_of(tmp_path, BOTH, iterations=1, validate_every=1)
    run = run.derive(segment={"affinities": "elsewhere"})
    train(run, progress=False)
    [stage] = run.variant.stages
    restored = from_checkpoint(paths.checkpoints(run, "main") / files.file_name(1))
    validator = Validator(run, stage)
    found = validator(restored.cascade)
    assert isinstance(found.scores, LossScore)
    assert found.scores.losses.keys() == {"affs", "lsds"}
    volume = open_volume(run.dataset.validate[0], name="v", data_root=tmp_path)
    labels, known = volume.read_truth(volume.roi)
    truth, where = compute(EMBEDDINGS.target, labels, known=known, voxel_size=(10,) * 3)
    predictor = Predictor(restored.cascade, run.network, settings=run.predict)
    values = predict_region(predictor, volume, volume.roi)["affs"]
    wanted = np.square(values - truth)[where].mean()
    assert found.scores.losses["affs"] == pytest.approx(wanted, rel=1e-4)


def test_a_dry_run_tries_it(tmp_path) -> None:
    """Its loss where the network says 0 everywhere: [2 dd]^2 of all pairs of objects."""
    told = "\n".join(survey(run_of(tmp_path, BOTH), False))
    [loss] = re.findall(r"head affs: known at .* loss at the start about (\S+)", told)
    assert 0 < float(loss) <= 9


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (
            Head(target=EMBEDDINGS.target),
            r"head 'affs': loss 'mse' wants a value .* Discriminative",
        ),
        (EMBEDDINGS.derive(loss=Bce()), "loss 'bce' wants a value"),
        (AFFS.derive(loss=Discriminative()), "loss 'discriminative' learns embeddings"),
    ],
)
def test_what_does_not_fit_is_refused_before_data_are_opened(tmp_path, head, says) -> None:
    run = run_of(tmp_path, Variant(stages=(Stage(heads={"affs": head}),)))
    missing = run.dataset.train[0].derive(path="nowhere.zarr")
    with pytest.raises(ValueError, match=says):
        train(run.derive(dataset={"train": (missing,)}), progress=False)
