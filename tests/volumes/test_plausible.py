"""Raw that is one value is found, black padding is not taken for it."""

import itertools
import json
import logging
import shutil

import h5py
import numpy as np
import pytest
import zarr
from funlib.geometry import Coordinate, Roi

from lsd.spec import Volume
from lsd.volumes import raw_checks
from lsd.volumes.array import open_array
from lsd.volumes.label_checks import check_labels
from lsd.volumes.raw_checks import check_raw
from lsd.volumes.source import Source
from lsd.volumes.stored_chunks import stored, why_unwritten
from lsd.volumes.volume import open_volume

SHAPE = (40, 50, 60)
EM = np.random.default_rng(0).integers(20, 230, SHAPE).astype(np.uint8)


def _save(folder, separator=".", **arrays):
    zarr.open_group(str(folder / "v.zarr"))
    for name, data in arrays.items():
        array = zarr.open_array(
            str(folder / "v.zarr" / name),
            mode="w",
            shape=data.shape,
            chunks=(16,) * data.ndim,
            dtype=data.dtype,
            dimension_separator=separator,
            fill_value=0,
            write_empty_chunks=False,
        )
        array[:] = data
        array.attrs.update(resolution=[8] * 3, offset=[80, 0, -16])


def _opened(folder, path="v.zarr", **options):
    return open_volume(Volume(path=path, **{"raw": "raw", **options}), name="v", data_root=folder)


def _renamed(folder, name, to):
    """Writes an array's chunks with one separator and says the other in its metadata, as writers
    have done."""
    metadata = folder / "v.zarr" / name / ".zarray"
    content = json.loads(metadata.read_text())
    content["dimension_separator"] = to
    metadata.write_text(json.dumps(content))


def test_usual_raw_passes_and_little_of_it_is_read(tmp_path, monkeypatch, caplog) -> None:
    _save(tmp_path, raw=np.tile(EM, (4, 3, 3)))
    read, original = [], Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(slices) or original(self, slices)
    )
    monkeypatch.setattr(raw_checks, "stored", None)  # files are not listed
    check_raw(_opened(tmp_path))
    assert len(read) <= raw_checks.FEW
    assert not caplog.messages


@pytest.mark.parametrize(("written", "said"), [("/", "."), (".", "/")])
def test_chunks_under_other_names_are_told(tmp_path, written, said) -> None:
    ids = np.ones(SHAPE, np.uint64)
    _save(tmp_path, written, raw=EM, labels=ids)
    for name in ("raw", "labels"):
        _renamed(tmp_path, name, said)
    volume = _opened(tmp_path, labels="labels")
    message = (
        rf'called \d.\d.\d where its \.zarray says \d.\d.\d: set "dimension_separator": "{written}"'
    )
    with pytest.raises(
        ValueError, match=rf"volume 'v': raw, .*raw, is one value everywhere in .*{message}"
    ):
        check_raw(volume)
    with pytest.raises(ValueError, match=rf"volume 'v': .*labels is empty.*{message}"):
        check_labels(volume)


def test_lost_chunks_are_told(tmp_path) -> None:
    _save(tmp_path, raw=EM)
    for file in (tmp_path / "v.zarr" / "raw").glob("[0-9]*"):
        file.unlink()
    with pytest.raises(
        ValueError, match=r"one value everywhere.*no chunk of .*raw is on disk: copy"
    ):
        check_raw(_opened(tmp_path))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        for name, chunks in (("raw", (16, 16, 16)), ("whole", None)):
            file.create_dataset(name, SHAPE, np.uint8, chunks=chunks).attrs["resolution"] = (
                8,
                8,
                8,
            )
    for name in ("raw", "whole"):
        with pytest.raises(
            ValueError, match=rf"one value everywhere.*nothing was ever written to .*v\.h5:{name}"
        ):
            check_raw(_opened(tmp_path, "v.h5", raw=name))


@pytest.mark.parametrize(
    ("raw", "options"),
    [
        (EM, {"raw_range": (0, 1)}),
        (
            np.where(np.arange(60) < 30, 0, EM),
            {"raw_range": (0, 1)},
        ),  # padding stays black, the rest is white
        (EM / np.float32(255), {"raw_range": (0, 255)}),
        (EM.astype(np.int16) - 500, {"raw_range": (0, 127)}),
        (EM.astype(np.uint16), {"raw_range": (0, 65535)}),
        (EM.astype(np.float64) * 1e6, {"raw_range": (0, 1)}),
    ],
    ids=["saturated", "padded", "dark", "below", "16 bits", "above"],
)
def test_ranges_that_leave_nothing_are_refused(tmp_path, raw, options) -> None:
    _save(tmp_path, raw=raw.astype(raw.dtype if raw.dtype.kind != "i" else np.int16))
    with pytest.raises(
        ValueError,
        match=(
            r"'v': raw, .* becomes one value by its raw_range: its values lie in .*set raw_range="
        ),
    ):
        check_raw(_opened(tmp_path, **options))


@pytest.mark.parametrize(
    ("raw", "options"),
    [
        (EM / np.float32(255), {"raw_range": (0, 1)}),
        (np.where(EM > 100, 255, 0).astype(np.uint8), {}),
        (np.where(EM > 100, 1, 0).astype(np.uint8), {"raw_range": (0, 1)}),
        (
            np.where(np.arange(60) < 50, np.float32(np.nan), EM),
            {"raw_range": (0, 255), "invalid": "mask"},
        ),
        (EM.astype(np.uint16) * 16, {"raw_range": (0, 65535)}),
    ],
    ids=["float", "binary", "zeros and ones", "not finite", "12 of 16 bits"],
)
def test_sound_raw_is_left_alone(tmp_path, raw, options, caplog) -> None:
    _save(tmp_path, raw=raw)
    check_raw(_opened(tmp_path, **options))
    assert not caplog.messages


def test_what_is_cut_off_is_told(tmp_path, caplog) -> None:
    _save(tmp_path, raw=EM)
    check_raw(_opened(tmp_path, raw_range=(100, 120)))
    (told,) = caplog.messages
    outside = ((EM < 100) | (EM > 120)).mean()
    assert int(told.split("%")[0].split()[-1]) == pytest.approx(100 * outside, abs=2)
    assert "raw_range is 100..120" in told


@pytest.mark.parametrize("fill", [0, 7])
@pytest.mark.parametrize("empty", [True, False], ids=["written", "left out"])
def test_a_speck_in_black_padding_is_found(tmp_path, fill, empty, monkeypatch) -> None:
    """Wherever it lies: in none of the parts that are looked at first."""
    monkeypatch.setattr(raw_checks, "SIDE", 2)
    zarr.open_group(str(tmp_path / "v.zarr"))
    for corner in ((1, 2, 3), (39, 49, 59), (7, 33, 20)):
        raw = np.full(SHAPE, fill, np.uint8)
        raw[tuple(slice(c, c + 1) for c in corner)] = 200
        array = zarr.open_array(
            str(tmp_path / "v.zarr" / "raw"), mode="w", shape=SHAPE, chunks=(16, 16, 16),
            dtype="u1", fill_value=fill,
            write_empty_chunks=empty,
        )  # fmt: skip
        array[:] = raw
        array.attrs["resolution"] = [8, 8, 8]
        check_raw(_opened(tmp_path))
        with pytest.raises(ValueError, match="one value everywhere"):
            check_raw(_opened(tmp_path, region=tuple((0, c) for c in corner)))


def test_parts_that_differ_from_each_other_are_no_one_value(tmp_path) -> None:
    _save(
        tmp_path,
        raw=np.kron(EM[:3, :4, :4], np.ones((16, 16, 16), np.uint8))[
            : SHAPE[0], : SHAPE[1], : SHAPE[2]
        ],
    )
    check_raw(_opened(tmp_path))


def test_more_than_can_be_looked_at_is_told_not_refused(tmp_path, monkeypatch, caplog) -> None:
    _save(tmp_path, raw=np.full(SHAPE, 9, np.uint8))
    monkeypatch.setattr(raw_checks, "LIMIT", 3 * 16**3)
    check_raw(_opened(tmp_path))
    assert "one value wherever it was looked at" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("separator", [".", "/"])
@pytest.mark.parametrize("form", ["zarr", "hdf5"])
def test_stored_are_the_chunks_that_were_written(tmp_path, form, separator) -> None:
    """Written are some chunks at random; their places are found, in voxels of the world."""
    rng = np.random.default_rng(0)
    chosen = [
        index for index in itertools.product(range(3), range(4), range(4)) if rng.random() < 0.3
    ]
    if form == "zarr":
        _save(tmp_path, separator, raw=np.zeros(SHAPE, np.uint8))
        data, container = zarr.open_array(str(tmp_path / "v.zarr" / "raw"), mode="r+"), "v.zarr"
    else:
        container = "v.h5"
        file = h5py.File(tmp_path / container, "w")
        data = file.create_dataset("raw", SHAPE, np.uint8, chunks=(16, 16, 16))
        data.attrs.update(resolution=[8, 8, 8], offset=[80, 0, -16])
    for z, y, x in chosen:
        data[16 * z : 16 * z + 16, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16] = 1
    if form == "hdf5":
        file.close()
    array = open_array(tmp_path / container, "raw")
    begins, shape = stored(array)
    assert shape == Coordinate(16, 16, 16)
    assert begins.tolist() == [[10 + 16 * z, 16 * y, 16 * x - 2] for z, y, x in chosen]
    assert why_unwritten(array) == ""
    for begin in begins.tolist():
        assert array.read(Roi(begin, shape).intersect(array.roi)).all()


def test_nothing_is_left_out_where_what_was_not_written_counts(tmp_path) -> None:
    """A mask whose fill value is 1 is known where it was never written; one without a fill value is
    damaged there."""
    for fill in (1, None):
        shutil.rmtree(tmp_path / "v.zarr", ignore_errors=True)
        zarr.open_group(str(tmp_path / "v.zarr"))
        array = zarr.open_array(
            str(tmp_path / "v.zarr" / "raw"),
            mode="w",
            shape=SHAPE,
            chunks=(16, 16, 16),
            dtype="u1",
            fill_value=fill,
        )
        array.attrs["resolution"] = [8, 8, 8]
        assert stored(open_array(tmp_path / "v.zarr", "raw")) is None


def test_truth_values_are_raw_too(tmp_path) -> None:
    _save(tmp_path, raw=EM > 100, empty=np.zeros(SHAPE, bool))
    volume = _opened(tmp_path, raw_range=(0, 1))
    check_raw(volume)
    np.testing.assert_array_equal(volume.read_raw(volume.roi), EM > 100)
    with pytest.raises(ValueError, match="is one value everywhere"):
        check_raw(_opened(tmp_path, raw="empty", raw_range=(0, 1)))
