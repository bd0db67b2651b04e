"""Heads of objects from training to predictions: stopped, gone on with, validated, predicted; of
labels, and of another array of the volume beside them."""

import numpy as np
import pytest
from checkpointed import resumed_as_straight
from funlib.geometry import Roi
from tiny_run import (
    AFFS,
    AROUND,
    INSTANCES,
    OBJECTS,
    SHAPE,
    VARIANTS,
    VOXEL_SIZE,
    config,
)

from lsd.cli.survey.training import survey
from lsd.prediction.run import predict
from lsd.spec import (
    Bce,
    Boundary,
    CrossEntropy,
    Dice,
    Foreground,
    Head,
    Malis,
    Mse,
    Occupancy,
    Semantic,
    SignedDistance,
    Stage,
    Supervoxel,
    Variant,
)
from lsd.spec.paths import run_folder
from lsd.targets.target import target_kind
from lsd.training.loop import train
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

FULL = {
    "iterations": 4,
    "checkpoint_every": 2,
    "keep": 9,
    "batch_size": 2,
    "validate_every": 4,
    "snapshot_every": 3,
}
CLASSES = Head(target=Semantic(classes=(1, 2), array="kinds"), loss=CrossEntropy(balance=True))
BESIDE = {
    "affs": AFFS,
    "lov": AROUND.derive(target={"array": "kinds"}),
    "kinds": CLASSES,
    "dice": CLASSES.derive(loss=Dice(channel_weights=(1, 2, 2))),
}


def one(**heads):
    return Variant(stages=(Stage(heads=heads),))


def run_of(folder, variant, **settings):
    base = config(folder, **(FULL | settings))
    test = base.dataset.validate[0].derive(name="cells")
    return base.derive(
        variant=variant,
        dataset={"test": (test,)},
        predict={"volumes": "test", "checkpoint": "latest", "augment": "flips"},
    )


def write_kinds(folder) -> None:
    """Of each cell, whether it is a neuron or one of two kinds of organelles."""
    path, roi = folder / "tiny.zarr", Roi((0, 0, 0), SHAPE)
    labels = open_array(path, "labels").read(roi)
    kinds = create_array(path, "kinds", roi=roi, voxel_size=VOXEL_SIZE, dtype=np.uint8)
    kinds.write((labels % 3).astype(np.uint8), roi)


def with_kinds(run):
    """The run, with that array in each volume."""
    parts = {
        part: tuple(
            volume.derive(arrays={"kinds": "kinds"}) for volume in getattr(run.dataset, part)
        )
        for part in ("train", "validate", "test")
    }
    return run.derive(dataset=parts)


@pytest.mark.parametrize("dims", ["2d", "3d"])
@pytest.mark.parametrize("name", ["lov_foreground", "lov_instance", "objects"])
def test_from_training_to_predictions(tmp_path, monkeypatch, name, dims) -> None:
    """Stopped and gone on with, weights are those of a run that was not; what is predicted says
    what its channels are."""
    straight, broken = (
        run_of(tmp_path, VARIANTS[name], name=run, dims=dims) for run in ("straight", "broken")
    )
    content = resumed_as_straight(straight, broken, monkeypatch)
    assert content["iteration"] == 4
    assert set(content["best"]["losses"]) == set(VARIANTS[name].heads())
    [container] = predict(broken, progress=False)
    for head, told in VARIANTS[name].heads().items():
        kind, values = target_kind(told.target), open_array(container, head)
        axes = 2 if dims == "2d" else 3
        assert values.channels == kind.channels(axes)
        assert np.ptp(values.read(values.roi)) > 0
        record = values.source.handle.attrs
        assert record["prediction"]["values"] == [kind.activation.low, kind.activation.high]
        for written, offsets in kind.attributes(axes, axes=3).items():
            assert record[written] == offsets


def test_probabilities_of_classes_add_up_to_one(tmp_path) -> None:
    run = run_of(tmp_path, one(cells=OBJECTS["cells"]), validate_every=0)
    train(run, progress=False)
    [container] = predict(run.derive(predict={"dtype": "float32"}), progress=False)
    cells = open_array(container, "cells")
    np.testing.assert_allclose(cells.read(cells.roi).sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("dims", ["2d", "3d"])
def test_a_volume_teaches_neurons_and_other_objects_at_once(tmp_path, monkeypatch, dims) -> None:
    runs = [
        run_of(tmp_path, one(**BESIDE), name=name, dims=dims) for name in ("straight", "broken")
    ]
    write_kinds(tmp_path)
    straight, broken = map(with_kinds, runs)
    assert resumed_as_straight(straight, broken, monkeypatch)["iteration"] == 4
    [container] = predict(broken, progress=False)
    for head in BESIDE:
        values = open_array(container, head)
        assert np.ptp(values.read(values.roi)) > 0


def test_an_array_that_volumes_lack_is_asked_for(tmp_path) -> None:
    run = run_of(tmp_path, one(**BESIDE))
    with pytest.raises(ValueError, match=r"has no array 'kinds'; .*arrays=\{'kinds': "):
        train(run, progress=False)


def test_an_array_that_validation_lacks_is_asked_for_before_training(tmp_path) -> None:
    run = run_of(tmp_path, one(kinds=CLASSES))
    write_kinds(tmp_path)
    run = with_kinds(run).derive(dataset={"validate": run.dataset.validate})
    with pytest.raises(ValueError, match=r"has no array 'kinds'; .*arrays=\{'kinds': "):
        train(run, progress=False)
    assert not list(run_folder(run).rglob("*.pt"))


def test_a_dry_run_tries_it(tmp_path) -> None:
    told = "\n".join(survey(run_of(tmp_path, VARIANTS["objects"]), False))
    assert "cells (21 channels)" in told
    assert "head distance: known at" in told


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (AROUND.derive(loss=Bce(channel_weights=(1, 2))), "channel_weights has 2 entries, the tar"),
        (INSTANCES.derive(loss=Dice(channel_weights=(1, 2))), "entries, the target 16 channels"),
        (CLASSES.derive(loss=CrossEntropy(class_weights=(1,))), "class_weights has 1 entries"),
        (
            INSTANCES.derive(loss=Malis(dense=Mse(channel_weights=(1, 2)))),
            "channel_weights has 2 entries, the target 16 channels",
        ),
        (CLASSES.derive(loss=Bce()), "loss 'bce' learns each channel by itself, and those of 'sem"),
        (
            Head(target=Boundary(), loss="cross_entropy"),
            "take the target 'semantic', or loss",
        ),
        (Head(target=SignedDistance(), loss=Bce()), "another activation than a sigmoid; take loss"),
        (
            Head(target=Occupancy(array="mito"), loss=Malis()),
            "'malis' goes by the labels, and the target is about the objects of array 'mito'",
        ),
        (
            Head(target=Foreground(array="mito"), loss=Supervoxel()),
            "take the target 'foreground'",
        ),
        (Head(target=Occupancy(mode="foreground"), loss=Malis()), "'occupancy' is none of them"),
    ],
)
def test_what_does_not_fit_is_refused_before_data_are_opened(tmp_path, head, says) -> None:
    run = run_of(tmp_path, one(a=head))
    missing = run.dataset.train[0].derive(path="nowhere.zarr")
    with pytest.raises(ValueError, match=says):
        train(run.derive(dataset={"train": (missing,)}), progress=False)


def test_what_fits_a_head_of_classes(tmp_path) -> None:
    for loss in (Mse(), Dice(), CrossEntropy(class_weights=(1, 2, 0.5))):
        run = run_of(tmp_path, one(kinds=CLASSES.derive(loss=loss)), validate_every=0)
        missing = run.dataset.train[0].derive(path="nowhere.zarr")
        with pytest.raises(ValueError, match=r"nowhere\.zarr"):
            train(run.derive(dataset={"train": (missing,)}), progress=False)
