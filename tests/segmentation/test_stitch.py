"""Labels of blocks that share voxels: which are one, by definition; and whole volumes from their
blocks."""

from fractions import Fraction

import numpy as np
import pytest
from cut_blocks import PERFECT, cut, instances, is_renaming, renamed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lsd.segmentation.stitch import Rule, same, stitch

LARGEST = 2**64 - 1


def by_definition(first, second, rule):
    """Every pair of ids, one after another, in fractions."""
    one, both = Fraction(str(rule.one)), Fraction(str(rule.both))
    found = []
    for u in sorted(set(first.reshape(-1).tolist()) - {0}):
        for v in sorted(set(second.reshape(-1).tolist()) - {0}):
            a, b = int((first == u).sum()), int((second == v).sum())
            o = int(((first == u) & (second == v)).sum())
            by_share = o > one * a or o > one * b or (o > both * a and o > both * b)
            if o and (
                (rule.always is not None and o > rule.always) or (o > rule.least and by_share)
            ):
                found.append([u, v])
    return found


RULES = st.builds(
    Rule,
    always=st.one_of(st.none(), st.integers(0, 40)),
    least=st.integers(0, 8),
    one=st.sampled_from([0, 0.1, 0.29, 1 / 3, 0.4, 0.5, 1]),
    both=st.sampled_from([0, 0.1, 0.2, 0.25, 0.3, 0.7, 1]),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(9, 10), (4, 5, 6), (1, 7, 7), (3, 1, 1)]), RULES)
def test_same_is_the_rule_for_every_pair(seed, shape, rule) -> None:
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 5, shape).astype(np.uint64) for _ in range(2))
    second = np.where(rng.random(shape) < 0.5, first, second)
    found = same(first, second, rule=rule)
    assert found.dtype == np.uint64
    assert found.shape[1:] == (2,)
    assert found.tolist() == by_definition(first, second, rule)


@pytest.mark.parametrize(
    ("common", "area", "other", "rule", "joined"),
    [
        # 0.29 * 100 is 28.999999999999996 in floats, and 0.07 * 100 is 7.000000000000001
        (29, 100, 1000, Rule(10**6, 0, 0.29, 1), False),
        (30, 100, 1000, Rule(10**6, 0, 0.29, 1), True),
        (7, 100, 1000, Rule(10**6, 0, 0.07, 1), False),
        (8, 100, 1000, Rule(10**6, 0, 0.07, 1), True),
        (29, 100, 100, Rule(10**6, 0, 1, 0.29), False),
        (30, 100, 100, Rule(10**6, 0, 1, 0.29), True),
        (30, 100, 101, Rule(10**6, 0, 1, 0.3), False),
        (31, 100, 103, Rule(10**6, 0, 1, 0.3), True),
        (31, 100, 104, Rule(10**6, 0, 1, 0.3), False),
        (5, 6, 6, Rule(10**6, 5, 0.1, 0.1), False),
        (6, 6, 6, Rule(10**6, 5, 0.1, 0.1), True),
        (5, 100, 100, Rule(5, 0, 1, 1), False),
        (6, 100, 100, Rule(5, 100, 1, 1), True),
        (6, 100, 100, Rule(None, 100, 0, 0), False),
        (6, 100, 100, Rule(float("inf"), 0, 1, 1), False),
        (1, 1, 1, Rule(10**6, 0, 0.4, 0.3), True),
        (1, 1, 1, Rule(10**6, 0, 1, 1), False),
        (4, 10, 40, Rule(10**6, 0, np.float32(0.4), 1), False),
    ],
)
def test_thresholds_are_exact(common, area, other, rule, joined) -> None:
    line = np.zeros((1, area + other), np.uint64)
    first, second = line.copy(), line.copy()
    first[0, :area] = LARGEST
    second[0, area - common : area - common + other] = LARGEST - 1
    for one, two in ((first, second), (second, first)):
        ids = [[int(one.max()), int(two.max())]]
        assert same(one, two, rule=rule).tolist() == (ids if joined else [])


def test_areas_count_what_is_background_in_the_other() -> None:
    first = np.array([[3, 3, 3, 3, 0, 0]])
    second = np.array([[7, 7, 0, 0, 7, 7]])
    assert same(first, second, rule=Rule(10**6, 0, 0.5, 0.5)).tolist() == []
    assert same(first, second, rule=Rule(10**6, 0, 0.49, 0.5)).tolist() == [[3, 7]]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, ">u4", np.int64, np.uint64])
def test_ids_of_any_type_and_neither_is_changed(dtype) -> None:
    rng = np.random.default_rng(1)
    first, second = (rng.integers(0, 2, (4, 5, 6)).astype(dtype) for _ in range(2))
    kept = first.copy(), second.copy()
    plain = [np.asarray(a, np.uint64) for a in (first, second)]
    rule = Rule(10, 2, 0.4, 0.3)
    expected = same(*plain, rule=rule)
    assert same(first[:, ::-1].T, second[:, ::-1].T, rule=rule).tolist() == expected.tolist()
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(second, kept[1])


def test_what_is_refused() -> None:
    labels = np.ones((2, 3), int)
    rule = Rule(10, 2, 0.4, 0.3)
    with pytest.raises(ValueError, match=r"first has shape \(2, 3\), second \(3, 2\)"):
        same(labels, labels.T, rule=rule)
    with pytest.raises(ValueError, match=r"second: ids are 0 \(background\) or positive, got -1"):
        same(labels, -labels, rule=rule)
    with pytest.raises(ValueError, match="first: ids must be whole numbers"):
        same(labels / 2, labels, rule=rule)
    with pytest.raises(ValueError, match=r"2D or 3D whole numbers, got 1D"):
        same(labels[0], labels[0], rule=rule)
    with pytest.raises(ValueError, match="called without rule"):
        same(labels, labels)
    with pytest.raises(ValueError, match="least"):
        Rule(always=10, least=-1, one=0.4, both=0.3)
    with pytest.raises(ValueError, match="most"):
        Rule(most=10)
    assert Rule(1, 2, 0.3, 0.4) == Rule(always=1, least=2, one=0.3, both=0.4)
    assert Rule.model_validate_json(rule.model_dump_json()) == rule


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(20, 27), (9, 11, 13)]),
    st.lists(st.integers(4, 8), min_size=3, max_size=3),
    st.lists(st.integers(1, 3), min_size=3, max_size=3),
)
def test_blocks_that_agree_are_the_whole(seed, shape, size, overlap) -> None:
    labels = instances(shape, seed)
    blocks = cut(labels, size[: len(shape)], overlap[: len(shape)], seed=seed)
    found = stitch([block for _, block in blocks], [begin for begin, _ in blocks], rule=PERFECT)
    assert found.dtype == np.uint64
    assert is_renaming(found, labels)
    assert sorted(np.unique(found[found > 0])) == list(range(1, int(found.max()) + 1))


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(20, 27), (9, 11, 13)]),
    st.lists(st.integers(2, 8), min_size=3, max_size=3),
)
def test_blocks_that_only_touch_are_the_whole_where_objects_do_not(seed, shape, size) -> None:
    """Each object is one piece, so its parts meet at faces, and there with nothing else."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    labels = ndimage.label(noise > np.quantile(noise, 0.5))[0].astype(np.uint64)
    blocks = cut(labels, size[: len(shape)], (0,) * len(shape), seed=seed)
    parts, begins = [block for _, block in blocks], [begin for begin, _ in blocks]
    found = stitch(parts, begins, rule=Rule(always=0), touching=True)
    assert is_renaming(found, labels)


def test_the_order_of_blocks_and_their_ids_change_nothing() -> None:
    rng = np.random.default_rng(3)
    labels = instances((14, 15, 16), 3)
    blocks = cut(labels, (6, 7, 8), (2, 2, 3))
    expected = stitch([b for _, b in blocks], [begin for begin, _ in blocks], rule=PERFECT)
    for _ in range(3):
        order = rng.permutation(len(blocks))
        found = stitch([blocks[n][1] for n in order], [blocks[n][0] for n in order], rule=PERFECT)
        np.testing.assert_array_equal(found, expected)
    again = stitch(
        [renamed(b, rng) for _, b in blocks], [begin for begin, _ in blocks], rule=PERFECT
    )
    assert is_renaming(again, expected)


@pytest.mark.parametrize("step", [(5, 0, 0), (0, 5, 5), (5, 5, 5), (-5, 5, 0), (-5, 5, -5)])
def test_over_faces_edges_and_corners(step) -> None:
    """A cube in the one voxel, line or plane that two blocks share."""
    first, second = np.zeros((6, 6, 6), np.uint8), np.zeros((6, 6, 6), np.uint8)
    here = tuple(slice(max(s, 0), 6 + min(s, 0)) for s in step)
    there = tuple(slice(max(-s, 0), 6 - max(s, 0)) for s in step)
    first[here], second[there] = 3, 4
    first[2, 2, 2] = 9
    found = stitch([first, second], [(7, -2, 0), tuple(np.add((7, -2, 0), step))], rule=PERFECT)
    assert len(np.unique(found)) == 3
    apart = stitch(
        [first, second],
        [(7, -2, 0), tuple(np.add((7, -2, 0), step))],
        rule=Rule(None, 10**6, 0.5, 0.5),
    )
    assert apart.shape == found.shape
    assert (apart > 0).tolist() == (found > 0).tolist()


def test_a_chain_over_many_blocks() -> None:
    line = np.repeat(np.array([[1], [0], [2]], np.uint64), 200, axis=1)
    blocks = cut(line, (3, 7), (0, 1))
    assert len(blocks) > 30
    found = stitch([b for _, b in blocks], [begin for begin, _ in blocks], rule=PERFECT)
    assert is_renaming(found, line)
    assert found.max() == 2


def test_a_voxel_goes_to_the_block_in_whose_middle_it_lies() -> None:
    first, second = np.full((4, 10), 5), np.full((4, 10), 6)
    apart = Rule(None, 10**6, 1, 1)
    found = stitch([first, second], [(0, 0), (0, 6)], rule=apart)
    np.testing.assert_array_equal(found, [[1] * 8 + [2] * 8] * 4)
    # of two that are as near, to the one that begins first
    found = stitch([first, second], [(0, 0), (0, 5)], rule=apart)
    np.testing.assert_array_equal(found, [[1] * 8 + [2] * 7] * 4)


def test_objects_without_a_voxel_of_their_own_are_not_there() -> None:
    first, second = np.zeros((1, 10), int), np.zeros((1, 10), int)
    first[0, [0, 9]] = 7, 8
    second[0, 9] = 9
    found = stitch([second, first], [(0, 6), (0, 0)], rule=PERFECT)
    np.testing.assert_array_equal(found, [[1] + [0] * 14 + [2]])


def test_what_lies_between_blocks_is_background() -> None:
    found = stitch([np.ones((2, 2), int)] * 2, [(0, 0), (-3, 4)], rule=PERFECT)
    expected = np.zeros((5, 6), int)
    expected[:2, 4:], expected[3:, :2] = 1, 2
    np.testing.assert_array_equal(found, expected)


def test_blocks_that_only_touch() -> None:
    labels = np.zeros((6, 12), np.uint64)
    labels[1:5, 2:10] = 1
    blocks = [*cut(labels, (6, 6), (0, 0)), ((6, 6), np.ones((2, 6), np.uint64))]
    parts, begins = [b for _, b in blocks], [begin for begin, _ in blocks]
    assert stitch(parts, begins, rule=PERFECT).max() == 3
    found = stitch(parts, begins, rule=PERFECT, touching=True)
    assert found.max() == 2
    np.testing.assert_array_equal(found[:6], labels)
    corner = stitch([np.ones((2, 2), int)] * 2, [(0, 0), (2, 2)], rule=PERFECT, touching=True)
    assert corner.max() == 2


def test_blocks_that_cannot_be_stitched() -> None:
    block = np.ones((2, 2), int)
    with pytest.raises(ValueError, match="blocks 0 and 1 lie in one place"):
        stitch([block, block], [(1, 1), (1, 1)], rule=PERFECT)
    with pytest.raises(ValueError, match="2 blocks and 1 begins"):
        stitch([block, block], [(1, 1)], rule=PERFECT)
    with pytest.raises(ValueError, match="0 blocks"):
        stitch([], [], rule=PERFECT)
    with pytest.raises(ValueError, match="2, 3 axes"):
        stitch([block, block], [(1, 1), (1, 1, 1)], rule=PERFECT)
    with pytest.raises(ValueError, match="block 1: ids are 0"):
        stitch([block, -block], [(1, 1), (2, 1)], rule=PERFECT)
