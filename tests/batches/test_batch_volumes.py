"""Which volumes are trained on, where in them, and which are refused."""

import numpy as np
import pytest
from batch_making import AFFS, FULL, SIZE, batches, config, make_volume, volume
from funlib.geometry import Roi

from lsd import spec
from lsd.batches.pipeline import Batches
from lsd.spec import Head
from lsd.volumes.create import create_array


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    make_volume(folder / "one.zarr")
    make_volume(folder / "two.zarr", seed=1)
    return folder


@pytest.mark.slow
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


def test_beyond_the_truth_nothing_is_known(root):
    """Region 0:10 of 40 sections: the output holds unknown sections, never more than half of
    them."""
    small = volume(region="100:110, :, :")
    seen = batches(config(root, volumes=(small,), min_masked=0.5), 12)
    known = [(batch.weights["affs"][0, 1] > 0).mean() for batch in seen]
    assert min(known) < 0.9
    assert min(known) > 0.4
    for batch in seen:
        labels, inside = batch.labels[0, 0], batch.known[0, 0]
        np.testing.assert_array_equal(batch.weights["lsds"][0, 0] > 0, (labels > 0) & inside)
        # neurons go on beyond, as in a mirror
        assert (labels > 0).all()
        assert np.isfinite(batch.raw).all()
        assert len(np.unique(batch.raw)) > 3


@pytest.mark.slow
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
