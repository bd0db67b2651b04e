"""Heads with structured losses from training to segments: stopped, gone on with, validated,
predicted, decoded."""

import numpy as np
import pytest
from checkpointed import content_of, resumed_as_straight
from tiny_run import VARIANTS, config

from lsd.network.checkpoints import files
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import Affinities, Boundary, Head, Malis, Stage, Supervoxel, Variant, paths
from lsd.training.faults import NotFiniteError
from lsd.training.loop import train
from lsd.volumes.array import open_array

FULL = {"iterations": 4, "checkpoint_every": 2, "keep": 9, "batch_size": 2, "validate_every": 4}
# 2D takes a section of 3D for what it is
RUNS = [(variant, dims) for variant in ("malis", "supervoxel") for dims in ("2d", "3d")]


def run_of(folder, variant, **settings):
    base = config(folder, variant, **(FULL | settings))
    test = base.dataset.validate[0].derive(name="cells")
    return base.derive(
        dataset={"test": (test,)}, predict={"volumes": "test", "checkpoint": "latest"}
    )


@pytest.mark.parametrize(("variant", "dims"), RUNS)
def test_from_training_to_segments(tmp_path, monkeypatch, variant, dims) -> None:
    """Stopped and gone on with, weights are those of a run that was not."""
    straight = run_of(tmp_path, variant, name="straight", dims=dims)
    broken = run_of(tmp_path, variant, name="broken", dims=dims)
    content = resumed_as_straight(straight, broken, monkeypatch)
    assert (content["iteration"], content["best"]["voi_sum"] > 0) == (4, True)
    [container] = predict(broken, progress=False)
    for head in VARIANTS[variant].heads():
        values = open_array(container, head)
        assert np.ptp(values.read(values.roi)) > 0
    segment(broken.derive(segment={"thresholds": (0.3,)}))
    segments = open_array(paths.segmentation(broken, "cells"), "segmentation/0.3")
    assert segments.read(segments.roi).max() > 0


@pytest.mark.parametrize("variant", ["malis", "supervoxel"])
def test_a_stage_that_is_not_decoded_is_validated_by_its_losses(tmp_path, variant) -> None:
    run = run_of(tmp_path, variant, iterations=1, validate_every=1)
    train(run.derive(segment={"affinities": "elsewhere"}), progress=False)
    best = content_of(paths.checkpoints(run, "main") / files.file_name(1))["best"]
    assert best["losses"].keys() == VARIANTS[variant].heads().keys()
    assert all(0 < loss < 10 for loss in best["losses"].values())


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (Head(target=Boundary(), loss=Malis()), "head 'affs': loss 'malis' counts pairs"),
        (
            Head(target=Boundary(), loss=Supervoxel()),
            "take the target 'foreground' or 'affinities'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_data_are_opened(tmp_path, head, says) -> None:
    run = run_of(tmp_path, "aff").derive(variant=Variant(stages=(Stage(heads={"affs": head}),)))
    missing = run.dataset.train[0].derive(path="nowhere.zarr")
    with pytest.raises(ValueError, match=says):
        train(run.derive(dataset={"train": (missing,)}), progress=False)


def test_a_connectivity_of_other_axes_is_refused_where_it_is_written(tmp_path) -> None:
    loss = Supervoxel(connectivity=8)
    flat = run_of(tmp_path, "aff", dims="2d")
    for given in (loss, Malis(dense=loss)):
        variant = Variant(stages=(Stage(heads={"affs": Head(target=Affinities(), loss=given)}),))
        assert flat.derive(variant=variant)
        with pytest.raises(ValueError, match=r"connectivity: 8 does not exist in 3D; allowed: 6, "):
            run_of(tmp_path, "aff").derive(variant=variant)


@pytest.mark.parametrize("variant", ["malis", "supervoxel"])
def test_logits_that_are_not_finite_stop_training_with_the_last_checkpoint(
    tmp_path, variant
) -> None:
    run = run_of(
        tmp_path, variant, learning_rate=1e30, iterations=9, checkpoint_every=1, validate_every=0
    )
    with pytest.raises(
        NotFiniteError,
        match=r"(nan|inf|train) .*in iteration \d; training has stopped.*iteration_0000000\d\.pt",
    ):
        train(run, progress=False)
