"""Targets of every kind: channels, masks, and a context that is enough."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from lsd import spec
from lsd.targets.affinities import affinities
from lsd.targets.descriptors import descriptors
from lsd.targets.target import channels, compute, target_kind

LONG = (*spec.NEAREST, (-3, 0, 0), (0, -3, 2))
TARGETS = {
    "affs": spec.Affinities(neighborhood=LONG),
    "lsds": spec.Descriptors(sigma=24.0),
    "coarse": spec.Descriptors(sigma=(40.0, 24.0, 20.0), downsample=2, components="05"),
    "sphere": spec.Descriptors(sigma=24.0, mode="sphere", downsample=3),
    "boundary": spec.Boundary(width=2),
    "mask": spec.Mask(array="mitochondria"),
    "foreground": spec.Foreground(),
    "around": spec.Occupancy(mode="foreground", kernel=spec.Box(size=(3, 5, 4))),
    "ball": spec.Occupancy(kernel=spec.Ball(radius=14, voxel_size=(8, 6, 5)), half=True),
    "interior": spec.InteriorBoundary(width=2),
    "distance": spec.SignedDistance(reach=22),
    "classes": spec.Semantic(classes=(1, 2, 4), ignore=3),
    "mitochondria": spec.SignedDistance(reach=9, array="mitochondria"),
}
every = pytest.mark.parametrize("name", TARGETS)


def labels_and_known(shape, seed=0):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 5, [-(-n // 4) for n in shape])
    labels = small.repeat(4, 0).repeat(4, 1)
    labels = (labels.repeat(4, 2) if len(shape) == 3 else labels)[tuple(slice(n) for n in shape)]
    return labels.astype(np.uint64), rng.random(shape) < 0.95


@every
@pytest.mark.parametrize("dims", [2, 3])
def test_shapes(name, dims):
    target, shape = TARGETS[name], (12, 14, 13)[-dims:]
    labels, known = labels_and_known(shape)
    values, mask = compute(
        target,
        labels,
        known=known,
        arrays={"mitochondria": labels == 2},
        voxel_size=(8.0,) * dims,
        threads=1,
    )
    assert values.shape == mask.shape == (channels(target, dims), *shape)
    assert (values.dtype, mask.dtype) == (np.float32, np.bool_)
    assert not mask[:, ~known].any()
    activation = target_kind(target).activation
    assert values.min() >= activation.low
    assert values.max() <= activation.high


@every
@pytest.mark.parametrize("dims", [2, 3])
def test_context_is_enough(name, dims):
    """A region with its context has the values it has in the whole volume."""
    target, size = TARGETS[name], (8.0, 6.0, 5.0)[-dims:]
    around = target_kind(target).context(size)
    assert len(around) == dims
    whole = tuple(2 * c + 12 for c in around)
    labels, _ = labels_and_known(tuple(n + 12 for n in whole))
    arrays = {"mitochondria": labels == 2}
    inner = tuple(slice(c + 6, c + 18) for c in around)
    crop = tuple(slice(6, n + 6) for n in whole)
    expected, _ = compute(target, labels, arrays=arrays, voxel_size=size, threads=1)
    part, mask = compute(
        target,
        labels[crop],
        arrays={key: value[crop] for key, value in arrays.items()},
        voxel_size=size,
        threads=1,
    )
    middle = tuple(slice(c, c + 12) for c in around)
    np.testing.assert_allclose(
        part[(slice(None), *middle)], expected[(slice(None), *inner)], atol=1e-6
    )
    if name != "lsds" and isinstance(target, spec.Affinities):
        assert mask[(slice(None), *middle)].all()


def context(target, voxel_size):
    return target_kind(target).context(voxel_size)


def test_context_keeps_the_alignment():
    assert context(spec.Descriptors(sigma=80.0), (8, 8, 8)) == (30, 30, 30)
    assert context(spec.Descriptors(sigma=80.0, downsample=2), (8, 8, 8)) == (32, 32, 32)
    assert context(spec.Descriptors(sigma=80.0, mode="sphere"), (8, 4, 4)) == (10, 20, 20)
    assert context(spec.Affinities(neighborhood=LONG), (8, 8, 8)) == (3, 3, 2)


def test_affinities_of_a_mask():
    labels, known = labels_and_known((8, 9, 10))
    for ours, expected in zip(
        compute(TARGETS["affs"], labels, known=known, voxel_size=(8, 8, 8)),
        affinities(labels, LONG, mask=known),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("background", ["ignore", "zero"])
def test_background_of_descriptors(background):
    labels, known = labels_and_known((8, 9, 10))
    target = spec.Descriptors(sigma=24.0, background=background)
    values, mask = compute(target, labels, known=known, voxel_size=(8, 8, 8), threads=1)
    assert (mask[0] == (known & (labels > 0) if background == "ignore" else known)).all()
    assert not values[:, labels == 0].any()
    np.testing.assert_array_equal(
        values, descriptors(labels, voxel_size=(8, 8, 8), sigma=24, threads=1)
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_pieces_apart(dims):
    labels = np.zeros((6, 6, 40)[-dims:], np.uint64)
    labels[..., 2:6], labels[..., 10:15] = 7, 7
    apart = np.where(np.arange(40) < 8, labels, labels * 2)
    ours, together = (
        compute(
            spec.Descriptors(sigma=24.0, connected=connected),
            labels,
            voxel_size=(8,) * dims,
            threads=1,
        )[0]
        for connected in (True, False)
    )
    np.testing.assert_array_equal(
        ours, descriptors(apart, voxel_size=(8,) * dims, sigma=24, threads=1)
    )
    assert np.abs(ours - together).max() > 0.1


def test_any_target_has_a_test():
    kinds = {target.kind for target in TARGETS.values()}
    adapter = TypeAdapter(spec.Target)
    assert all(
        adapter.validate_python({**target.model_dump()}) == target for target in TARGETS.values()
    )
    # of embeddings it is affinities, see test_embeddings
    ours = {n for n, kind in spec.Target.kinds().items() if kind.__module__.startswith("lsd.")}
    assert kinds == ours - {"embeddings"}


def test_says_what_is_wrong():
    labels, known = labels_and_known((8, 9, 10))
    with pytest.raises(ValueError, match="this volume has: vesicles"):
        compute(TARGETS["mask"], labels, arrays={"vesicles": labels}, voxel_size=(8, 8, 8))
    with pytest.raises(ValueError, match="known has shape"):
        compute(TARGETS["affs"], labels, known=known[1:], voxel_size=(8, 8, 8))
    with pytest.raises(ValueError, match="mitochondria has shape"):
        compute(TARGETS["mask"], labels, arrays={"mitochondria": labels[1:]}, voxel_size=(8, 8, 8))


def test_remarks_say_what_is_strange_about_an_output() -> None:
    def remarks(target, output, voxel_size):
        return target_kind(target).remarks(output, voxel_size)

    sections = spec.Descriptors(sigma=(30, 80, 80), downsample=2)
    assert remarks(spec.Descriptors(), (44, 44, 44), (8, 8, 8)) == []
    assert remarks(spec.Affinities(), (1, 1, 1), (8, 8, 8)) == []
    assert remarks(sections, (92, 92), (4, 4)) == [], "a 2D network sees no z"
    (said,) = remarks(sections, (44, 44, 44), (40, 4, 4))
    assert said.startswith("sigma of 30 nm is less than 2 voxels, 80 nm (downsample=2)")
    (said,) = remarks(spec.Descriptors(downsample=8), (7, 8, 9), (8, 8, 8))
    assert said.startswith("downsample=8 is larger than the output, 7 voxels along an axis")
    assert len(remarks(spec.Descriptors(sigma=3), (44, 44, 44), (8, 8, 8))) == 1, "each once"
