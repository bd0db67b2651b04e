"""Local occupancy vectors and their consensus against loops over voxels that follow the
definitions."""

import itertools

import numpy as np
import pytest

import lsd
from lsd import spec
from lsd.arrays.turning import Turn
from lsd.targets.affinities import affinities
from lsd.targets.occupancy import consensus, occupancy
from lsd.targets.target import compute, target_kind

BALL = spec.Ball(radius=45, voxel_size=(40, 12, 10))
KERNELS = {
    "box": spec.Box(),
    "even box": spec.Box(size=(1, 2, 4)),
    "ball": BALL,
    "list": spec.OffsetList(offsets=((0, 0, 0), (0, 2, -1), (1, 0, 0), (0, 0, 9))),
}
MODES = ("foreground", "instance")
every = pytest.mark.parametrize("kernel", KERNELS)
pytestmark = pytest.mark.filterwarnings("ignore:offset .* is longer than the volume")


def by_loop(labels, offsets, mode, mask):
    """The definition, in Python's whole numbers."""
    target, valid = np.zeros((2, len(offsets), *labels.shape))
    ids = labels.astype(object)
    for channel, offset in enumerate(offsets):
        for voxel in np.ndindex(labels.shape):
            other = tuple(np.add(voxel, offset))
            if all(0 <= i < n for i, n in zip(other, labels.shape, strict=True)):
                same = ids[voxel] == ids[other]
                target[(channel, *voxel)] = ids[other] > 0 and (same or mode == "foreground")
                valid[(channel, *voxel)] = mask[voxel] and mask[other]
    return target, valid


def labels_of(shape, seed=0):
    """Small objects with ids up to 2**64 - 1, which are one in float64."""
    ids = np.array([0, 0, 7, 2**63, 2**64 - 2, 2**64 - 1], np.uint64)
    return ids[np.random.default_rng(seed).integers(0, len(ids), shape)]


@every
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_definition(kernel, mode, dims, masked) -> None:
    shape = (4, 6, 5)[-dims:]
    labels, offsets = labels_of(shape), KERNELS[kernel].offsets_in(dims)
    mask = np.random.default_rng(1).random(shape) < 0.8 if masked else None
    target, valid = occupancy(labels, offsets, mode=mode, mask=mask)
    expected = by_loop(labels, offsets, mode, np.ones(shape, bool) if mask is None else mask)
    assert (target.dtype, valid.dtype) == (np.float32, np.bool_)
    np.testing.assert_array_equal(valid, expected[1])
    np.testing.assert_array_equal(target, expected[0])


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int32, np.int64, ">u8"])
def test_any_integers_are_labels(dtype) -> None:
    labels = np.random.default_rng(0).integers(0, 2, (3, 4, 5))
    for mode in MODES:
        for ours, wanted in zip(
            occupancy(labels.astype(dtype), BALL.offsets_in(3), mode=mode),
            occupancy(labels, BALL.offsets_in(3), mode=mode),
            strict=True,
        ):
            np.testing.assert_array_equal(ours, wanted)


def test_of_instances_it_is_affinities() -> None:
    labels, mask = labels_of((6, 7, 8)), labels_of((6, 7, 8), seed=2) > 0
    target = spec.Occupancy(kernel=BALL, half=True)
    ours = compute(target, labels, known=mask, voxel_size=BALL.voxel_size)
    theirs = affinities(labels, target.affinity_offsets(), mask=mask)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)
    whole = target.derive(half=False)
    assert target_kind(whole).channels(3) == 2 * target_kind(target).channels(3)


@pytest.mark.parametrize("dims", [2, 3])
def test_opposite_channels_of_instances_are_one_opinion(dims) -> None:
    """t_k(v) = t_-k(v + k), which in foreground mode is false."""
    labels = labels_of((5, 6, 7)[-dims:])
    offset = (1, -2, 1)[-dims:]
    pair = (offset, tuple(-step for step in offset))
    (one, other), (valid, _) = occupancy(labels, pair)
    shifted = np.roll(other, pair[1], range(dims))
    np.testing.assert_array_equal(one[valid], shifted[valid])
    (one, other), _ = occupancy(labels, pair, mode="foreground")
    assert (one[valid] != np.roll(other, pair[1], range(dims))[valid]).any()


def consensus_by_loop(prediction, offsets, weights, *, seen=None):
    """Every opinion is noted with the voxel that it is about; mean and variance of each voxel's."""
    shape = prediction.shape[1:]
    opinions = {voxel: [] for voxel in np.ndindex(shape)}
    for channel, offset in enumerate(offsets):
        for voxel in np.ndindex(shape):
            about = tuple(int(i) for i in np.add(voxel, offset))
            if about in opinions and (seen is None or seen[voxel]):
                opinions[about].append((float(prediction[(channel, *voxel)]), weights[channel]))
    mean, variance = np.full((2, *shape), np.nan)
    for voxel, said in opinions.items():
        values, weight = np.array(said).T if said else (np.zeros(0), np.zeros(0))
        if weight.sum() > 0:
            mean[voxel] = np.average(values, weights=weight)
            variance[voxel] = np.average((values - mean[voxel]) ** 2, weights=weight)
    return mean, variance


@every
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_consensus_equals_the_definition(kernel, dims, weighted) -> None:
    rng = np.random.default_rng(0)
    offsets = KERNELS[kernel].offsets_in(dims)
    prediction = rng.random((len(offsets), *(4, 5, 6)[-dims:]))
    weights = rng.integers(0, 3, len(offsets)) if weighted else None
    found = consensus(prediction, offsets, weights=weights)
    wanted = consensus_by_loop(
        prediction, offsets, np.ones(len(offsets)) if weights is None else weights
    )
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@every
@pytest.mark.parametrize("dims", [2, 3])
def test_voxels_that_were_not_seen_have_no_opinion(kernel, dims) -> None:
    rng = np.random.default_rng(1)
    offsets = KERNELS[kernel].offsets_in(dims)
    prediction = rng.random((len(offsets), *(4, 5, 6)[-dims:]))
    seen = rng.random(prediction.shape[1:]) < 0.5
    found = consensus(prediction, offsets, seen=seen)
    wanted = consensus_by_loop(prediction, offsets, np.ones(len(offsets)), seen=seen)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    with pytest.raises(ValueError, match=r"mask has shape .*, the prediction"):
        consensus(prediction, offsets, seen=seen[1:])


def test_what_is_said_of_no_voxel_is_nan() -> None:
    mean, variance = consensus(np.ones((1, 1, 3)), [(0, 2)])
    np.testing.assert_array_equal(mean, [[np.nan, np.nan, 1]])
    np.testing.assert_array_equal(variance, [[np.nan, np.nan, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, bool])
def test_predictions_as_they_are_stored(dtype) -> None:
    offsets = spec.Box().offsets_in(3)
    values = np.random.default_rng(0).integers(0, 2, (27, 4, 5, 6))
    stored = (values * (255 if dtype is np.uint8 else 1)).astype(dtype)
    for ours, theirs in zip(
        consensus(stored.transpose(0, 3, 2, 1), offsets),
        consensus(values.transpose(0, 3, 2, 1).astype(float), offsets),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)


@every
def test_consensus_of_the_truth_is_the_truth(kernel) -> None:
    """With nothing to disagree about, but for voxels of which nothing is said."""
    labels = labels_of((5, 6, 7))
    offsets = KERNELS[kernel].offsets_in(3)
    truth, _ = occupancy(labels, offsets, mode="foreground")
    mean, variance = consensus(truth, offsets)
    np.testing.assert_array_equal(mean, labels > 0)
    assert not variance.any()


def test_blocks_of_a_consensus_are_those_of_the_whole() -> None:
    """To the bit, where a block reads as far around as the kernel reaches."""
    offsets = spec.Box(size=(3, 5, 3)).offsets_in(3)
    prediction = np.random.default_rng(0).random((len(offsets), 8, 12, 9), np.float32)
    whole = consensus(prediction, offsets)
    block = consensus(prediction[:, 2:7, 1:10, :6], offsets)
    for ours, all_of_it in zip(block, whole, strict=True):
        np.testing.assert_array_equal(ours[1:-1, 2:-2, :5], all_of_it[3:6, 3:8, :5])


def test_offsets_follow_the_rule() -> None:
    """index - (size - 1) // 2 along each axis, row by row."""
    sizes = (3, 4, 1)
    wanted = [
        tuple(i - (n - 1) // 2 for i, n in zip(index, sizes, strict=True))
        for index in np.ndindex(sizes)
    ]
    assert list(spec.Box(size=sizes).offsets_in(3)) == wanted
    assert spec.Box(size=sizes).offsets_in(2) == ((-1, 0), (0, 0), (1, 0), (2, 0))


@pytest.mark.parametrize("radius", [10, 40, 45, 80])
@pytest.mark.parametrize("size", [(40, 4, 4), (10, 10, 10), (30, 12, 9.5)])
def test_a_ball_is_all_within_its_radius(radius, size) -> None:
    steps = np.stack(np.meshgrid(*(np.arange(-25, 26),) * 3, indexing="ij"), -1).reshape(-1, 3)
    within = np.linalg.norm(steps * size, axis=1) <= radius + 1e-6
    wanted = list(map(tuple, steps[within].tolist()))
    ball = spec.Ball(radius=radius, voxel_size=size)
    assert list(ball.offsets_in(3)) == wanted
    assert list(ball.offsets_in(2)) == [step[1:] for step in wanted if step[0] == 0]


def test_half_a_kernel_has_one_of_each_pair() -> None:
    for kernel in KERNELS.values():
        for dims in (2, 3):
            all_of_it = spec.Occupancy(kernel=kernel).offsets_in(dims)
            half = spec.Occupancy(kernel=kernel, half=True).offsets_in(dims)
            opposite = [tuple(-step for step in offset) for offset in half]
            assert not set(half) & set(opposite)
            assert {*half, *opposite} >= set(all_of_it) >= set(half)
    near = spec.Occupancy(half=True).offsets_in(3)
    assert set(spec.NEAREST) < set(near)
    assert near == tuple(spec.Box().offsets_in(3))[:13]


@pytest.mark.parametrize(
    "target",
    [
        spec.Occupancy(mode="foreground"),
        spec.Occupancy(mode="instance"),
        spec.Occupancy(mode="instance", half=True),
    ],
    ids=["foreground", "instance", "half"],
)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", list(itertools.product((False, True), repeat=3)))
def test_the_truth_of_turned_labels_is_found_by_the_offsets(target, order, flips) -> None:
    """What each channel holds of turned labels, turned back, is that of the labels, at its shift;
    of kernels that are the same from all sides, each channel is there."""
    labels, turn = labels_of((5, 6, 7)), Turn(order, flips)
    truth, valid = compute(target, labels, voxel_size=(8, 8, 8))
    turned, _ = compute(target, np.ascontiguousarray(turn.apply(labels)), voxel_size=(8, 8, 8))
    back = turn.undo(turned)
    for channel, opinion in enumerate(target_kind(target).turned(turn)):
        moved = np.roll(back[opinion.channel], [-step for step in opinion.shift], range(3))
        np.testing.assert_array_equal(moved[valid[channel]], truth[channel][valid[channel]])


def test_a_kernel_that_a_turn_does_not_map_onto_itself_leaves_channels_out() -> None:
    flat = target_kind(spec.Occupancy(mode="foreground", kernel=spec.Box(size=(1, 3, 3))))
    swapped = flat.turned(Turn((1, 0, 2), (False,) * 3))
    assert [opinion is None for opinion in swapped] == [True] * 3 + [False] * 3 + [True] * 3
    assert all(flat.turned(Turn((0, 2, 1), (True,) * 3)))


def test_where_channels_look_is_recorded() -> None:
    kinds = [target_kind(spec.Occupancy(mode=mode, kernel=((0, 0), (0, 1)))) for mode in MODES]
    assert [kind.attributes(2, axes=3) for kind in kinds] == [
        {"occupancy_offsets": [[0, 0, 0], [0, 0, 1]]},
        {"neighborhood": [[0, 0, 1]]},
    ]


def test_says_what_is_wrong() -> None:
    labels = np.ones((3, 3, 3), int)
    with pytest.raises(ValueError, match="has 2 entries, labels have 3 axes"):
        occupancy(labels, [(0, 1)])
    with pytest.raises(ValueError, match="mode 'both' is unknown; allowed: foreground, instance"):
        occupancy(labels, [(0, 0, 1)], mode="both")
    with pytest.raises(ValueError, match="crop both"):
        occupancy(labels, [(0, 0, 1)], mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="there are 2 offsets of 3 axes; give"):
        consensus(np.ones((3, 3, 3, 3)), [(0, 0, 1), (0, 0, 0)])
    with pytest.raises(ValueError, match=r"\(1.0,\) are not one number for each of 2 channels"):
        lsd.consensus(np.ones((2, 3, 3)), [(0, 1), (0, 0)], weights=[1])
    with pytest.raises(ValueError, match="a weight is a number, got -1"):
        consensus(np.ones((1, 3, 3)), [(0, 1)], weights=[-1])
    with pytest.raises(ValueError, match="prediction is int64; allowed: floats"):
        consensus(np.ones((1, 3, 3), int), [(0, 1)])
