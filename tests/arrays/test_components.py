"""Pieces of labels against scipy, id by id."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.components import connected_components


def _by_scipy(labels):
    """The voxels of each piece, by label."""
    touching = np.ones((3,) * labels.ndim)
    found = set()
    for label in np.unique(labels[labels > 0]):
        pieces, count = ndimage.label(labels == label, structure=touching)
        for piece in range(1, count + 1):
            found.add((int(label), tuple(np.flatnonzero(pieces == piece).tolist())))
    return found


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("shape", [(7, 8, 9), (1, 9, 9), (9, 1, 1), (12, 13)])
def test_equals_scipy(shape, dtype) -> None:
    labels = np.random.default_rng(0).integers(0, 4, shape).astype(dtype)
    if dtype == np.uint64:
        labels[labels == 3] = 2**64 - 1
    pieces, ids = connected_components(labels)
    assert pieces.shape == shape
    assert (ids.dtype, ids[0]) == (dtype, 0)
    assert not pieces[labels == 0].any()
    ours = {
        (int(ids[piece]), tuple(np.flatnonzero(pieces == piece).tolist()))
        for piece in range(1, len(ids))
    }
    assert ours == _by_scipy(labels)


def test_nothing_has_no_pieces() -> None:
    pieces, ids = connected_components(np.zeros((3, 4, 5), np.uint64))
    assert not pieces.any()
    assert ids.tolist() == [0]


@pytest.mark.parametrize("connectivity", [4, 8, 26])
@pytest.mark.parametrize("dtype", [">u8", ">i4", "u1", "?"])
def test_pieces_of_any_byte_order_and_of_what_may_not_be_changed(dtype, connectivity) -> None:
    labels = np.random.default_rng(0).integers(0, 3, (4, 7, 8)).astype(dtype)
    expected = connected_components(labels.astype(np.uint32), connectivity=connectivity)
    labels.setflags(write=False)
    for found, wanted in zip(
        connected_components(labels, connectivity=connectivity), expected, strict=True
    ):
        assert (found == (wanted > 0 if found.dtype == np.bool_ else wanted)).all()
