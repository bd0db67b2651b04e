"""Objects of arrays: against scipy and skimage, and by hand."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import label as skimage_label

from lsd.segmentation.objects import objects

SHAPES = {2: (23, 31), 3: (9, 17, 19)}
# neighbours -> axes that a step may go along at once
ALONG = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}
CASES = [(2, 4), (2, 8), (3, 6), (3, 18), (3, 26)]


def noise(dims: int, seed: int, *, sigma: float = 0.7, share: float = 0.45) -> np.ndarray:
    values = ndimage.gaussian_filter(np.random.default_rng(seed).random(SHAPES[dims]), sigma)
    return values < np.quantile(values, share)


def numbered(labels: np.ndarray) -> np.ndarray:
    """With ids 1.. in the order of first voxels, voxel after voxel."""
    names: dict[int, int] = {}
    flat = [names.setdefault(int(i), len(names) + 1) if i else 0 for i in labels.reshape(-1)]
    return np.array(flat, np.uint64).reshape(labels.shape)


@pytest.mark.parametrize(("dims", "connectivity"), CASES)
def test_connected_voxels(dims, connectivity) -> None:
    inside = noise(dims, 1)
    structure = ndimage.generate_binary_structure(dims, ALONG[connectivity])
    expected = numbered(ndimage.label(inside, structure)[0])
    found = objects(inside, connectivity=connectivity)
    assert found.dtype == np.uint64
    np.testing.assert_array_equal(found, expected)
    other = numbered(skimage_label(inside, connectivity=ALONG[connectivity]))
    np.testing.assert_array_equal(found, other)
    if connectivity in (4, 6):
        np.testing.assert_array_equal(found, objects(inside))


@pytest.mark.parametrize("connectivity", [4, 8])
def test_sections_on_their_own(connectivity) -> None:
    inside = noise(3, 2)
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = ndimage.generate_binary_structure(2, ALONG[connectivity])
    expected = numbered(ndimage.label(inside, structure)[0])
    np.testing.assert_array_equal(objects(inside, connectivity=connectivity), expected)


def test_a_mask_and_small_ones() -> None:
    inside, mask = noise(3, 3), noise(3, 4, sigma=3, share=0.8)
    labels, count = ndimage.label(inside & mask)
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, np.arange(count + 1))
    kept = np.where(sizes[labels] >= 6, labels, 0)
    assert 0 < len(np.unique(kept)) < count
    np.testing.assert_array_equal(objects(inside, mask=mask, min_size=6), numbered(kept))


def filled(labels: np.ndarray) -> np.ndarray:
    """Each object for itself; what is another's stays."""
    result = labels.copy()
    for name in np.unique(labels[labels > 0]):
        # scipy fills what reaches no border, also over other objects
        holes = ndimage.binary_fill_holes(labels == name) & (labels == 0)
        closed, count = ndimage.label(holes)
        for hole in range(1, count + 1):
            around = ndimage.binary_dilation(closed == hole) & (closed != hole)
            if set(np.unique(labels[around])) == {name}:
                result[closed == hole] = name
    return result


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("dims", "connectivity"), CASES)
def test_holes(dims, connectivity, seed) -> None:
    inside = noise(dims, seed, share=0.72)
    found = objects(inside, connectivity=connectivity, fill_holes=True)
    expected = numbered(filled(objects(inside, connectivity=connectivity)))
    np.testing.assert_array_equal(found, expected)
    assert np.count_nonzero(found) > np.count_nonzero(inside)


def test_what_is_no_hole() -> None:
    ring = np.zeros((7, 7), bool)
    ring[1:6, 1:6] = True
    ring[2:5, 2:5] = False
    whole = ring.copy()
    whole[2:5, 2:5] = True
    np.testing.assert_array_equal(objects(ring, fill_holes=True) == 1, whole)
    # a second object inside: what is between the two is of neither, unless it is too small
    nested = ring.copy()
    nested[3, 3] = True
    found = objects(nested, fill_holes=True)
    np.testing.assert_array_equal(found > 0, nested)
    np.testing.assert_array_equal(objects(nested, fill_holes=True, min_size=2) == 1, whole)
    # nor where nobody knows what is there, or at the border
    mask = np.ones_like(ring)
    mask[3, 3] = False
    np.testing.assert_array_equal(objects(ring, fill_holes=True, mask=mask) > 0, ring)
    np.testing.assert_array_equal(objects(ring[:, :4], fill_holes=True) > 0, ring[:, :4])
    # a hole may not leak through a corner
    ring[1, 1] = False
    assert np.count_nonzero(objects(ring, fill_holes=True)) == 24


def test_sections_have_holes_of_their_own() -> None:
    ring = np.zeros((7, 7), bool)
    ring[1:6, 1:6] = True
    ring[2:5, 2:5] = False
    tube = np.stack([ring] * 3)
    assert np.count_nonzero(objects(tube, fill_holes=True)) == np.count_nonzero(tube)
    assert np.count_nonzero(objects(tube, connectivity=4, fill_holes=True)) == 3 * 25


def balls(shape: tuple[int, ...], size: tuple[float, ...], *centres_radii) -> np.ndarray:
    """Places and radii in nm."""
    grid = np.stack(
        np.meshgrid(*(np.arange(n) * s for n, s in zip(shape, size, strict=True)), indexing="ij")
    )
    inside = np.zeros(shape, bool)
    for centre, radius in centres_radii:
        offset = grid - np.array(centre).reshape(-1, *[1] * len(shape))
        inside |= (offset**2).sum(0) <= radius**2
    return inside


@pytest.mark.parametrize("split", [1, 2, 3, 4, 6])
def test_a_mask_ends_as_an_array_does(split) -> None:
    """So an image has the same objects however large the section is that it lies in."""
    y, x = np.mgrid[:40, :40]
    discs = np.hypot(y - 8, x - 20) < 8
    discs |= np.hypot(y - 22, x - 20) < 8
    image = (slice(0, 30), slice(0, 21))
    mask = np.zeros(discs.shape, np.bool_)
    mask[image] = True
    alone = objects(discs[image], split=split, voxel_size=(1, 1))
    within = objects(discs, mask=mask, split=split, voxel_size=(1, 1))
    np.testing.assert_array_equal(within[image], alone)
    assert not within[~mask].any()
    assert alone.max() == (2 if split > 3 else 1)


@pytest.mark.parametrize("size", [(4.0, 4.0, 4.0), (12.0, 4.0, 4.0), (4.0, 4.0)])
def test_split_where_the_neck_is(size) -> None:
    shape = (20, 40, 64)[-len(size) :]
    middle = [n * s / 2 for n, s in zip(shape, size, strict=True)]
    left, right = [*middle[:-1], 80.0], [*middle[:-1], 170.0]
    touching = balls(shape, size, (left, 50), (right, 50))
    assert objects(touching).max() == 1
    found = objects(touching, split=25, voxel_size=size)
    # the neck of two balls of 50 nm whose centres are 90 nm apart is 22 nm wide to either side
    assert found.max() == 2
    np.testing.assert_array_equal(found > 0, touching)
    x = np.arange(shape[-1]) * size[-1]
    assert set(np.unique(found[..., x < 120])) == {0, 1}
    assert set(np.unique(found[..., x > 130])) == {0, 2}
    # a neck that is wider than that holds
    np.testing.assert_array_equal(objects(touching, split=10, voxel_size=size), touching)
    # a tube is one, however long, and what is smaller than any neck stays whole
    small = balls(shape, size, (left, 20))
    np.testing.assert_array_equal(objects(small, split=25, voxel_size=size), small)
    with pytest.raises(ValueError, match="split is in nm, and the voxel size is not known"):
        objects(touching, split=25)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="connectivity: 26 does not exist in 2D; allowed: 4, 8"):
        objects(np.ones((3, 3), bool), connectivity=26)
    with pytest.raises(ValueError, match="connectivity"):
        objects(np.ones((3, 3), bool), connectivity=5)
    with pytest.raises(ValueError, match=r"mask has shape \(2, 3\)"):
        objects(np.ones((3, 3), bool), mask=np.ones((2, 3)))


def test_nothing_and_everything() -> None:
    assert not objects(np.zeros((4, 5, 6))).any()
    for fill_holes in (False, True):
        assert (
            objects(np.ones((4, 5, 6)), fill_holes=fill_holes, split=3, voxel_size=(1,) * 3) == 1
        ).all()
        assert not objects(np.ones((4, 5)), mask=np.zeros((4, 5)), fill_holes=fill_holes).any()
