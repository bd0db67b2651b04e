import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
from funlib.geometry import Roi
from scipy.ndimage import maximum_filter, minimum_filter

from lsd import spec
from lsd.batches.pipeline import Batches
from lsd.spec import Config, Dataset, Head, Loss, Network, Stage, Train, Variant, Volume
from lsd.targets import target
from lsd.volumes.create import create_array

SIZE = (8.0, 8.0, 8.0)
IDS = 2**53 + np.arange(1, 400, dtype=np.uint64)
AFFS = Head(
    target=spec.Affinities(neighborhood=((-1, 0, 0), (0, -1, 0), (0, 0, -2))),
    loss=Loss(balance=True),
)
LSDS = Head(target=spec.Descriptors(sigma=24.0))
FULL = (
    spec.Elastic(spacing=(8, 8, 8), isotropic=True),
    spec.Simple(),
    spec.Elastic(
        spacing=(8, 8, 8), jitter=(1, 1, 1), rotation=(0, 0), slip=0.1, shift=0.1, misalign=2
    ),
    spec.Contrast(widths=(3, 5)),
    spec.Intensity(),
    spec.Noise(),
    spec.Defects(),
    spec.GrowBoundary(),
)


def make_volume(
    path: Path,
    *,
    shape=(40, 44, 48),
    seed=0,
    zeros=False,
    mask=None,
    voxel_size=SIZE,
    offset=(100, -20, 7),
):
    rng = np.random.default_rng(seed)
    coarse = rng.choice(IDS, [-(-n // 6) for n in shape])
    labels = np.kron(coarse, np.ones((6, 6, 6), np.uint64))[tuple(slice(n) for n in shape)]
    roi = Roi(offset, shape)
    raw = ((labels * np.uint64(37)) % np.uint64(251)).astype(np.uint8)
    arrays = {
        "raw": raw,
        "labels": labels * np.uint64(not zeros),
        "mito": (raw > 200).astype(np.uint8),
    }
    if mask is not None:
        arrays["mask"] = mask.astype(np.uint8)
    for name, data in arrays.items():
        create_array(path, name, roi=roi, voxel_size=voxel_size, dtype=data.dtype).write(data, roi)
    return arrays


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    make_volume(folder / "one.zarr")
    make_volume(folder / "two.zarr", seed=1)
    return folder


def volume(path="one.zarr", **options):
    return Volume(**{"path": path, "raw": "raw", "labels": "labels", **options})


def config(root, *, volumes=None, augment=(), heads=None, dims=3, **train):
    heads = {"affs": AFFS, "lsds": LSDS} if heads is None else heads
    kernel = (3,) * dims
    trunk = spec.ResidualUNet(widths=(2,), factors=(), kernel=kernel)
    return Config(
        name="test",
        dataset=Dataset(train=(volume(),) if volumes is None else volumes, augment=augment),
        variant=Variant(stages=(Stage(heads=heads),)),
        network=Network(trunk=trunk, train_shape=(8,) * dims),
        train=Train(**{"workers": 0, **train}),
        data_root=str(root),
    )


def batches(made, count=3, *, raw=(20, 20, 20), output=(12, 12, 12), start=0):
    with Batches(made, "main", raw, output, start=start) as iterator:
        return [next(iterator) for _ in range(count)]


def assert_same(one, other):
    np.testing.assert_equal(dataclasses.asdict(one), dataclasses.asdict(other))


def place(arrays, labels, margin):
    """Where in the volume this crop of labels is from."""
    inside = arrays["labels"]
    found = [
        corner
        for corner in np.argwhere(inside == labels[0, 0, 0])
        if (
            inside[tuple(slice(c, c + n) for c, n in zip(corner, labels.shape, strict=True))].shape
            == labels.shape
        )
        and (
            inside[tuple(slice(c, c + n) for c, n in zip(corner, labels.shape, strict=True))]
            == labels
        ).all()
    ]
    assert len(found) == 1
    return tuple(
        slice(c - margin, c + n + margin) for c, n in zip(found[0], labels.shape, strict=True)
    )


def test_raw_smaller_than_a_sample_is_told_or_refused(root, caplog) -> None:
    """Volumes are 40x44x48: a sample as large as that is nothing to tell, one voxel more is, along
    one axis or all."""
    made = config(root, volumes=(volume(), volume("two.zarr")))
    batches(made, raw=(40, 44, 48), count=1)
    assert not caplog.messages
    (batch,) = batches(made, raw=(40, 45, 47), count=1)
    assert [text.partition(":")[0] for text in caplog.messages] == [
        f"training volume '{name}_train' has raw of 40x44x48 voxels, a sample takes 40x45x47"
        for name in ("one", "two")
    ]
    # what is beyond is there, and is no constant
    assert batch.raw.shape[2:] == (40, 45, 47)
    assert all(np.ptp(batch.raw[..., y, :]) > 0 for y in range(45))
    with pytest.raises(
        ValueError,
        match=(
            r"'one_train' has raw of 40x44x48.*takes 52x48x48; take a smaller network.train_shape"
        ),
    ):
        batches(config(root, small="refuse"), raw=(52, 48, 48), count=1)
    batches(config(root, small="refuse"), raw=(40, 44, 48), count=1)


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
    arrays = make_volume(root / "whole.zarr", seed=4)
    crops = 0
    for batch in batches(config(root, volumes=(volume("whole.zarr"),), min_masked=1.0), 4):
        crop = place(arrays, batch.labels[0, 0], 0)
        for name, head in (("affs", AFFS), ("lsds", LSDS)):
            values, mask = target.compute(head.target, arrays["labels"], voxel_size=SIZE)
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


def test_beyond_the_truth_nothing_is_known(root):
    """Region 0:10 of 40 sections: the output holds unknown sections, never more than half of
    them."""
    small = volume(region="100:110, :, :")
    seen = batches(config(root, volumes=(small,), min_masked=0.5), 12)
    known = [(batch.weights["affs"][0, 1] > 0).mean() for batch in seen]
    assert min(known) < 0.9
    assert min(known) > 0.4
    for batch in seen:
        labels = batch.labels[0, 0]
        np.testing.assert_array_equal(batch.weights["lsds"][0, 0] > 0, labels > 0)
        assert np.isfinite(batch.raw).all()
        assert len(np.unique(batch.raw)) > 3


@pytest.mark.parametrize("augment", [(), FULL], ids=["plain", "full"])
def test_enough_of_each_output_is_known(root, augment):
    mask = np.random.default_rng(0).random((5, 6, 6)) < 0.7
    make_volume(root / "masked.zarr", mask=np.kron(mask, np.ones((8, 8, 8)))[:40, :44, :48])
    made = config(
        root,
        volumes=(volume("masked.zarr", labels_mask="mask"),),
        augment=augment,
        heads={"size": Head(target=spec.Descriptors(sigma=8.0, background="zero"))},
        min_masked=0.6,
        batch_size=4,
    )
    for batch in batches(made, 3):
        known = batch.weights["size"][:, 0].mean(axis=(1, 2, 3))
        assert (known >= 0.6).all()
        assert (known < 1).any()


def test_volumes_are_drawn_by_weight(root):
    def which(batch):
        return bool(np.isin(batch.labels, ids_of_one).all())

    ids_of_one = np.unique(make_volume(root / "low.zarr", seed=7)["labels"])
    volumes = (volume("low.zarr", weight=3), volume("dark.zarr", weight=1))
    rng_roi = Roi((0, 0, 0), (20, 20, 20))
    for name in ("raw", "labels"):
        dtype = np.uint8 if name == "raw" else np.uint64
        data = (
            np.ones((20, 20, 20), dtype)
            if name == "labels"
            else np.arange(8000, dtype=np.uint32).reshape(20, 20, 20)
        )
        array = create_array(root / "dark.zarr", name, roi=rng_roi, voxel_size=SIZE, dtype=dtype)
        array.write((data % 251).astype(dtype), rng_roi)
    made = config(root, volumes=volumes, heads={"affs": AFFS}, min_masked=1.0)
    drawn = [which(batch) for batch in batches(made, 60, raw=(4, 4, 4), output=(4, 4, 4))]
    assert 33 < sum(drawn) < 57


def test_a_mask_target_reads_the_array_of_its_name(root):
    made = config(
        root,
        volumes=(volume(arrays={"mitochondria": "mito"}),),
        augment=(spec.Simple(),),
        heads={"mito": Head(target=spec.Mask(array="mitochondria")), "affs": AFFS},
    )
    for batch in batches(made, 3):
        raw = (batch.raw[0, 0, 4:-4, 4:-4, 4:-4] + 1) * 127.5
        np.testing.assert_array_equal(
            batch.targets["mito"][0, 0][batch.labels[0, 0] > 0],
            (raw > 200.5)[batch.labels[0, 0] > 0],
        )


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"volumes": ()}, "dataset.train is empty"),
        ({"volumes": (volume("zeros.zarr"),)}, "'zeros_train'.*background"),
        ({"volumes": (volume(labels=None),)}, "'one_train' has no labels"),
        ({"volumes": (volume(raw="flat"),)}, "'one_train': raw, .*flat, is one value everywhere"),
        (
            {"volumes": (volume(raw_range=(0, 1)),)},
            "'one_train': raw, .* becomes one value by its raw_range",
        ),
        (
            {"volumes": (volume(region="100:102"),)},
            r"'one_train': at most 16\.7% of an output \(12, 12, 12\)",
        ),
        (
            {"volumes": (volume(), volume("coarse.zarr"))},
            r"'one_train' and 'coarse_train' have voxel sizes",
        ),
        (
            {"volumes": (volume(),), "heads": {"m": Head(target=spec.Mask(array="mito"))}},
            "'one_train' has no array 'mito'",
        ),
    ],
)
def test_volumes_that_cannot_be_trained_on_are_refused_at_once(root, options, message):
    if not (root / "zeros.zarr").exists():
        make_volume(root / "zeros.zarr", zeros=True)
        make_volume(root / "coarse.zarr", voxel_size=(16.0, 8.0, 8.0))
        roi = Roi((100, -20, 7), (40, 44, 48))
        flat = create_array(root / "one.zarr", "flat", roi=roi, voxel_size=SIZE, dtype=np.uint8)
        flat.write(np.full(roi.shape, 128, np.uint8), roi)
    with pytest.raises(ValueError, match=message):
        Batches(config(root, **options), "main", (20, 20, 20), (12, 12, 12))


def test_a_place_that_is_not_there_is_an_error_at_the_start(root):
    mask = np.zeros((40, 44, 48), bool)
    mask[20, 20, 20] = True
    make_volume(root / "sparse.zarr", mask=mask)
    made = config(root, volumes=(volume("sparse.zarr", labels_mask="mask"),))
    message = (
        r"volume 'sparse_train': no output of 12x12x12 .*known to 0\.5 .*the best is to "
        r"0\.0005787: lower train\.min_masked"
    )
    with pytest.raises(ValueError, match=message):
        Batches(made, "main", (20, 20, 20), (12, 12, 12))


def test_the_pipeline_is_silent(root, caplog):
    with caplog.at_level(logging.WARNING):
        batches(config(root, augment=FULL), 1)
    assert not caplog.records
