"""Test-time augmentation of a network that is always right gives what it says without: exactly the
truth."""

import itertools

import numpy as np
import pytest
import torch

from lsd.arrays.turning import Turn
from lsd.prediction.augment import average, opinion_margin, turns_of
from lsd.spec import NEAREST, Affinities, Boundary, Descriptors, Mask
from lsd.targets.target import target_kind

LONG = (*NEAREST, (-3, 0, 0), (0, -3, 0), (0, 0, -3), (2, -3, 1), (-2, 3, 1))
CONTEXT = 7


def labels_of(shape, *, background=True, seed=0):
    """Blobs of a Voronoi partition, some of them background."""
    random = np.random.default_rng(seed)
    seeds = random.uniform(0, shape[0], (12, len(shape)))
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    owner = np.argmin(((grid[..., None, :] - seeds) ** 2).sum(-1), -1)
    return (owner if background else owner + 1).astype(np.uint64)


def true_affinities(labels, neighborhood):
    """Affinities by definition, from the list of all voxels; garbage where the neighbour is
    outside."""
    voxels = np.argwhere(np.ones(labels.shape, bool))
    result = np.full((len(neighborhood), *labels.shape), 0.37, np.float32)
    for channel, offset in zip(result, neighborhood, strict=True):
        others = voxels + offset
        inside = ((others >= 0) & (others < labels.shape)).all(1)
        here, there = labels[tuple(voxels[inside].T)], labels[tuple(others[inside].T)]
        channel[tuple(voxels[inside].T)] = (here == there) & (here != 0)
    return result


def true_descriptors(labels, sigma, radius=CONTEXT):
    """Descriptors of each voxel from the weighted coordinates of its label inside a window, in
    voxels."""
    dims = labels.ndim
    steps = np.stack(
        np.meshgrid(*[np.arange(-radius, radius + 1)] * dims, indexing="ij"), -1
    ).reshape(-1, dims)
    weights = np.exp(-0.5 * (steps**2).sum(1) / sigma**2)
    padded = np.pad(labels, radius)
    pairs = list(itertools.combinations(range(dims), 2))
    result = np.zeros((2 * dims + len(pairs) + 1, *labels.shape), np.float32)
    for index in np.ndindex(*labels.shape):
        if labels[index] == 0:
            continue
        window = padded[tuple(slice(i, i + 2 * radius + 1) for i in index)].reshape(-1)
        w = weights * (window == labels[index])
        mean = w @ steps / w.sum()
        cov = (steps * w[:, None]).T @ steps / w.sum() - np.outer(mean, mean)
        var = np.maximum(np.diag(cov), 1e-3)
        pearson = [cov[i, j] / np.sqrt(var[i] * var[j]) for i, j in pairs]
        values = [
            *(mean / sigma / 2 + 0.5),
            *(var / sigma**2),
            *(np.array(pearson) / 2 + 0.5),
            w.sum() / weights.sum(),
        ]
        result[(slice(None), *index)] = np.clip(values, 0, 1)
    return result


def right(target, dims):
    """A "network" that reads labels as raw and answers with the target; crops CONTEXT."""

    def truth(labels):
        if isinstance(target, Affinities):
            return true_affinities(
                labels, [offset[-dims:] for offset in target.neighborhood if any(offset[-dims:])]
            )
        if isinstance(target, Descriptors):
            found = true_descriptors(labels, target.sigma)
            return found[[int(d) for d in target.components]] if target.components else found
        return (labels % 2).astype(np.float32)[None]

    def forward(raw):
        crop = (..., *(slice(CONTEXT, -CONTEXT) for _ in range(dims)))
        return {
            "head": torch.stack([torch.from_numpy(truth(block[0].numpy()))[crop] for block in raw])
        }

    return forward


CASES = [
    (Affinities(), 3, "transposes"),
    (Affinities(neighborhood=LONG), 3, "transposes"),
    (Affinities(neighborhood=LONG), 3, "flips"),
    (Affinities(neighborhood=((-1, 0), (0, -1), (-2, 3))), 2, "transposes"),
    (Affinities(), 2, "transposes"),
    (Boundary(), 3, "transposes"),
    (Mask(array="mitochondria"), 2, "flips"),
]


@pytest.mark.parametrize(("target", "dims", "mode"), CASES)
def test_the_truth_stays_the_truth(target, dims, mode):
    turns = turns_of(mode, (1,) * dims)
    check_unchanged(target, dims, turns, 3 + 2 * CONTEXT + 7)


@pytest.mark.parametrize("components", [None, "0129", "26", "678"])
@pytest.mark.parametrize("turn", turns_of("transposes", (1, 1, 1))[5::13])
def test_descriptors_turn_like_vectors_and_tensors(components, turn):
    identity = turns_of("none", (1, 1, 1))
    check_unchanged(
        Descriptors(sigma=2.0, components=components), 3, (*identity, turn), 2 + 2 * CONTEXT
    )


@pytest.mark.parametrize("components", [None, "0345"])
@pytest.mark.parametrize("mode", ["flips", "transposes"])
def test_descriptors_in_2d(components, mode):
    check_unchanged(
        Descriptors(sigma=2.0, components=components), 2, turns_of(mode, (1, 1)), 9 + 2 * CONTEXT
    )


def check_unchanged(target, dims, turns, size):
    labels = labels_of((size,) * dims, background=not isinstance(target, Descriptors))
    raw = torch.from_numpy(labels.astype(np.float32))[None, None]
    forward = right(target, dims)
    below, above = opinion_margin(
        [o for turn in turns for o in target_kind(target).turned(turn)], dims
    )
    kept = tuple(slice(b, size - 2 * CONTEXT - a) for b, a in zip(below, above, strict=True))
    got = average(forward, raw, targets={"head": target_kind(target)}, turns=turns, kept=kept)[
        "head"
    ]
    torch.testing.assert_close(got, forward(raw)["head"][(..., *kept)], rtol=0, atol=2e-6)


def test_the_mean_is_of_all_opinions():
    """A network that answers its raw: affinities of a flip are found one voxel on."""
    target = Affinities(neighborhood=((-1, 0),))
    raw = torch.rand(1, 1, 8, 5)
    turns = turns_of("flips", (1, 1))
    got = average(
        lambda x: {"head": x},
        raw,
        targets={"head": target_kind(target)},
        turns=turns,
        kept=(slice(1, 8), slice(0, 5)),
    )["head"]
    torch.testing.assert_close(got, (raw[:, :, 1:] + raw[:, :, :-1]) / 2)


def test_the_lowest_of_all_opinions_is_of_affinities_alone():
    target = Affinities(neighborhood=((-1, 0),))
    raw = torch.rand(1, 1, 8, 5)
    turns, kept = turns_of("flips", (1, 1)), (slice(1, 8), slice(0, 5))
    targets = {"affs": target_kind(target), "mask": target_kind(Mask(array="mito"))}
    got = average(
        lambda x: {"affs": x, "mask": x}, raw, targets=targets, turns=turns, kept=kept, lowest=True
    )
    assert torch.equal(got["affs"], torch.minimum(raw[:, :, 1:], raw[:, :, :-1]))
    torch.testing.assert_close(got["mask"], raw[:, :, 1:])


@pytest.mark.parametrize(
    ("mode", "dims", "count"),
    [("none", 3, 1), ("flips", 3, 8), ("transposes", 3, 48), ("flips", 2, 4)],
)
def test_number_of_turns(mode, dims, count):
    turns = turns_of(mode, (1,) * dims)
    assert len(set(turns)) == count
    assert turns[0] == Turn(tuple(range(dims)), (False,) * dims)


def test_only_axes_that_are_alike_are_swapped():
    turns = turns_of("transposes", (30.0, 4.0, 4.0))
    assert len(turns) == 16
    assert {turn.order for turn in turns} == {(0, 1, 2), (0, 2, 1)}


@pytest.mark.parametrize("turn", turns_of("transposes", (1, 1, 1)))
def test_a_turn_can_be_undone_and_agrees_with_its_offsets(turn):
    array = torch.rand(2, 3, 4, 5, 6)
    assert torch.equal(turn.undo(turn.apply(array)), array)
    cube = torch.zeros(1, 1, 7, 7, 7)
    cube[0, 0, 3, 3, 3], cube[0, 0, 2, 5, 4] = 1, 2
    turned = turn.apply(cube)[0, 0]
    here, there = ((turned == value).nonzero()[0] for value in (1, 2))
    assert tuple((there - here).tolist()) == turn.offset((-1, 2, 1))


def test_margin_is_what_the_shifts_need():
    found = [
        o
        for turn in turns_of("flips", (1, 1, 1))
        for o in target_kind(Affinities(neighborhood=LONG)).turned(turn)
    ]
    assert opinion_margin(found, 3) == ((3, 3, 3), (2, 3, 1))
    assert opinion_margin([None], 2) == ((0, 0), (0, 0))


def test_background_trained_to_zero_stays_zero():
    target = Descriptors(background="zero")
    zero = torch.zeros(1, 10, 4, 4, 4)
    turns = turns_of("transposes", (1, 1, 1))
    got = average(
        lambda raw: {"head": zero},
        zero[:, :1],
        targets={"head": target_kind(target)},
        turns=turns,
        kept=(slice(0, 4),) * 3,
    )
    assert not got["head"].any()
