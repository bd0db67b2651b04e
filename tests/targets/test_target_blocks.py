"""Targets block by block are parts of those of the whole, for every kind whose context says all
that its values depend on."""

import tracemalloc

import numpy as np
import pytest

from lsd import spec
from lsd.arrays.components import connected_components
from lsd.targets.in_blocks import target_blocks
from lsd.targets.target import compute

TARGETS = {
    "foreground": spec.Occupancy(mode="foreground"),
    "instance": spec.Occupancy(kernel=spec.Ball(radius=25, voxel_size=(20, 8, 8)), half=True),
    "affinities": spec.Affinities(neighborhood=(*spec.NEAREST, (0, -5, 2))),
    "boundary": spec.Boundary(width=2),
    "interior": spec.InteriorBoundary(width=20, unit="nm"),
    "distance": spec.SignedDistance(reach=30),
    "classes": spec.Semantic(classes=(1, 2, 3), ignore=4),
    "another array": spec.Foreground(array="mito"),
    "embeddings": spec.Embeddings(neighborhood=(*spec.NEAREST, (0, -5, 2))),
    "descriptors": spec.Descriptors(sigma=20.0, background="ignore"),
    "of every third": spec.Descriptors(sigma=24.0, downsample=3),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(("shape", "block"), [((13, 17, 20), (5, 8, 20)), ((17, 20), (7, 6))])
@pytest.mark.parametrize("masked", [False, True])
def test_blocks_are_parts_of_the_whole(name, shape, block, masked) -> None:
    rng = np.random.default_rng(0)
    target, size = TARGETS[name], (20, 8, 8)[-len(shape) :]
    labels = rng.integers(0, 5, [-(-n // 4) for n in shape])
    for axis in range(len(shape)):
        labels = labels.repeat(4, axis)
    labels = labels[tuple(slice(n) for n in shape)].astype(np.uint64)
    known = rng.random(shape) < 0.95 if masked else None
    arrays = {"mito": labels % 2}
    whole = compute(target, labels, known=known, arrays=arrays, voxel_size=size)
    blocks = list(
        target_blocks(target, labels, block=block, voxel_size=size, known=known, arrays=arrays)
    )
    covered = np.zeros(shape, int)
    for part in blocks:
        covered[part.region] += 1
        for ours, theirs in zip((part.values, part.known), whole, strict=True):
            np.testing.assert_array_equal(ours, theirs[(slice(None), *part.region)])
    assert (covered == 1).all()


def test_memory_is_that_of_a_block() -> None:
    """27 channels of 96^3 voxels are 119 MB of float32 and bool, those of a block 0.6 MB."""
    labels = np.ones((96, 96, 96), np.uint8)
    target = spec.Occupancy(mode="foreground")
    for _ in target_blocks(target, labels[:8, :8, :8], block=(8, 8, 8), voxel_size=(8, 8, 8)):
        pass
    tracemalloc.start()
    for part in target_blocks(target, labels, block=(16, 16, 16), voxel_size=(8, 8, 8)):
        assert part.values.any()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 27 * 18**3 * 5


def test_a_block_has_the_axes_of_labels() -> None:
    with pytest.raises(ValueError, match=r"block \(8, 8\) is of 2 axes, labels of 3"):
        next(
            target_blocks(
                spec.Foreground(), np.ones((3, 4, 5), int), block=(8, 8), voxel_size=(8, 8, 8)
            )
        )


def test_pieces_are_refused_that_go_on_beyond_any_block() -> None:
    labels = np.zeros((6, 12, 12), np.uint64)
    labels[:, :3], labels[:, 5:] = 1, 1
    target, options = spec.Descriptors(sigma=30.0), {"voxel_size": (20, 8, 8)}
    pieces = target.derive(connected=True)
    with pytest.raises(ValueError, match=r"follows from whole objects.*connected_components"):
        next(target_blocks(pieces, labels, block=(3, 4, 5), **options))
    whole, _ = compute(pieces, labels, **options)
    for part in target_blocks(target, connected_components(labels)[0], block=(3, 4, 5), **options):
        np.testing.assert_array_equal(part.values, whole[(slice(None), *part.region)])
