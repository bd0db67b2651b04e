"""What the viewer is given of arrays, against the arrays; asked for as a browser asks."""

import itertools
import urllib.request

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.report.images import Image, level_of
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array

neuroglancer = pytest.importorskip("neuroglancer")

from lsd.report.viewer.layers import image_layer  # noqa: E402
from lsd.report.viewer.served import ServedArray, served  # noqa: E402
from lsd.report.viewer.state import first_state  # noqa: E402

VOXEL_SIZE = (40.0, 4.5, 4.0)


def image(folder, data, begin, of, *, channels=None, remainder=None):
    roi = Roi(begin, data.shape[-3:])
    create_array(
        folder / "a.zarr",
        "a",
        roi=roi,
        voxel_size=VOXEL_SIZE,
        dtype=data.dtype,
        channels=channels,
        remainder=remainder,
        labels=of == "labels",
        chunks=(4, 4, 4),
    ).write(data, roi)
    return Image("a", open_array(folder / "a.zarr", "a"), of, None)


def boxes(data, factor):
    """Each box of voxels that become one, counted from the begin of the data."""
    shape = [-(-n // f) for n, f in zip(data.shape, factor, strict=True)]
    for place in itertools.product(*map(range, shape)):
        yield (
            place,
            data[tuple(slice(i * f, (i + 1) * f) for i, f in zip(place, factor, strict=True))],
        )


@pytest.mark.parametrize("begin", [(0, 0, 0), (5, -3, 2), (4, 8, 2)])
@pytest.mark.parametrize("factor", [(1, 1, 1), (1, 2, 2), (2, 4, 2)])
def test_ids_of_any_scale(tmp_path, begin, factor) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (7, 9, 10)).astype(np.uint64) << np.uint64(40)
    array = ServedArray(image(tmp_path, labels, begin, "labels").array, "labels")
    whole = tuple(slice(0, -(-n // f)) for n, f in zip(labels.shape, factor, strict=True))
    found = array.coarser(whole, factor)
    assert found.dtype == np.uint64
    for place, box in boxes(labels, factor):
        ids, counts = np.unique(box, return_counts=True)
        assert found[place] == ids[counts == counts.max()].min()
    part = (slice(1, 3), slice(0, 2), slice(1, 2))
    np.testing.assert_array_equal(array.coarser(part, factor), found[part])


def test_a_crop_and_channels(tmp_path) -> None:
    values = np.random.default_rng(1).random((3, 6, 7, 8)).astype(np.float16)
    whole = image(tmp_path, values, (3, 1, 0), "values", channels=3)
    cropped = whole.array.cropped(Roi((4, 2, 1), (5, 6, 6)))
    array = ServedArray(cropped, "values")
    assert (array.shape, array.dtype) == ((3, 5, 6, 6), np.float32)
    part = (slice(1, 3), slice(0, 2), slice(2, 5), slice(1, 4))
    np.testing.assert_array_equal(array[part], values[1:3, 1:3, 3:6, 2:5].astype(np.float32))
    expected = values[:, 1:6, 1:7, 1:7].astype(np.float64)
    coarse = array.coarser((slice(0, 3), slice(0, 2), slice(0, 3), slice(0, 3)), (2, 2, 2))
    for channel in range(3):
        for place, box in boxes(expected[channel, :4], (2, 2, 2)):
            np.testing.assert_allclose(coarse[(channel, *place)], box.mean(), rtol=1e-2)


def test_levels_are_opened_once(tmp_path, monkeypatch) -> None:
    labels = np.ones((8, 8, 8), np.uint64)
    array = ServedArray(image(tmp_path, labels, (0, 0, 0), "labels").array, "labels")
    opened = []

    def noted(*arguments):
        opened.append(arguments)
        return level_of(*arguments)

    monkeypatch.setattr("lsd.report.viewer.served.level_of", noted)
    for _ in range(3):
        array.coarser((slice(0, 2),) * 3, (2, 2, 2))
    assert len(opened) == 1


def test_a_browser_gets_them_in_nm(tmp_path) -> None:
    labels = np.random.default_rng(2).integers(0, 5, (4, 6, 8)).astype(np.uint16)
    source = served(image(tmp_path, labels, (5, -3, 2), "labels", remainder=(0, 1.5, 0)))
    assert source.transform.matrix[:, -1].tolist() == pytest.approx([0, 1.5 / 4.5, 0])
    viewer = neuroglancer.Viewer()
    with viewer.txn() as state:
        state.layers["a"] = neuroglancer.SegmentationLayer(source=source)
    volume = source.url
    assert volume.info()["voxelOffset"].tolist() == [5, -3, 2]
    dimensions = volume.info()["coordinateSpace"]
    assert list(dimensions) == ["z", "y", "x"]
    assert [unit for _, unit in dimensions.values()] == ["m"] * 3
    np.testing.assert_allclose([nm for nm, _ in dimensions.values()], np.array(VOXEL_SIZE) * 1e-9)
    server = str(viewer.get_viewer_url()).partition("/v/")[0]
    key = f"{viewer.token}.{volume.token}"
    address = f"{server}/neuroglancer/raw/{key}/1,1,1/1,2,3/3,4,6"
    with urllib.request.urlopen(address, timeout=30) as answer:
        data = np.frombuffer(answer.read(), np.uint32).reshape(2, 2, 3, order="F")
    np.testing.assert_array_equal(data, labels[1:3, 2:4, 3:6])


def test_a_plane_has_two_axes(tmp_path) -> None:
    raw = np.arange(48, dtype=np.uint8).reshape(6, 8)
    roi = Roi((-2, 4), raw.shape)
    create_array(tmp_path / "p.zarr", "p", roi=roi, voxel_size=(6, 4), dtype=np.uint8).write(
        raw, roi
    )
    plane = Image("p", open_array(tmp_path / "p.zarr", "p"), "raw", None)
    layer = image_layer(plane, visible=True, raw_range=(0, 255))
    viewer = neuroglancer.Viewer()
    viewer.set_state(first_state([layer], plane.array, title="a plane"))
    state = viewer.state
    assert (list(state.display_dimensions), state.layout.type) == (["x", "y"], "xy")
    assert state.position.tolist() == [8, 1]
    [volume] = viewer.volume_manager.volumes.values()
    assert volume.info()["voxelOffset"].tolist() == [-2, 4]
    data, _ = volume.get_encoded_subvolume("raw", start=(1, 2), end=(3, 5), scale_key="1,1")
    found = np.frombuffer(data, np.uint8).reshape(2, 3, order="F")
    np.testing.assert_array_equal(found, raw[1:3, 2:5])
