"""Interior and boundary, signed distances and classes against loops that follow the
definitions."""

import numpy as np
import pytest

from lsd import spec
from lsd.targets.interior_boundary import interior_boundary
from lsd.targets.semantic import semantic
from lsd.targets.signed_distance import signed_distance
from lsd.targets.target import compute, target_kind

SIZES = [(10, 10, 10), (40, 4, 4)]


def labels_of(shape, seed=0):
    """Blocks of voxels with ids that are one in float64; many touch."""
    ids = np.array([0, 0, 3, 2**64 - 2, 2**64 - 1], np.uint64)
    small = np.random.default_rng(seed).integers(0, len(ids), [-(-n // 3) for n in shape])
    for axis in range(len(shape)):
        small = small.repeat(3, axis)
    return ids[small[tuple(slice(n) for n in shape)]]


def nearest(labels, size, allowed):
    """Distance of each voxel to the nearest of another label of those that are allowed, inf where
    there is none."""
    places = np.argwhere(np.ones(labels.shape, bool)) * np.array(size)
    ids, among = labels.reshape(-1), allowed.reshape(-1)
    found = np.full(labels.size, np.inf)
    for place in range(labels.size):
        others = among & (ids != ids[place])
        if others.any():
            found[place] = np.linalg.norm(places[others] - places[place], axis=1).min()
    return found.reshape(labels.shape)


def all_truths(labels, known, value):
    """What `value` makes of labels, whatever unknown voxels are: where all agree, and on what.

    They may be of a new object each, or of any object that there is.
    """
    fresh = np.arange(labels.size, dtype=np.uint64).reshape(labels.shape) + np.uint64(100)
    fillings = [*np.unique(labels), fresh]
    made = [value(np.where(known, labels, filling)) for filling in fillings]
    return made[0], np.all([np.isclose(made[0], other) for other in made], axis=0)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_signed_distance_equals_the_definition(dims, size) -> None:
    shape, size = (5, 7, 6)[-dims:], size[-dims:]
    labels = labels_of(shape)
    values, known = signed_distance(labels, voxel_size=size, reach=25)
    distances = nearest(labels, size, np.ones(shape, bool))
    wanted = np.clip(np.where(labels > 0, distances, -distances) / 25, -1, 1)
    assert (values.shape, values.dtype, known.dtype) == ((1, *shape), np.float32, np.bool_)
    assert known.all()
    np.testing.assert_allclose(values[0], wanted, rtol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(("width", "size"), [(1, None), (1.5, None), (8, (40, 4, 4)), (40, 10)])
def test_interior_and_boundary_equal_the_definition(dims, width, size) -> None:
    shape = (5, 7, 9)[-dims:]
    labels = labels_of(shape, seed=3)
    spacing = (1.0, 1.0, 1.0) if size is None else (10,) * 3 if size == 10 else size
    given = size[-dims:] if isinstance(size, tuple) else size
    both, known = interior_boundary(labels, width=width, voxel_size=given)
    near = nearest(labels, spacing[-dims:], np.ones(shape, bool)) <= width + 1e-6
    assert both.shape == known.shape == (2, *shape)
    assert known.all()
    np.testing.assert_array_equal(both[0], (labels > 0) & ~near)
    np.testing.assert_array_equal(both[1], (labels > 0) & near)


FUNCTIONS = {
    "distance": lambda labels, mask=None: signed_distance(
        labels, voxel_size=(10, 4, 4), reach=12, mask=mask
    ),
    "interior": lambda labels, mask=None: interior_boundary(
        labels, width=9, voxel_size=(10, 4, 4), mask=mask
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_known_is_so_whatever_the_unknown_is(name) -> None:
    """And of what all truths agree on, most is known."""
    labels = labels_of((6, 9, 8), seed=4)
    mask = np.ones(labels.shape, bool)
    mask[:, 5:, 3:6], mask[0, 0, 0] = False, False
    values, known = FUNCTIONS[name](labels, mask=mask)
    truth, agreed = all_truths(labels, mask, lambda labels: FUNCTIONS[name](labels)[0])
    assert not known[:, ~mask].any()
    assert not (known & ~agreed).any()
    np.testing.assert_allclose(values[known], truth[known], rtol=1e-6)
    assert known.sum() > 0.8 * (agreed & mask).sum()
    everything = FUNCTIONS[name](labels, mask=np.ones(labels.shape))
    for ours, plain in zip(everything, FUNCTIONS[name](labels), strict=True):
        np.testing.assert_array_equal(ours, plain)


def test_objects_that_touch_are_apart() -> None:
    labels = np.repeat([[0, 1, 2, 0]], [2, 4, 4, 2], axis=1)
    values, _ = signed_distance(labels, voxel_size=1, reach=2)
    np.testing.assert_array_equal(values[0], [[-1, -0.5, 0.5, 1, 1, 0.5, 0.5, 1, 1, 0.5, -0.5, -1]])
    interior, rim = interior_boundary(labels)[0]
    np.testing.assert_array_equal(interior, [[0, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(rim, [[0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("masked", [False, True])
def test_classes_equal_the_definition(dtype, masked) -> None:
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, 5, 9], dtype)[rng.integers(0, 4, (4, 5, 6))]
    mask = rng.random(labels.shape) < 0.7 if masked else None
    target, known = semantic(labels, (5, 1), ignore=(9, 300), mask=mask)
    number = {0: 0, 5: 1, 1: 2}
    for voxel in np.ndindex(labels.shape):
        label, inside = int(labels[voxel]), mask is None or mask[voxel]
        wanted = [float(channel == number.get(label)) for channel in range(3)]
        assert target[(slice(None), *voxel)].tolist() == wanted
        assert known[(slice(None), *voxel)].tolist() == [inside and label != 9] * 3


def test_labels_of_no_class_are_refused_unless_they_are_ignored_or_unknown() -> None:
    labels = np.array([[0, 1, 2**64 - 1]], np.uint64)
    with pytest.raises(ValueError, match=rf"labels hold {2**64 - 1}, and the classes are 1 beside"):
        semantic(labels, (1,))
    assert semantic(labels, (1,), ignore=(2**64 - 1,))[1].tolist() == [[[True, True, False]]] * 2
    assert semantic(labels, (1,), mask=labels < 2)[1].tolist() == [[[True, True, False]]] * 2


@pytest.mark.parametrize(
    "kind",
    [
        "Occupancy",
        "InteriorBoundary",
        "SignedDistance",
        "Foreground",
        "Affinities",
        "Boundary",
        "Descriptors",
    ],
)
def test_objects_of_another_array(kind) -> None:
    """One volume teaches neurons by its labels and mitochondria by an array."""
    neurons, mitochondria = labels_of((6, 7, 8)), labels_of((6, 7, 8), seed=5)
    family = getattr(spec, kind)
    arrays = {"mitochondria": mitochondria, "other": neurons}
    found = compute(
        family(array="mitochondria"), neurons, arrays=arrays, voxel_size=(8,) * 3, threads=1
    )
    wanted = compute(family(), mitochondria, voxel_size=(8,) * 3, threads=1)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match=r"from the array 'mitochondria'; .* has: none"):
        compute(family(array="mitochondria"), neurons, voxel_size=(8,) * 3)


def test_a_spec_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="name a label twice, or 0"):
        spec.Semantic(classes=(1, 0))
    with pytest.raises(ValueError, match="label 2 is in classes and in ignore"):
        spec.Semantic(classes=(1, 2), ignore=2)
    assert spec.Semantic(classes=4).classes == (4,)
    with pytest.raises(ValueError, match=r"reach: .*greater than 0"):
        signed_distance(np.ones((2, 2), int), voxel_size=1, reach=0)


def test_a_width_has_a_unit() -> None:
    labels = labels_of((7, 8, 9))
    inner = target_kind(spec.InteriorBoundary(width=25, unit="nm"))
    assert inner.context((40, 10, 10)) == (0, 2, 2)
    assert target_kind(spec.InteriorBoundary(width=2)).context((40, 10, 10)) == (2, 2, 2)
    ours, _ = compute(inner.spec, labels, voxel_size=(40, 10, 10))
    wanted, _ = interior_boundary(labels, width=25, voxel_size=(40, 10, 10))
    np.testing.assert_array_equal(ours, wanted)
