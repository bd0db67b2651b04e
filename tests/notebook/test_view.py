"""An array on disk is indexed as numpy indexes it, whatever its offset and axes."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.notebook.view import View
from lsd.volumes.create import create_array


@pytest.fixture(scope="module", params=[None, 2])
def pair(request, tmp_path_factory):
    """A view and what it shows; its first voxel lies somewhere in the world."""
    roi, channels = Roi((3, 5, 7), (6, 9, 8)), request.param
    shape = (*([channels] if channels else []), 6, 9, 8)
    data = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    array = create_array(
        tmp_path_factory.mktemp("view") / "a.zarr", "a", roi=roi, voxel_size=(40, 4, 4),
        dtype=np.uint8, channels=channels,
    )  # fmt: skip
    array.write(data, roi)
    return View(array), data


@pytest.mark.parametrize(
    "index",
    [
        ..., 0, -1, (1, 2), np.s_[1:3], np.s_[:, 2:5], np.s_[..., 3], np.s_[1:, ..., -3:], (0, ...),
        np.s_[::2, ::3], np.s_[::-1], np.s_[4:1:-1, 1], np.s_[5:5], np.s_[0:1, 4:2],
        np.s_[-2:, :, ::-2], np.int64(1), (),
    ],
    ids=str,
)  # fmt: skip
def test_as_numpy(pair, index) -> None:
    view, data = pair
    found = view[index]
    assert found.shape == data[index].shape
    assert found.dtype == data.dtype
    np.testing.assert_array_equal(found, data[index])


def test_whole(pair) -> None:
    view, data = pair
    np.testing.assert_array_equal(np.asarray(view), data)
    assert (view.shape, view.ndim, view.dtype, len(view)) == (
        data.shape, data.ndim, data.dtype, len(data),
    )  # fmt: skip
    np.testing.assert_array_equal(np.asarray(view, dtype=np.float32), data.astype(np.float32))


@pytest.mark.parametrize(
    ("index", "says"),
    [
        (9, "index 9 is out of an axis of"),
        (-9, "index -9 is out of"),
        ((0,) * 5, "has 5 entries"),
        ((..., 0, ...), "one ellipsis"),
        (([0, 1],), r"read it first"),
        (1.5, "got 1.5"),
    ],
)
def test_other_indices_are_refused(pair, index, says) -> None:
    with pytest.raises(IndexError, match=says):
        pair[0][index]
