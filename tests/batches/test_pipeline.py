import logging

import numpy as np
import pytest
from batch_making import (
    AFFS,
    FULL,
    IDS,
    LSDS,
    SIZE,
    assert_same,
    batches,
    config,
    make_volume,
    place,
    volume,
)
from funlib.geometry import Roi
from scipy.ndimage import maximum_filter, minimum_filter

from lsd import spec
from lsd.spec import Head, Train
from lsd.targets import target
from lsd.volumes.create import create_array


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    make_volume(folder / "one.zarr")
    make_volume(folder / "two.zarr", seed=1)
    return folder


def test_without_augmentation_batches_are_crops(root):
    arrays = make_volume(root / "crop.zarr", seed=3)
    for batch in batches(config(root, volumes=(volume("crop.zarr"),), min_masked=1.0), 4):
        assert batch.raw.shape == (1, 1, 20, 20, 20)
        assert (batch.raw.dtype, batch.labels.dtype) == (np.float32, np.uint64)
        crop = place(arrays, batch.labels[0, 0], 4)
        if all(
            s.start >= 0 and s.stop <= n for s, n in zip(crop, arrays["raw"].shape, strict=True)
        ):
            np.testing.assert_allclose(batch.raw[0, 0], arrays["raw"][crop] / 127.5 - 1, atol=1e-6)


def test_targets_are_those_of_the_whole_volume(root):
    """Whose neurons go on beyond its border, where nothing is known, as in a mirror."""
    arrays = make_volume(root / "whole.zarr", seed=4)
    labels, far, crops = arrays["labels"], 12, 0
    mirrored = np.pad(labels, far, mode="reflect")
    inside = tuple(slice(far, far + n) for n in labels.shape)
    known = np.pad(np.ones_like(labels), far)
    for batch in batches(config(root, volumes=(volume("whole.zarr"),), min_masked=1.0), 4):
        crop = place(arrays, batch.labels[0, 0], 0)
        for name, head in (("affs", AFFS), ("lsds", LSDS)):
            values, mask = (
                whole[:, *inside]
                for whole in target.compute(head.target, mirrored, voxel_size=SIZE, known=known)
            )
            np.testing.assert_allclose(batch.targets[name][0], values[:, *crop], atol=2e-5)
            np.testing.assert_array_equal(batch.weights[name][0] > 0, mask[:, *crop])
            assert batch.targets[name].dtype == batch.weights[name].dtype == np.float32
        crops += 1
    assert crops == 4


def test_weights_say_what_is_known_and_the_loss_balances(root):
    """Also of a head whose loss balances: that is a matter of the whole batch."""
    for batch in batches(config(root, batch_size=2), 2):
        assert all(set(np.unique(weights)) <= {0, 1} for weights in batch.weights.values())
        assert batch.known.dtype == np.bool_
        assert batch.known.shape == batch.labels.shape == (2, 1, 12, 12, 12)
        assert batch.voxel_size == SIZE
        # label 0 is what descriptors do not learn from; elsewhere all that is known is learned
        np.testing.assert_array_equal(
            batch.weights["lsds"][:, :1] > 0, batch.known & (batch.labels > 0)
        )


@pytest.mark.parametrize("augment", [(), FULL], ids=["plain", "full"])
def test_a_batch_follows_from_seed_and_number(root, augment):
    made = config(
        root, volumes=(volume(), volume("two.zarr", weight=2)), augment=augment, batch_size=2
    )
    first = batches(made, 4)
    assert [batch.index for batch in first] == [0, 1, 2, 3]
    for one, again in zip(first[2:], batches(made, 2, start=2), strict=True):
        assert_same(one, again)
    assert len({batch.raw.tobytes() for batch in first}) == 4
    assert first[0].raw[0].tobytes() != first[0].raw[1].tobytes()
    other = batches(
        config(root, volumes=made.dataset.train, augment=augment, batch_size=2, seed=1), 1
    )
    assert other[0].raw.tobytes() != first[0].raw.tobytes()


@pytest.mark.slow
def test_workers_make_the_same_batches(root):
    made = config(root, augment=FULL)
    alone = batches(made, 4)
    crew = made.derive(train=Train(workers=2))
    for one, other in zip(alone[1:], batches(crew, 3, start=1), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    "augment",
    [(spec.Simple(),), FULL[:3], (spec.Simple(), spec.GrowBoundary(steps=2))],
    ids=["simple", "full", "grown"],
)
def test_targets_belong_to_the_augmented_labels(root, augment):
    """Affinities of the labels of a batch are its targets, wherever both voxels are in it."""
    for batch in batches(config(root, augment=augment, heads={"affs": AFFS}, batch_size=2), 4):
        for labels, affs, weights in zip(
            batch.labels[:, 0], batch.targets["affs"], batch.weights["affs"], strict=True
        ):
            values, mask = target.compute(AFFS.target, labels, voxel_size=SIZE)
            both = mask & (weights > 0)
            assert both.any()
            np.testing.assert_array_equal(affs[both], values[both])


@pytest.mark.parametrize("augment", [(spec.Simple(),), FULL[:2]], ids=["simple", "full"])
def test_raw_is_augmented_with_the_labels(root, augment):
    """Raw is a function of the label here; interpolation changes it next to another only."""
    for batch in batches(config(root, augment=augment), 4):
        labels, raw = batch.labels[0, 0], batch.raw[0, 0, 4:-4, 4:-4, 4:-4]
        assert set(np.unique(labels)) <= {0, *IDS.tolist()}
        expected = ((labels * np.uint64(37)) % np.uint64(251)).astype(np.float32) / 127.5 - 1
        inside = (minimum_filter(labels, 3) == maximum_filter(labels, 3)) & (labels > 0)
        inside = inside[1:-1, 1:-1, 1:-1]
        assert inside.mean() > 0.05
        np.testing.assert_allclose(
            raw[1:-1, 1:-1, 1:-1][inside], expected[1:-1, 1:-1, 1:-1][inside], atol=1e-3
        )


def test_a_mask_target_reads_the_array_of_its_name(root):
    made = config(
        root,
        volumes=(volume(arrays={"mitochondria": "mito"}),),
        augment=(spec.Simple(),),
        heads={"mito": Head(target=spec.Mask(array="mitochondria")), "affs": AFFS},
    )
    for batch in batches(made, 3):
        raw = (batch.raw[0, 0, 4:-4, 4:-4, 4:-4] + 1) * 127.5
        known = batch.known[0, 0]
        np.testing.assert_array_equal(batch.targets["mito"][0, 0][known], (raw > 200.5)[known])


@pytest.mark.parametrize("augment", [(), FULL[:3]], ids=["plain", "full"])
def test_objects_of_another_array_go_on_beyond_the_border_as_labels_do(root, augment):
    targets = {"lsds": LSDS.target, "same": LSDS.target.derive(array="again")}
    made = config(
        root,
        volumes=(volume(arrays={"again": "labels"}),),
        heads={name: Head(target=each) for name, each in targets.items()},
        augment=augment,
    )
    for batch in batches(made, 4):
        assert (batch.weights["lsds"] > 0).any()
        np.testing.assert_array_equal(batch.targets["same"], batch.targets["lsds"])


@pytest.mark.parametrize(
    "augment", [(), (spec.Simple(),), FULL[:3]], ids=["plain", "turned", "full"]
)
def test_the_only_channel_of_another_array_is_what_it_holds(root, augment):
    """Its axis was taken for z where voxels are moved, and so other voxels were learned."""
    arrays = make_volume(root / "channel.zarr", seed=6)
    roi = Roi((100, -20, 7), arrays["mito"].shape)
    for count in (1, 2):
        stacked = np.stack([arrays["mito"]] * count)
        create_array(
            root / "channel.zarr",
            f"stack{count}",
            roi=roi,
            voxel_size=SIZE,
            dtype=np.uint8,
            channels=count,
        ).write(stacked, roi)
    names = {"mito": "mito", "one": "stack1", "two": "stack2"}

    def learned(*heads):
        return config(
            root,
            volumes=(volume("channel.zarr", arrays=names),),
            heads={name: Head(target=spec.Mask(array=name)) for name in heads},
            augment=augment,
        )

    for batch in batches(learned("mito", "one"), 3):
        assert batch.targets["mito"].any()
        np.testing.assert_array_equal(batch.targets["one"], batch.targets["mito"])
    with pytest.raises(
        ValueError, match=r"volume 'channel_train'.*stack2.* has 2 channels; one is needed"
    ):
        batches(learned("two"), 1)


def test_two_dimensional_networks_get_sections(root):
    heads = {"affs": Head(target=spec.Affinities()), "lsds": LSDS}
    made = config(root, augment=FULL, heads=heads, dims=2, batch_size=2)
    for batch in batches(made, 3, raw=(24, 26), output=(12, 14)):
        assert batch.raw.shape == (2, 1, 24, 26)
        assert batch.labels.shape == (2, 1, 12, 14)
        assert batch.targets["affs"].shape == batch.weights["affs"].shape == (2, 2, 12, 14)
        assert batch.targets["lsds"].shape == (2, 6, 12, 14)
        assert (batch.targets["lsds"] > 0).any()


def test_two_dimensional_batches_without_augmentation_are_crops(root):
    arrays = make_volume(root / "flat.zarr", seed=9)
    made = config(
        root,
        volumes=(volume("flat.zarr"),),
        heads={"affs": Head(target=spec.Affinities())},
        dims=2,
        min_masked=1.0,
    )
    for batch in batches(made, 3, raw=(12, 14), output=(12, 14)):
        views = np.lib.stride_tricks.sliding_window_view(arrays["raw"], (1, 12, 14))
        found = np.argwhere(
            (views == np.round((batch.raw[0, 0] + 1) * 127.5)).all(axis=(-3, -2, -1))
        )
        z, y, x = found[0]
        np.testing.assert_array_equal(
            batch.labels[0, 0], arrays["labels"][z, y : y + 12, x : x + 14]
        )


def test_the_pipeline_is_silent(root, caplog):
    with caplog.at_level(logging.WARNING):
        batches(config(root, augment=FULL), 1)
    assert not caplog.records
