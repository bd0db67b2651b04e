import gunpowder as gp
import numpy as np
import pytest
from scipy.ndimage import binary_erosion, generate_binary_structure

from lsd import spec
from lsd.batches.augmentations.augmentation import augmentation_kind
from lsd.batches.augmentations.grow_boundary import grow_boundary
from lsd.batches.keys import KNOWN, LABELS, Provider, array


def blocks(seed, shape=(9, 10, 11)):
    """Labels 0..5 in blocks of about three voxels."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 6, [-(-n // 3) for n in shape]).astype(np.uint64)
    return np.kron(coarse, np.ones((3, 3, 3), np.uint64))[tuple(slice(n) for n in shape)]


def brute_force(labels, steps, in_xy, known):
    """Each label by itself, eroded by scipy; unknown voxels count as its own."""
    cross = generate_binary_structure(3, 1)
    if in_xy:
        cross[[0, 2]] = False
    out = labels.copy()
    out[known] = 0
    for label in np.unique(labels[labels > 0]):
        mask = (labels == label) | ~known
        eroded = binary_erosion(mask, cross, iterations=steps, border_value=1)
        out[eroded & (labels == label) & known] = label
    return out


@pytest.mark.parametrize("in_xy", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_it_erodes_each_label(steps, in_xy):
    for seed in range(3):
        labels = np.kron(blocks(seed, (4, 6, 6)), np.ones((4, 4, 4), np.uint64))
        known = np.ones(labels.shape, bool)
        expected = brute_force(labels, steps, in_xy, known)
        np.testing.assert_array_equal(grow_boundary(labels, steps=steps, in_xy=in_xy), expected)
        assert 0 < (expected > 0).sum() < (labels > 0).sum()


@pytest.mark.parametrize("steps", [1, 2])
def test_unknown_voxels_stay_and_are_no_boundary(steps):
    for seed in range(3):
        labels = blocks(seed, (12, 13, 14))
        known = blocks(seed + 100, (12, 13, 14)) > 1
        grown = grow_boundary(labels, steps=steps, known=known)
        np.testing.assert_array_equal(grown[~known], labels[~known])
        np.testing.assert_array_equal(grown, brute_force(labels, steps, False, known))


def test_large_ids_are_told_apart_and_kept():
    labels = np.full((3, 3, 6), 2**63 + 1, np.uint64)
    labels[..., 3:] += 1
    np.testing.assert_array_equal(
        grow_boundary(labels)[0, 0], [2**63 + 1] * 2 + [0] * 2 + [2**63 + 2] * 2
    )


def test_labels_are_not_changed_in_place():
    labels = blocks(0)
    before = labels.copy()
    grow_boundary(labels)
    np.testing.assert_array_equal(labels, before)


class Blocks(Provider):
    def setup(self):
        for key in (LABELS, KNOWN):
            self.provides(
                key, gp.ArraySpec(roi=gp.Roi((0, 0, 0), (12, 12, 12)), voxel_size=(1, 1, 1))
            )

    def provide(self, request):
        batch = gp.Batch()
        labels = blocks(0, (12, 12, 12))
        for key, data in ((LABELS, labels), (KNOWN, labels > -1)):
            if key in request:
                roi = request[key].roi
                batch[key] = array(data[roi.to_slices()], roi)
        return batch


@pytest.mark.parametrize(("in_xy", "flat"), [(False, False), (True, False), (False, True)])
def test_the_node_sees_what_lies_outside(in_xy, flat):
    """Of a 2D network, and of a folder of images, no section is the boundary of another."""
    roi = gp.Roi((3, 4, 5), (6, 5, 4))
    kind = augmentation_kind(spec.GrowBoundary(steps=2, in_xy=in_xy))
    pipeline = Blocks() + kind.node(voxel_size=(1, 1, 1), flat=flat)
    with gp.build(pipeline):
        batch = pipeline.request_batch(gp.BatchRequest({LABELS: gp.ArraySpec(roi=roi)}))
    whole = grow_boundary(blocks(0, (12, 12, 12)), steps=2, in_xy=in_xy or flat)
    np.testing.assert_array_equal(batch[LABELS].data, whole[roi.to_slices()])
