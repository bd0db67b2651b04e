"""Augmentations that are defined outside of lsd: one of grey values, one of places, in batches that
workers make and in training."""

import dataclasses

import numpy as np
import pytest
from kinds_outside.augmentations import Gamma, Zoom
from outside_run import make_config
from scipy.ndimage import maximum_filter, minimum_filter

from lsd.batches.augmentations.augmentation import augmentation_kind, runs
from lsd.batches.pipeline import Batches
from lsd.network.checkpoints import checkpoint
from lsd.spec import Affinities, Elastic, Head, Noise, Simple, Stage, Variant
from lsd.spec.kinds import import_kinds
from lsd.training.loop import train

IMPORTS = ("kinds_outside.augmentations",)
import_kinds(IMPORTS)
VARIANT = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))


def batches(folder, *, dims=3, augment=(), workers=0, count=3):
    config = make_config(
        folder, VARIANT, dims=dims, imports=IMPORTS, augment=augment, workers=workers
    )
    with Batches(config, "main", (18,) * dims, (10,) * dims) as iterator:
        return [next(iterator) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("dims", [2, 3])
def test_workers_make_the_same_batches(tmp_path, dims) -> None:
    augment = (Elastic(jitter=(1, 1, 1)), Zoom(), Simple(), Gamma(), Noise())
    alone, crew = (
        batches(tmp_path, dims=dims, augment=augment, workers=workers) for workers in (0, 2)
    )
    for one, other in zip(alone, crew, strict=True):
        np.testing.assert_equal(dataclasses.asdict(one), dataclasses.asdict(other))


def test_grey_values_change_alone(tmp_path) -> None:
    still, root = Gamma(power=(1, 1)), Gamma(power=(0.5, 0.5))
    made = (batches(tmp_path, augment=(gamma,)) for gamma in (still, root))
    for plain, bright in zip(*made, strict=True):
        np.testing.assert_array_equal(plain.labels, bright.labels)
        expected = np.sqrt((plain.raw + 1) / 2) * 2 - 1
        np.testing.assert_allclose(bright.raw, expected, atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("with_others", [False, True])
def test_raw_and_labels_move_alike(tmp_path, dims, with_others) -> None:
    """Boxes of 9 voxels, one grey value each, are twice as large in a plane."""
    still = Elastic(rotation=(0, 0), subsample=4)
    augment = (still, Zoom(factor=(2, 2))) if with_others else (Zoom(factor=(2, 2)),)
    for batch in batches(tmp_path, dims=dims, augment=augment):
        labels = batch.labels[0, 0]
        grey = np.round((batch.raw[0, 0][(slice(4, -4),) * dims] + 1) * 127.5) // 20
        inside = minimum_filter(labels, 3) == maximum_filter(labels, 3)
        assert inside.mean() > 0.2
        np.testing.assert_array_equal(grey[inside], labels[inside])
        # no row of 10 voxels has more than one border where boxes are 18 wide
        assert (np.diff(labels.astype(int), axis=-1) != 0).sum(axis=-1).max() <= 1


def test_one_warp_holds_it_with_others() -> None:
    kinds = [augmentation_kind(one) for one in (Simple(), Zoom(), Elastic(), Gamma(), Zoom())]
    assert [len(run) for run in runs(kinds)] == [3, 1, 1]
    (nodes,) = (run[0].nodes(run, voxel_size=(8, 8, 8), flat=False) for run in runs(kinds)[:1])
    (node,) = nodes
    assert node.every == 8, "the finest of them"


@pytest.mark.slow
@pytest.mark.parametrize(("dims", "workers"), [(2, 0), (3, 2)])
def test_training_goes_on_where_it_was(tmp_path, dims, workers) -> None:
    augment = (Zoom(), Simple(), Gamma())
    whole = make_config(
        tmp_path, VARIANT, dims=dims, imports=IMPORTS, augment=augment, name="whole"
    )
    parts = whole.derive(name="parts", train={"workers": workers})
    train(parts.derive(train={"iterations": 1, "workers": 0}), progress=False)
    one, other = (checkpoint.load(train(run, progress=False))["model"] for run in (whole, parts))
    for name, weights in one.items():
        np.testing.assert_array_equal(weights.numpy(), other[name].numpy())
