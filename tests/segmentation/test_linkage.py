"""Average linkage against brute force over voxels, against waterz, and where a boundary has a
hole."""

import numpy as np
import pytest
from scipy import ndimage

from lsd.arrays.lookup import components
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.kernels.linkage import Links, linkage, links
from lsd.targets.affinities import affinities

NEAR = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
FAR = (*NEAR, (-2, 0, 0), (0, 3, -1), (0, 0, 4))
FLAT = ((-1, 0), (0, -1), (-3, 2))


def _made(seed, shape, channels):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(40)[
        np.kron(rng.integers(0, 40, [-(-n // 3) for n in shape]), np.ones([3] * len(shape), int))
    ]
    return rng.random((channels, *shape)), labels[tuple(slice(n) for n in shape)].astype(np.uint64)


def _between(affs, neighborhood, labels, one, other):
    """Sum of weighted affinities and of weights between two sets of ids, voxel by voxel; whether
    they touch."""
    total, weights, touch = 0.0, 0.0, False
    for channel, offset in zip(affs, neighborhood, strict=True):
        length = np.linalg.norm(offset)
        for here in np.ndindex(labels.shape):
            there = tuple(int(n) for n in np.add(here, offset))
            if all(0 <= n < size for n, size in zip(there, labels.shape, strict=True)):
                u, v = int(labels[here]), int(labels[there])
                if (u in one and v in other) or (u in other and v in one):
                    total, weights, touch = (
                        total + channel[here] / length,
                        weights + 1 / length,
                        touch or length == 1,
                    )
    return total, weights, touch


def _joined(affs, neighborhood, labels, caution=0.0, above=1):
    """Heights of the merges, each found by looking at all pairs of regions anew."""
    regions, heights = [{int(i)} for i in np.unique(labels) if i], []
    while True:
        found = []
        for a in range(len(regions)):
            for b in range(a):
                total, weights, touch = _between(affs, neighborhood, labels, regions[a], regions[b])
                if touch:
                    smaller = min(int(np.isin(labels, list(regions[n])).sum()) for n in (a, b))
                    found.append((1 - total / weights * min(1.0, above / smaller) ** caution, a, b))
        if not found:
            return heights
        height, a, b = min(found)
        heights.append(height)
        regions[b] |= regions.pop(a)


@pytest.mark.parametrize(("shape", "neighborhood"), [((6, 5, 9), FAR), ((9, 12), FLAT)])
@pytest.mark.parametrize("seed", range(3))
def test_links_against_brute_force(seed, shape, neighborhood):
    affs, labels = _made(seed, shape, len(neighborhood))
    found = links(affs, neighborhood, labels)
    known = {
        tuple(pair): values for pair, *values in zip(found.pairs.tolist(), *found[1:], strict=True)
    }
    ids = [int(i) for i in np.unique(labels) if i]
    for u in ids:
        for v in ids:
            total, weights, touch = _between(affs, neighborhood, labels, {u}, {v})
            if u < v and weights:
                assert known.pop((u, v)) == [pytest.approx(total), pytest.approx(weights), touch]
    assert not known


@pytest.mark.parametrize("caution", [0.0, 0.2, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_heights_against_brute_force(seed, caution):
    affs, labels = _made(seed, (4, 6, 6), len(FAR))
    labels %= 9
    _, heights = linkage(
        links(affs, FAR, labels),
        np.bincount(labels.reshape(-1).astype(int)),
        caution=caution,
        above=10,
    )
    np.testing.assert_allclose(heights, _joined(affs, FAR, labels, caution, 10), rtol=1e-5)


def test_large_regions_join_later_than_small_ones_of_the_same_affinity():
    """Two halves of a bar with crumbs on the contact of one half; all affinities are the same."""
    labels = np.ones((4, 4, 40), np.uint64)
    labels[..., 20:] = 2
    labels[:, 0, :20:2] = np.arange(3, 13, dtype=np.uint64)
    affs = np.full((3, *labels.shape), 0.8, np.float32)
    edges, scores = agglomerate(affs, labels, scoring="mean", caution=0.5, cautious_above=20)
    score = dict(zip(map(tuple, edges.tolist()), scores.tolist(), strict=True))
    smaller = min((labels == 1).sum() + (labels > 2).sum(), (labels == 2).sum())
    assert score.pop((1, 2)) == pytest.approx(1 - 0.8 * (20 / smaller) ** 0.5)
    assert set(np.round(list(score.values()), 6)) == {0.2}, "crumbs join as they would without"
    _, careless = agglomerate(affs, labels, scoring="mean", caution=0.5, cautious_above=10_000)
    np.testing.assert_allclose(careless, 0.2, atol=1e-6)


def test_caution_wants_a_mean():
    with pytest.raises(
        ValueError, match=r"caution 0\.2 goes with scoring mean or mean_all, got 'hist_quant_75'"
    ):
        agglomerate(
            np.zeros((3, 2, 2, 2)),
            np.ones((2, 2, 2), np.uint64),
            scoring="hist_quant_75",
            caution=0.2,
        )


@pytest.mark.parametrize("seed", range(3))
def test_near_affinities_alone_are_the_mean(seed):
    affs, labels = _made(seed, (12, 15, 15), 3)
    edges, scores = agglomerate(affs, labels, scoring="mean_all", neighborhood=NEAR)
    theirs, expected = agglomerate(affs, labels, scoring="mean")
    np.testing.assert_array_equal(edges, theirs)
    np.testing.assert_array_equal(scores, expected)


def test_far_affinities_keep_apart_what_a_hole_would_join():
    """Two bars and between them a third whose walls the near affinities miss."""
    truth = np.zeros((4, 14, 8), np.uint64)
    truth[:, :6], truth[:, 6:8], truth[:, 8:] = 1, 2, 3
    neighborhood = (*NEAR, (0, -6, 0))
    affs, _ = affinities(truth, neighborhood)
    affs = affs.astype(np.float32)
    affs[:3] = 0.95
    edges, near = agglomerate(affs[:3], truth, scoring="mean")
    _, all_ = agglomerate(affs, truth, scoring="mean_all", neighborhood=neighborhood)
    nodes = np.arange(4, dtype=np.uint64)
    assert len(set(components(nodes, edges, near, 0.3)[1:])) == 1
    assert len(set(components(nodes, edges, all_, 0.3)[1:])) > 1


def test_ids_dtypes_and_flat_networks():
    affs, labels = _made(0, (5, 12, 12), len(FLAT))
    labels = np.where(
        labels > 0, labels + np.arange(5, dtype=np.uint64)[:, None, None] * np.uint64(100), 0
    )
    large = np.where(labels > 0, labels + np.uint64(2**63), 0)
    kept = affs.copy(), large.copy()
    edges, scores = agglomerate(affs, large, scoring="mean_all", neighborhood=FLAT)
    np.testing.assert_array_equal(kept[0], affs)
    np.testing.assert_array_equal(kept[1], large)
    sections = [
        agglomerate(affs[:, z], labels[z], scoring="mean_all", neighborhood=FLAT) for z in range(5)
    ]
    np.testing.assert_array_equal(
        edges - np.uint64(2**63), np.concatenate([found for found, _ in sections])
    )
    np.testing.assert_array_equal(scores, np.concatenate([found for _, found in sections]))
    stored = (affs * 255).round().astype(np.uint8)
    np.testing.assert_allclose(
        agglomerate(stored, large, scoring="mean_all", neighborhood=FLAT)[1],
        agglomerate(stored / 255, large, scoring="mean_all", neighborhood=FLAT)[1],
        atol=1e-6,
    )


def test_many_pairs_and_none():
    labels = ndimage.zoom(np.arange(20 * 30 * 30).reshape(20, 30, 30), 2, order=0).astype(np.uint64)
    affs = np.random.default_rng(0).random((3, *labels.shape)).astype(np.float32)
    found = links(affs, NEAR, labels)
    assert len(found.pairs) > 40_000
    assert (np.diff(found.pairs[:, 0] * (1 << 32) + found.pairs[:, 1]) > 0).all()
    assert len(links(affs, NEAR, np.ones_like(labels)).pairs) == 0
    pairs, _ = linkage(found, np.bincount(labels.reshape(-1).astype(int)))
    assert len(pairs) == labels.max() - 1, "all of them in the end"


def test_a_region_with_very_many_neighbours():
    """One region takes in crumbs that touch it, some of which touch each other; that all links of
    a large region are gone through at each of its merges would take minutes here."""
    rng = np.random.default_rng(0)
    crumbs = np.arange(2, 120_002)
    beside = np.stack([crumbs[:-1:4], crumbs[1::4]], axis=1)
    pairs = np.concatenate([np.stack([np.ones_like(crumbs), crumbs], axis=1), beside])
    means = np.concatenate([rng.random(len(crumbs)) * 0.9, rng.random(len(beside)) * 0.05 + 0.92])
    weights = rng.integers(1, 9, len(pairs)).astype(float)
    between = Links(pairs, means * weights, weights.copy(), np.ones(len(pairs), np.bool_))
    merges, heights = linkage(between, np.ones(120_002, np.int64), caution=0)
    # crumbs that touch join first, and then count together; the region takes all in their order
    first, second = (np.searchsorted(crumbs, side) for side in beside.T)
    total = weights[first] + weights[second]
    together = (means[first] * weights[first] + means[second] * weights[second]) / total
    alone = np.delete(means[: len(crumbs)], np.concatenate([first, second]))
    expected = np.concatenate([means[len(crumbs) :], together, alone])
    assert len(merges) == len(crumbs)
    np.testing.assert_allclose(np.sort(heights), np.sort(1 - expected), atol=1e-6)


def test_a_region_that_grew_a_little_waits_a_little_longer():
    """A bar of two halves, a crumb on each: the halves come up, wait, grow by a voxel, and wait
    again."""
    labels = np.repeat(np.array([3, 1, 2, 4], np.uint64), [1, 20, 20, 1])[None, None]
    affs = np.zeros((3, *labels.shape), np.float32)
    affs[2, 0, 0, [1, 41]], affs[2, 0, 0, 21] = 0.75, 0.8
    edges, scores = agglomerate(affs, labels, caution=0.2, cautious_above=10)
    assert edges.tolist() == [[1, 2], [1, 3], [2, 4]]
    assert scores.tolist() == pytest.approx([1 - 0.8 * (10 / 21) ** 0.2, 0.25, 0.25], abs=1e-6)
