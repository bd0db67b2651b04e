import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.spec import Volume
from lsd.training.nodes.remembered import Memory, Remembered, remember
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
    create_array(path, "raw", roi=ROI, voxel_size=(1, 1, 1), dtype=np.uint8, chunks=(8, 9, 10)).write(DATA, ROI)
    labels = DATA.astype(np.uint64) + np.uint64(2**60)
    create_array(path, "labels", roi=ROI, voxel_size=(1, 1, 1), dtype=np.uint64, chunks=(8, 9, 10)).write(labels, ROI)
    return path


@pytest.mark.parametrize("size", [0, 5000, 6000, 1 << 20])
def test_it_reads_what_the_source_reads(container, size):
    volume = open_volume(Volume(path=str(container), raw="raw", labels="labels"), name="one", data_root=container.parent)
    kept = remember(volume, Memory(size))
    for roi in [*ROIS, *ROIS, Roi((-3, -10, 0), (40, 41, 42))]:
        np.testing.assert_array_equal(kept.read_raw(roi), volume.read_raw(roi))
        for one, other in zip(kept.read_truth(roi), volume.read_truth(roi), strict=True):
            np.testing.assert_array_equal(one, other)


def test_axes_of_one_are_dropped_and_channels_kept(container):
    source = Source(container, "raw/0")
    kept = Remembered(source, Memory())
    for slices in ((0, slice(None), slice(3, 20)), (slice(None), 21, 22), (slice(2, 3), slice(None), slice(None))):
        np.testing.assert_array_equal(kept.read(slices), source.read(slices))


def test_each_chunk_is_read_once(container, monkeypatch):
    read = []
    original = Source.read
    monkeypatch.setattr(Source, "read", lambda self, slices: read.append(slices) or original(self, slices))
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
