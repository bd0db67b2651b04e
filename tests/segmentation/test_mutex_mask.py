"""Mutex watershed under masks, against a plain one on the graph of the voxels that are left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.arrays.pairs import count_pairs
from lsd.segmentation.mutex import mutex
from lsd.targets.affinities import affinities

pytest.importorskip("mwatershed")

NEAR = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
FAR = (*NEAR, (-2, 0, 0), (0, -3, 0), (0, 0, -4), (2, 0, -2))
FORWARD = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 2, 0), (0, 0, 3))
BIAS = (0.3, -0.3)


def flat(neighborhood):
    return tuple(offset[1:] for offset in neighborhood if not offset[0])


def plain(affs, neighborhood, mask, *, bias=BIAS, stride=(1, 1, 1)):
    """Edges by strength, a union-find, and for each region the regions it may not join.  0 where no
    edge would join a voxel."""
    shape, edges = affs.shape[1:], []
    for values, offset in zip(affs, neighborhood, strict=True):
        near = sum(map(abs, offset)) == 1
        steps = (1,) * len(shape) if near else stride[-len(shape) :]
        for voxel in np.ndindex(shape):
            other = tuple(np.add(voxel, offset))
            on = all(
                (v - max(0, -k)) % step == 0
                for v, k, step in zip(voxel, offset, steps, strict=True)
            )
            if (
                on
                and all(0 <= i < n for i, n in zip(other, shape, strict=True))
                and mask[voxel]
                and mask[other]
            ):
                edges.append((float(values[voxel]) - 0.5 + bias[0 if near else 1], voxel, other))
    region = {voxel: voxel for voxel in np.ndindex(shape)}
    apart = {voxel: set() for voxel in region}
    joined = {end for weight, *ends in edges if weight > 0 for end in ends}

    def root(voxel):
        while region[voxel] != voxel:
            voxel = region[voxel]
        return voxel

    for weight, one, other in sorted(edges, key=lambda edge: -abs(edge[0])):
        a, b = root(one), root(other)
        if a == b or b in apart[a]:
            continue
        if weight <= 0:
            apart[a].add(b)
            apart[b].add(a)
        else:
            region[b] = a
            for c in apart[b]:
                apart[c].add(a)
            apart[a] |= apart[b]
    names = {voxel: n + 1 for n, voxel in enumerate(region)}
    found = np.zeros(shape, np.int64)
    for voxel in joined:
        found[voxel] = names[root(voxel)]
    return found


def same(a, b) -> bool:
    return np.array_equal(a > 0, b > 0) and len(count_pairs(a, b).first) == len(
        np.unique(a)
    ) == len(np.unique(b))


def masks(rng, shape):
    """Holes, margins, single voxels, sheets, everything, nothing."""
    hole = np.ones(shape, bool)
    hole[(..., *(slice(n // 4, 3 * n // 4) for n in shape[-2:]))] = False
    margin = np.zeros(shape, bool)
    margin[tuple(slice(n > 2, n - (n > 2)) for n in shape)] = True
    single = np.ones(shape, bool)
    single[tuple(rng.integers(0, n) for n in shape)] = False
    alone = np.zeros(shape, bool)
    alone[tuple(rng.integers(0, n) for n in shape)] = True
    sheet = np.ones(shape, bool)
    sheet[..., shape[-1] // 2] = False
    return (
        hole,
        margin,
        single,
        ~single,
        alone,
        sheet,
        rng.random(shape) < 0.7,
        np.ones(shape, bool),
        np.zeros(shape, bool),
    )


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 8)),
    st.sampled_from([NEAR, FAR, FORWARD]),
    st.sampled_from([(1, 1, 1), (1, 2, 3)]),
    st.sampled_from(["3d", "2d", "sections"]),
)
def test_equals_a_plain_mutex_watershed_on_what_the_mask_leaves(
    seed, shape, neighborhood, stride, way
) -> None:
    rng = np.random.default_rng(seed)
    offsets = neighborhood if way == "3d" else flat(neighborhood)
    shape = shape[1:] if way == "2d" else shape
    fitting = [
        o
        for o in offsets
        if all(abs(k) < n for k, n in zip(o, shape[len(shape) - len(o) :], strict=True))
    ]
    if not fitting:
        return
    affs = rng.random((len(fitting), *shape))
    for mask in masks(rng, shape):
        found = mutex(affs, fitting, mask=mask, bias=BIAS, stride=stride)
        assert not found[~mask].any()
        if way == "sections":
            expected = np.stack(
                [plain(affs[:, z], fitting, mask[z], stride=stride) for z in range(len(mask))]
            )
            assert all(same(one, other) for one, other in zip(found, expected, strict=True))
            assert len(np.unique(found[found > 0])) == sum(
                len(np.unique(one[one > 0])) for one in found
            )
        else:
            assert same(found, plain(affs, fitting, mask, stride=stride))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", ["3d", "2d"])
def test_strides_are_those_of_the_last_axes(way, seed) -> None:
    shape, offsets = ((4, 7, 9), FAR) if way == "3d" else ((9, 11), flat(FAR))
    affs = np.random.default_rng(seed).random((len(offsets), *shape))
    mask = np.random.default_rng(seed + 9).random(shape) < 0.9
    found = mutex(affs, offsets, mask=mask, bias=(0.3, -0.1), stride=(1, 2, 3))
    assert same(found, plain(affs, offsets, mask, bias=(0.3, -0.1), stride=(1, 2, 3)))
    assert not same(found, plain(affs, offsets, mask, bias=(0.3, -0.1), stride=(1, 1, 2)))


def test_an_empty_section_between_others_keeps_their_ids_apart() -> None:
    affs = np.ones((2, 5, 6, 7), np.float32)
    mask = np.ones(affs.shape[1:], bool)
    mask[[0, 2]] = False
    found = mutex(affs, ((-1, 0), (0, -1)), mask=mask)
    assert [np.unique(section).tolist() for section in found] == [[0], [1], [0], [2], [3]]


@pytest.mark.parametrize("stored", [0, 255])
def test_what_is_stored_outside_the_mask_is_no_matter(stored) -> None:
    rng = np.random.default_rng(0)
    affs = rng.integers(0, 256, (len(FAR), 5, 9, 10)).astype(np.uint8)
    mask = rng.random(affs.shape[1:]) < 0.7
    other = np.where(mask, affs, np.uint8(stored))
    np.testing.assert_array_equal(
        mutex(other, FAR, mask=mask, bias=BIAS), mutex(affs, FAR, mask=mask, bias=BIAS)
    )


def test_a_masked_column_inside_one_neuron_cuts_nothing() -> None:
    affs = np.ones((len(FAR), 4, 30, 30), np.float32)
    mask = np.ones(affs.shape[1:], bool)
    mask[:, 10:20, 10:20] = False
    found = mutex(affs, FAR, mask=mask)
    assert np.unique(found[mask]).tolist() == [1]


def test_cells_with_a_masked_margin_are_the_cells() -> None:
    z, y, x = np.meshgrid(*map(np.arange, (6, 24, 24)), indexing="ij")
    truth = (1 + (y // 8) * 3 + x // 8 + 0 * z).astype(np.uint64)
    mask = np.zeros(truth.shape, bool)
    mask[1:-1, 2:-2, 3:-3] = True
    affs, _ = affinities(truth, FAR)
    assert same(mutex(affs, FAR, mask=mask), np.where(mask, truth, 0))


def test_no_mask_is_a_mask_of_everything_and_any_dtype_of_it_serves() -> None:
    affs = np.random.default_rng(1).random((len(FAR), 4, 8, 9))
    plain_ = mutex(affs, FAR, bias=BIAS)
    for mask in (
        np.ones((4, 8, 9), bool),
        np.full((4, 8, 9), 7, np.int16),
        np.ones((4, 8, 9), np.float32),
    ):
        np.testing.assert_array_equal(mutex(affs, FAR, mask=mask, bias=BIAS), plain_)


@pytest.mark.parametrize(("one", "two"), [((0, 1), (0, 2)), ((0, -1), (0, -2))])
def test_a_voxel_alone_in_the_first_place_is_a_segment_as_anywhere_else(one, two) -> None:
    """Two may join the one between them, and not each other: the stronger gets it, the other is
    alone."""
    for strong, alone in ((0, 2), (1, 0)):
        affs = np.zeros((2, 1, 3))
        first = 0 if one[1] > 0 else 1
        affs[0, 0, first : first + 2] = 0.7
        affs[0, 0, first + strong] = 0.9
        found = mutex(affs, (one, two), bias=(0.0, -0.5))
        assert np.count_nonzero(found == found[0, alone]) == 1
        assert sorted(found[0].tolist()) in ([1, 1, 2], [1, 2, 2])


def test_offsets_longer_than_the_volume_say_nothing_and_are_told() -> None:
    affs = np.random.default_rng(2).random((4, 3, 6, 7))
    offsets = (*NEAR, (0, 0, -7))
    with pytest.warns(
        UserWarning, match=r"offset \(0, 0, -7\) is longer than the volume of shape \(3, 6, 7\)"
    ):
        found = mutex(affs, offsets, bias=BIAS)
    np.testing.assert_array_equal(found, mutex(affs[:3], NEAR, bias=BIAS))
    with pytest.warns(UserWarning, match="longer"):
        assert not mutex(affs[:1, :1], ((-1, 0, 0),)).any()


@pytest.mark.parametrize(
    ("affs", "offsets", "options", "words"),
    [
        (np.ones((3, 2, 3, 4)), FAR, {}, r"3 channels, which do not fit the 7 offsets"),
        (np.ones((6, 2, 3, 4)), NEAR, {}, r"6 channels, which do not fit the 3 offsets"),
        (np.ones((2, 2, 3, 4)), ((0, 0, 0), (0, 0, 1)), {}, r"offset \(0, 0, 0\).*other than 0"),
        (np.ones((2, 2, 3, 4)), ((0, 0, 1), (0, 0, 1)), {}, r"offset \(0, 0, 1\) twice"),
        (np.ones((2, 2, 3, 4)), ((0, 1), (0, 0, 1)), {}, "step of 2 whole numbers"),
        (np.ones((2, 2, 3)), ((0, 0, 1), (0, 1, 0)), {}, r"give each offset 2 entries"),
        (np.ones((3, 2, 3, 4), int), NEAR, {}, "int64"),
        (np.full((3, 2, 3, 4), np.nan), NEAR, {}, "nan in channel 0"),
        (np.ones((3, 2, 3, 4)), NEAR, {"mask": np.ones((3, 4))}, "mask has shape"),
        (np.ones((3, 2, 3, 4)), NEAR, {"stride": (1, 0, 1)}, "stride is every n-th voxel"),
        (np.ones((3, 2, 3, 4)), NEAR, {"stride": (2, 2)}, "stride is every n-th voxel"),
    ],
)
def test_errors(affs, offsets, options, words) -> None:
    with pytest.raises(ValueError, match=words):
        mutex(affs, offsets, **options)
