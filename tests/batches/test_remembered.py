import h5py
import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.arrays.memory import Memory
from lsd.batches.sources import chunk_memory
from lsd.batches.sources.chunk_memory import Remembered, budget, warn_of_large, with_memory
from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.source import Source
from lsd.volumes.volume import open_volume

DATA = np.random.default_rng(0).integers(0, 256, (21, 22, 23)).astype(np.uint8)
ROI = Roi((5, -6, 7), DATA.shape)
ROIS = [ROI, Roi((5, -6, 7), (1, 1, 1)), Roi((11, 3, 9), (9, 8, 17)), Roi((25, 15, 29), (1, 1, 1))]


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    path = tmp_path_factory.mktemp("volumes") / "one.zarr"
    create_array(
        path, "raw", roi=ROI, voxel_size=(1, 1, 1), dtype=np.uint8, chunks=(8, 9, 10)
    ).write(DATA, ROI)
    labels = DATA.astype(np.uint64) + np.uint64(2**60)
    create_array(
        path, "labels", roi=ROI, voxel_size=(1, 1, 1), dtype=np.uint64, chunks=(8, 9, 10)
    ).write(labels, ROI)
    return path


@pytest.mark.parametrize("size", [0, 5000, 6000, 1 << 20])
def test_it_reads_what_the_source_reads(container, size):
    volume = open_volume(
        Volume(path=str(container), raw="raw", labels="labels"),
        name="one",
        data_root=container.parent,
    )
    kept = with_memory(volume, Memory(size))
    for roi in [*ROIS, *ROIS, Roi((-3, -10, 0), (40, 41, 42))]:
        np.testing.assert_array_equal(kept.read_raw(roi), volume.read_raw(roi))
        for one, other in zip(kept.read_truth(roi), volume.read_truth(roi), strict=True):
            np.testing.assert_array_equal(one, other)


def test_axes_of_one_are_dropped_and_channels_kept(container):
    source = Source(container, "raw/0")
    kept = Remembered(source, Memory())
    for slices in (
        (0, slice(None), slice(3, 20)),
        (slice(None), 21, 22),
        (slice(2, 3), slice(None), slice(None)),
    ):
        np.testing.assert_array_equal(kept.read(slices), source.read(slices))


def test_each_chunk_is_read_once(container, monkeypatch):
    read = []
    original = Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(slices) or original(self, slices)
    )
    kept = Remembered(Source(container, "raw/0"), Memory())
    for _ in range(3):
        kept.read((slice(0, 21), slice(0, 22), slice(0, 23)))
    assert len(read) == 3 * 3 * 3


def test_memory_forgets_what_was_used_longest_ago():
    memory, made = Memory(20), []

    def get(key):
        return memory.get(key, lambda: made.append(key) or np.zeros(10, np.uint8))

    for key in "abacab":
        get(key)
    assert made == ["a", "b", "c", "b"]


def test_what_is_read_may_be_changed(container):
    kept = Remembered(Source(container, "raw/0"), Memory())
    whole = (slice(0, 21), slice(0, 22), slice(0, 23))
    kept.read(whole)[:] = 0
    np.testing.assert_array_equal(kept.read(whole), open_array(container, "raw").read(ROI))


@pytest.fixture(scope="module")
def coarse(tmp_path_factory):
    """Chunks of 2640 voxels, of which labels take eight times the bytes; an HDF5 file that is in
    one piece."""
    folder = tmp_path_factory.mktemp("coarse")
    for name, data in (("raw", DATA), ("labels", DATA.astype(np.uint64))):
        array = create_array(
            folder / "one.zarr",
            name,
            roi=ROI,
            voxel_size=(1, 1, 1),
            dtype=data.dtype,
            chunks=(11, 12, 20),
        )
        array.write(data, ROI)
    with h5py.File(folder / "one.h5", "w") as file:
        file.create_dataset("raw", data=DATA).attrs["resolution"] = (1, 1, 1)
    return folder


def _opened(folder, path="one.zarr", **options):
    return open_volume(Volume(path=path, raw="raw", **options), name="one", data_root=folder)


def test_chunks_of_any_size_are_read_once_where_they_fit(coarse, monkeypatch):
    """Those of labels take 21 kB each, eight of them."""
    read, original = [], Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(self.name) or original(self, slices)
    )
    size = 8 * 11 * 12 * 20 * 8
    kept = with_memory(_opened(coarse, labels="labels"), Memory(size))
    for _ in range(3):
        kept.read_truth(ROI)
    assert read == ["labels/0"] * 8
    read.clear()
    small = with_memory(_opened(coarse, labels="labels"), Memory(11 * 12 * 20 * 8 - 1))
    for _ in range(3):
        small.read_truth(ROI)
    assert read == ["labels/0"] * 3  # not kept, so read as it is asked for


def test_more_is_kept_where_chunks_are_large(coarse, monkeypatch):
    """All 16 chunks of both arrays, 2640 and 21120 bytes each, if half of what is free holds them
    for every process."""
    monkeypatch.setattr(chunk_memory, "MEMORY", 10_000)
    volume = _opened(coarse, labels="labels")
    assert budget([volume], processes=1, free=1 << 40) == 10_000
    monkeypatch.setattr(chunk_memory, "LARGE", 20_000)
    assert budget([volume], processes=3, free=1 << 40) == 10_000 + 8 * 21120
    monkeypatch.setattr(chunk_memory, "SEVERAL", 3)
    assert budget([volume, volume], processes=3, free=1 << 40) == 10_000 + 6 * 21120
    assert budget([volume], processes=3, free=120_000) == 20_000
    assert (
        budget([volume], processes=3, free=12_000)
        == budget([volume], processes=3, free=None)
        == 10_000
    )


def test_large_chunks_that_do_not_fit_are_told(coarse, monkeypatch, caplog):
    monkeypatch.setattr(chunk_memory, "LARGE", 20_000)
    volume = _opened(coarse, labels="labels")
    warn_of_large([volume], 8 * 21120)
    assert not caplog.messages
    warn_of_large([volume], 8 * 21120 - 1)
    (told,) = caplog.messages
    assert "one.zarr:labels lies in chunks of 11x12x20 voxels, 0 MB each" in told
    assert "fewer train.workers" in told


def test_what_lies_in_one_piece_is_no_chunk(coarse, monkeypatch, caplog):
    """Of an HDF5 file without chunks any part is read by itself, so nothing is to be told, or read
    as a whole."""
    monkeypatch.setattr(chunk_memory, "LARGE", 1000)
    volume = _opened(coarse, "one.h5")
    warn_of_large([volume], 1)
    assert not caplog.messages
    read, original = [], Source.read
    monkeypatch.setattr(
        Source, "read", lambda self, slices: read.append(slices) or original(self, slices)
    )
    part = Roi((2, 3, 4), (5, 6, 7))
    np.testing.assert_array_equal(
        with_memory(volume, Memory()).raw.read(part), DATA[part.to_slices()]
    )
    assert read == [part.to_slices()]
