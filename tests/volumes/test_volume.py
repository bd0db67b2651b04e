"""Volumes of a dataset: raw and truth that fit together, or a sentence that says why not."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from funlib.geometry import Roi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_volume import IDS, RAW, RNG, SHAPE, opened, save

from lsd.volumes.create import create_array
from lsd.volumes.label_checks import check_labels
from lsd.volumes.region import within

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.mark.parametrize("module", ["lsd.volumes.volume", "lsd.blockwise.running.worker"])
def test_what_every_process_of_blocks_loads_is_quick_to_load(module) -> None:
    heavy = {"numba", "scipy", "skimage", "torch"}
    code = f"import sys, {module}; sys.exit(bool({heavy} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reads_raw_labels_and_what_is_known(tmp_path) -> None:
    mask = RNG.integers(0, 2, SHAPE, dtype=np.uint8)
    save(tmp_path, raw=RAW, labels=IDS, mask=mask, mito=mask[None])
    volume = opened(
        tmp_path,
        labels="labels",
        labels_mask="mask",
        arrays={"mito": "mito"},
        unknown=int(IDS[4, 4, 4]),
    )
    assert (volume.voxel_size, volume.roi, volume.truth_roi) == (
        (5.24, 4, 4),
        Roi((0, 0, 0), SHAPE),
        Roi((0, 0, 0), SHAPE),
    )
    roi = Roi((-2, 3, 5), (6, 4, 12))
    raw = np.pad(RAW, ((2, 0), (0, 0), (0, 5)), mode="reflect")[:6, 3:7, 5:17]
    found = volume.read_raw(roi)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, raw.astype(np.float32) / np.float32(255))
    labels = np.pad(IDS, ((2, 0), (0, 0), (0, 5)))[:6, 3:7, 5:17]
    np.testing.assert_array_equal(volume.read_labels(roi), labels)
    known = np.pad((mask > 0) & (IDS[4, 4, 4] != IDS), ((2, 0), (0, 0), (0, 5)))[:6, 3:7, 5:17]
    np.testing.assert_array_equal(volume.read_known(roi), known)
    np.testing.assert_array_equal(
        volume.read_array("mito", Roi((1, 1, 1), (2, 2, 2))), mask[None, 1:3, 1:3, 1:3]
    )
    with pytest.raises(ValueError, match="no array 'mitos'; its further arrays: mito; say where"):
        volume.read_array("mitos", roi)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.integers(-3, 11), st.integers(1, 9)), min_size=3, max_size=3))
def test_truth_outside_the_region_is_never_read(tmp_path, box) -> None:
    if not (tmp_path / "v.zarr").exists():
        save(tmp_path, raw=RAW, labels=IDS)
    volume = opened(tmp_path, labels="labels", region="2:5, :, 3:")
    roi = Roi([begin for begin, _ in box], [size for _, size in box])
    inside = np.zeros((30, 30, 30), bool)
    inside[12:15, 10:20, 13:22] = True
    inside = inside[tuple(slice(b + 10, b + 10 + n) for b, n in box)]
    labels, known = volume.read_truth(roi)
    np.testing.assert_array_equal(known, inside)
    assert not labels[~inside].any()
    assert volume.read_raw(Roi((0, 0, 0), SHAPE)).any(axis=(1, 2)).all()


def test_padded_raw_and_smaller_labels(tmp_path) -> None:
    save(tmp_path, offset={"raw": (0, 0, 0), "labels": (2, 3, 4)}, raw=RAW, labels=IDS[:3, :4, :5])
    with pytest.raises(
        ValueError, match=r"raw covers 0:8, 0:10, 0:12, labels 2:5, 3:7, 4:9 .*fit='intersect'"
    ):
        opened(tmp_path, labels="labels")
    volume = opened(tmp_path, labels="labels", fit="intersect")
    assert volume.roi == Roi((2, 3, 4), (3, 4, 5))
    np.testing.assert_array_equal(volume.read_labels(volume.roi), IDS[:3, :4, :5])
    np.testing.assert_array_equal(
        volume.read_raw(Roi((0, 0, 0), SHAPE)), RAW.astype("f4") / np.float32(255)
    )
    save(tmp_path, offset=(50, 0, 0), labels=IDS)
    with pytest.raises(ValueError, match="no voxel in common"):
        opened(tmp_path, labels="labels", fit="intersect")


def test_voxel_sizes_must_be_the_same(tmp_path) -> None:
    save(tmp_path, raw=RAW)
    save(tmp_path, labels=IDS, size=(5, 4, 4))
    with pytest.raises(
        ValueError, match=r"of raw is \(5.24, 4.0, 4.0\) nm, of labels \(5.0, 4.0, 4.0\)"
    ):
        opened(tmp_path, labels="labels", fit="intersect")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite(tmp_path, bad) -> None:
    raw = RNG.random(SHAPE).astype(np.float32) * 2 - 1
    raw[3, 4, 5] = bad
    save(tmp_path, raw=raw, labels=IDS)
    volume = opened(tmp_path, labels="labels", raw_range=(-1, 1))
    with pytest.raises(
        ValueError, match=r"volume 'one': .*raw holds .* at voxel \(3, 4, 5\).*invalid='mask'"
    ):
        volume.read_raw(Roi((2, 2, 2), (4, 4, 4)))
    volume.read_raw(Roi((0, 0, 0), (3, 4, 5)))
    masked = opened(tmp_path, labels="labels", raw_range=(-1, 1), invalid="mask")
    raw[3, 4, 5] = -1
    np.testing.assert_allclose(masked.read_raw(masked.roi), (raw + 1) / 2, atol=1e-7)
    known = np.ones(SHAPE, bool)
    known[3, 4, 5] = False
    np.testing.assert_array_equal(masked.read_known(masked.roi), known)


@pytest.mark.parametrize(
    ("dtype", "given", "low", "high"),
    [
        ("u2", (100, 60000), 100, 60000),
        ("i2", (-300, 300), -300, 300),
        ("f8", (0, 1), 0, 1),
        ("u1", (10, 90), 10, 90),
        ("u4", (0, 2**32 - 1), 0, 2**32 - 1),
    ],
)
def test_raw_is_scaled_as_told(tmp_path, dtype, given, low, high) -> None:
    raw = RNG.uniform(
        low - 9 if dtype != "u4" else low, high + (9 if dtype[1] != "4" else 0), SHAPE
    ).clip(0 if dtype[0] == "u" else None)
    raw = raw.astype(dtype)
    save(tmp_path, raw=raw)
    found = opened(tmp_path, raw_range=given).read_raw(Roi((0, 0, 0), SHAPE))
    np.testing.assert_allclose(
        found, ((raw.astype(float) - low) / (high - low)).clip(0, 1), atol=1e-6
    )
    if dtype != "u1":
        with pytest.raises(ValueError, match=r"raw is \w+; only uint8 .* raw_range="):
            opened(tmp_path)


@pytest.mark.parametrize(
    ("arrays", "spec", "says"),
    [
        ({"raw": np.stack([RAW, RAW])}, {}, "has 2 channels"),
        (
            {"raw": RAW, "labels": IDS.astype("f4")},
            {"labels": "labels"},
            "is float32; labels are integers",
        ),
        ({"raw": RAW}, {"raw_range": (3, 3)}, "single value"),
        ({"raw": RAW}, {"labels": "volumes/ids"}, "holds no array 'volumes/ids'; it holds: raw"),
        (
            {"raw": RAW},
            {"path": "w.zarr"},
            "there is no .*w.zarr; .* holds: v.zarr; relative paths start from /.*LSD_DATA",
        ),
        ({"raw": RAW}, {"path": "/no/w.zarr"}, "there is no /no/w.zarr; / holds: (?!.*LSD_DATA)"),
        (
            {"raw": RAW},
            {"labels": "w.zarr:ids"},
            r"there is no .*w.zarr; .*set data_root or \$LSD_DATA to the folder",
        ),
        (
            {"raw": RAW},
            {"region": "0:9"},
            "region 0:9, 0:10, 0:12 is not inside what there is, 0:8, 0:10, 0:12",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, arrays, spec, says) -> None:
    save(tmp_path, **arrays)
    with pytest.raises(ValueError, match=f"^volume 'one': .*{says}"):
        opened(tmp_path, **spec)


def test_negative_labels(tmp_path) -> None:
    ids = np.ones(SHAPE, np.int64)
    ids[1, 2, 3] = -1
    save(tmp_path, raw=RAW, labels=ids)
    volume = opened(tmp_path, labels="labels")
    assert volume.read_labels(Roi((2, 0, 0), (2, 2, 2))).dtype == np.uint64
    with pytest.raises(ValueError, match="negative label -1"):
        volume.read_labels(volume.roi)


def test_volumes_without_any_truth_are_refused(tmp_path) -> None:
    ids = np.zeros(SHAPE, np.uint64)
    save(tmp_path, raw=RAW, labels=ids, mask=np.ones(SHAPE, np.uint8))
    with pytest.raises(ValueError, match="empty or all background"):
        check_labels(opened(tmp_path, labels="labels"))
    ids[2, :5] = 7
    save(tmp_path, labels=ids)
    check_labels(opened(tmp_path, labels="labels"))
    for hidden in ({"unknown": 7}, {"region": "3:"}):
        with pytest.raises(ValueError, match="empty or all background"):
            check_labels(opened(tmp_path, labels="labels", **hidden))
    with pytest.raises(ValueError, match="has no labels"):
        check_labels(opened(tmp_path))


def test_volume_of_tiff_files_and_odd_names(tmp_path) -> None:
    tifffile.imwrite(tmp_path / "ra=w 1.tif", RAW, photometric="minisblack", compression="zlib")
    tifffile.imwrite(tmp_path / "a:b.tif", (IDS % 255).astype("u2"), photometric="minisblack")
    save(
        tmp_path,
        container="m\N{LATIN SMALL LETTER A WITH DIAERESIS}sk : x.zarr",
        mask=np.ones(SHAPE, np.uint8),
        size=(4, 4, 4),
    )
    volume = opened(
        tmp_path, path="ra=w 1.tif", raw="volumes/raw", labels="a:b.tif:", voxel_size=(4, 4, 4),
        labels_mask="m\N{LATIN SMALL LETTER A WITH DIAERESIS}sk : x.zarr:mask",
    )  # fmt: skip
    np.testing.assert_array_equal(volume.read_labels(volume.roi), IDS % 255)
    with pytest.raises(ValueError, match=r'holds a single array, without a name.*as in raw=""'):
        opened(
            tmp_path,
            path="ra=w 1.tif",
            raw="volumes/raw",
            labels="volumes/labels",
            voxel_size=(4, 4, 4),
        )
    with pytest.raises(ValueError, match=r"there is no .*other\.zarr"):
        opened(tmp_path, path="ra=w 1.tif", raw="", labels="other.zarr:x", voxel_size=(4, 4, 4))


def test_array_names_with_colons(tmp_path) -> None:
    save(tmp_path, raw=RAW, **{"ids:v=1 \N{GREEK SMALL LETTER MU}": IDS})
    volume = opened(tmp_path, labels="ids:v=1 \N{GREEK SMALL LETTER MU}")
    np.testing.assert_array_equal(volume.read_labels(volume.roi), IDS)


def test_two_dimensions(tmp_path) -> None:
    roi = Roi((2, -3), (10, 12))
    for name, data in (("raw", RAW[0]), ("ids", IDS[0])):
        create_array(tmp_path / "v.zarr", name, roi=roi, voxel_size=(4, 4), dtype=data.dtype).write(
            data, roi
        )
    volume = opened(tmp_path, labels="ids", region=":, -1:3")
    assert volume.roi == Roi((2, -1), (10, 4))
    np.testing.assert_array_equal(volume.read_labels(volume.roi), IDS[0][:, 2:6])
    assert volume.read_raw(roi).shape == (10, 12)


def test_is_cheap_to_send(tmp_path) -> None:
    save(tmp_path, raw=RAW, labels=IDS)
    volume = opened(tmp_path, labels="labels")
    sent = pickle.dumps(volume)
    assert len(sent) < 4000
    again = pickle.loads(sent)
    np.testing.assert_array_equal(again.read_labels(again.roi), IDS)


def test_regions_are_counted_from_the_origin() -> None:
    whole = Roi((10, -5, 0), (10, 10, 10))
    assert within((), whole) == whole
    assert within(((12, None), (None, 0)), whole) == Roi((12, -5, 0), (8, 5, 10))
    with pytest.raises(ValueError, match="not inside"):
        within(((0, 5),), whole)
    with pytest.raises(ValueError, match="not inside"):
        within(((None, 5),), whole)


@pytest.mark.faults
@pytest.mark.parametrize(("path", "region"), [("fib25.zarr", "200:250"), ("snemi3d.hdf", "60:70")])
def test_real_volumes(path, region) -> None:
    if not (DATA / path).exists():
        pytest.skip(f"{DATA / path} is not here")
    volume = opened(
        DATA,
        path=path,
        raw="volumes/raw",
        labels="volumes/labels/neuron_ids",
        region=region,
        unknown=0,
    )
    roi = Roi(volume.roi.begin, (10, 150, 150))
    labels, known = volume.read_truth(roi)
    np.testing.assert_array_equal(known, labels > 0)
    assert len(np.unique(labels)) > 3
    assert 0.2 < volume.read_raw(roi).mean() < 0.8
    assert known.mean() > 0.5


def test_of_many_files_those_are_named_first_that_may_have_been_meant(tmp_path) -> None:
    save(tmp_path, raw=RAW)
    for number in range(100):
        (tmp_path / f"{number}").touch()
    with pytest.raises(ValueError, match=r"there is no .*vv.zarr; .* holds: v.zarr, 0, 1, 10, "):
        opened(tmp_path, path="vv.zarr")
