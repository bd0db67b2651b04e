"""Segmentation in blocks: one block is the whole, many leave no contact out, and perfect affinities
give the truth back."""

import numpy as np
import pytest
from funlib.geometry import Roi
from hypothesis import given, settings
from hypothesis import strategies as st
from in_blocks import (
    BEGIN,
    SHAPE,
    THRESHOLDS,
    WAYS,
    contacts,
    each,
    masked,
    noise,
    on_affinities,
    segmented,
)
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.decoders.watershed import WatershedDecoder
from lsd.segmentation.over_blocks.edges import edge_context
from lsd.segmentation.over_blocks.fragments import FRAGMENTS
from lsd.segmentation.over_blocks.inputs import segmentation_grid, voxels_per_block
from lsd.spec import NEAREST, Segment
from lsd.targets.affinities import affinities
from lsd.volumes.array import open_array


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("with_mask", [False, True], ids=["", "mask"])
def test_one_block_is_the_whole(tmp_path, way, with_mask) -> None:
    neighborhood, shape, options = WAYS[way]
    affs = noise(len(neighborhood), shape, 0)
    mask = np.random.default_rng(1).random(shape) < 0.9 if with_mask else None
    asked = Segment(fragments=options, block=(32, 32, 32), thresholds=THRESHOLDS)
    found = segmented(tmp_path, affs, neighborhood, asked, mask=mask)
    assert len(found.grid) == 1
    expected = decode(affs, neighborhood, asked, mask=mask, first_section=BEGIN[0])
    np.testing.assert_array_equal(found.fragments, expected.fragments)
    np.testing.assert_array_equal(found.pairs, expected.edges)
    np.testing.assert_array_equal(found.edges["score"], expected.scores)
    for threshold in THRESHOLDS:
        np.testing.assert_array_equal(found.segments[threshold], expected.segmentation(threshold))
    assert len(np.unique(expected.segmentation(0.28))) < len(np.unique(expected.fragments))


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(sorted(WAYS)),
    st.tuples(*[st.integers(4, 15)] * 3),
    st.tuples(*[st.integers(0, 5)] * 3),
    st.integers(0, 1000),
    st.sampled_from(
        [("mean", 0.0), ("hist_quant_75", 0.0), ("mean_all", 0.0), ("mean", 0.3), ("mean_all", 0.3)]
    ),
    st.sampled_from(["auto", "blocks"]),
)
def test_every_contact_is_an_edge_once_and_no_fragment_leaves_its_block(
    tmp_path_factory, way, block, context, seed, scoring, agglomeration
) -> None:
    neighborhood, shape, options = WAYS[way]
    kind, caution = scoring
    how = {
        "scoring": kind,
        "caution": caution,
        "cautious_above": 20,
        "agglomeration": agglomeration,
    }
    asked = Segment(fragments=options, block=block, context=context, thresholds=THRESHOLDS, **how)
    affs = noise(len(neighborhood), shape, seed)
    found = segmented(tmp_path_factory.mktemp("blocks"), affs, neighborhood, asked, seed=seed)
    pairs = list(map(tuple, found.pairs.tolist()))
    assert len(set(pairs)) == len(pairs)
    assert set(pairs) == contacts(found.fragments, neighborhood)
    scores = found.edges["score"]
    assert ((scores >= 0) & (scores <= 1) | np.isinf(scores)).all()
    for number in found.grid:
        here = found.fragments[(number.write - found.grid.roi.begin).to_slices()]
        ids, sizes = np.unique(here[here > 0], return_counts=True)
        assert ids.tolist() == [
            number.index * voxels_per_block(found.grid) + n + 1 for n in range(len(ids))
        ]
        assert sizes.tolist() == found.sizes[number.index]


@settings(max_examples=8, deadline=None)
@given(
    st.sampled_from(sorted(WAYS)),
    st.tuples(*[st.integers(7, 15)] * 3),
    st.sampled_from(["mean", "mean_all"]),
    st.integers(0, 99),
)
def test_over_the_whole_volume_blocks_change_no_score(
    tmp_path_factory, way, block, scoring, seed
) -> None:
    neighborhood, shape, options = WAYS[way]
    how = {"scoring": scoring, "caution": 0.3, "cautious_above": 20}
    asked = Segment(fragments=options, block=block, thresholds=THRESHOLDS, **how)
    affs = noise(len(neighborhood), shape, seed)
    found = segmented(
        tmp_path_factory.mktemp("blocks"), affs, neighborhood, asked, seed=seed, noting=False
    )
    edges, scores = agglomerate(affs, found.fragments, neighborhood=neighborhood, **how)
    np.testing.assert_array_equal(found.pairs, edges)
    # the same numbers, added in another order where several blocks hold affinities of one pair
    np.testing.assert_allclose(found.edges["score"], scores, rtol=1e-5)


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(sorted(WAYS)), st.tuples(*[st.integers(7, 15)] * 3), st.integers(0, 99))
def test_blocks_that_see_all_around_them_are_the_whole(tmp_path_factory, way, block, seed) -> None:
    """What faces cut is put together again: fragments at threshold 0, and so segments at any."""
    neighborhood, shape, options = WAYS[way]
    how = {"thresholds": (0.0, *THRESHOLDS), "caution": 0.3, "cautious_above": 20}
    asked = Segment(fragments=options, block=block, context=SHAPE, **how)
    rng = np.random.default_rng(seed)
    # no two alike: which of two equals joins first goes by ids
    unlike = rng.uniform(0.01, 0.1, (len(neighborhood), *shape))
    affs = (noise(len(neighborhood), shape, seed) / 300 + unlike).astype(np.float32)
    found = segmented(tmp_path_factory.mktemp("blocks"), affs, neighborhood, asked, seed=seed)
    whole = decode(affs, neighborhood, asked, first_section=BEGIN[0])
    for threshold in asked.thresholds:
        expected = whole.segmentation(threshold)
        assert ((found.segments[threshold] > 0) == (expected > 0)).all()
        pairs = count_pairs(found.segments[threshold], expected)
        assert len(pairs.first) == len(np.unique(pairs.first)) == len(np.unique(pairs.second)), (
            threshold
        )


@pytest.mark.parametrize("agglomeration", ["auto", "blocks"])
@pytest.mark.parametrize("way", WAYS)
def test_the_order_of_blocks_changes_nothing(tmp_path, way, agglomeration) -> None:
    neighborhood, shape, options = WAYS[way]
    how = {"scoring": "mean_all", "agglomeration": agglomeration}
    asked = Segment(
        fragments=options, block=(8, 10, 12), context=(2, 3, 4), thresholds=THRESHOLDS, **how
    )
    affs = noise(len(neighborhood), shape, 3)
    one, other = (
        segmented(tmp_path / str(seed), affs, neighborhood, asked, seed=seed) for seed in (0, 10)
    )
    np.testing.assert_array_equal(one.fragments, other.fragments)
    np.testing.assert_array_equal(np.sort(one.edges), np.sort(other.edges))
    for threshold in THRESHOLDS:
        np.testing.assert_array_equal(one.segments[threshold], other.segments[threshold])


def neurons(shape, seed):
    """Cells around random points, apart by background."""
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, int)
    for i in range(6):
        seeds[tuple(rng.integers(0, s) for s in shape)] = i + 1
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    labels = seeds[tuple(nearest)].astype(np.uint64)
    edge = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    return np.where(edge, 0, labels * np.uint64(2**60 + 1)).astype(np.uint64)


def pieces(labels, inside, *, in_sections):
    """Labels of what hangs together."""
    structure = ndimage.generate_binary_structure(labels.ndim, 1)
    if in_sections:
        structure[[0, 2]] = False
    found, last = np.zeros(labels.shape, int), 0
    for label in np.unique(labels[inside]):
        piece, count = ndimage.label(inside & (labels == label), structure)
        found[piece > 0] = piece[piece > 0] + last
        last += count
    return found


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["3d", "in_xy", "2d network", "plane"]),
    st.tuples(*[st.integers(5, 15)] * 3),
    st.integers(0, 4),
    st.integers(0, 1000),
    st.booleans(),
)
def test_perfect_affinities_give_the_truth_back(
    tmp_path_factory, way, block, context, seed, with_mask
) -> None:
    neighborhood, shape, options = WAYS[way]
    labels = neurons(shape, seed)
    sections = labels if way == "2d network" else [labels]
    affs = np.stack([affinities(part, neighborhood)[0] for part in sections], axis=1)
    affs = affs if way == "2d network" else affs[:, 0]
    mask = np.ones(shape, bool)
    mask[..., 17:] = not with_mask
    asked = Segment(
        fragments=options.derive(foreground_only=True),
        block=block,
        context=(context,) * 3,
        thresholds=THRESHOLDS,
    )
    found = segmented(
        tmp_path_factory.mktemp("blocks"),
        affs,
        neighborhood,
        asked,
        mask=mask if with_mask else None,
        seed=seed,
    )
    inside = (labels > 0) & (found.fragments > 0)
    assert not found.fragments[~mask].any()
    assert inside.sum() > 0.6 * ((labels > 0) & mask).sum()
    segments = found.segments[0.5]
    assert len(count_pairs(segments[inside], labels[inside]).first) == len(
        np.unique(segments[inside])
    ), "in one neuron each"
    truth = pieces(labels, inside, in_sections=way == "2d network")
    assert len(count_pairs(segments[inside], truth[inside]).first) == truth.max(), (
        "in one segment each"
    )


class Counting:
    """An array that counts how often it is read."""

    def __init__(self, array) -> None:
        self.array, self.roi, self.reads = array, array.roi, []

    def read(self, roi, **options):
        self.reads.append(roi)
        return self.array.read(roi, **options)


def test_the_neighbour_s_side_of_a_contact_is_looked_at_without_any_context() -> None:
    assert edge_context(Segment(edge_context=(0, 5, 0)), 3) == (1, 5, 1)
    assert edge_context(Segment(edge_context=(7, 0, 2)), 2) == (1, 2)


def test_affinities_are_read_for_blocks_in_the_mask_only(tmp_path) -> None:
    asked = Segment(fragments=WAYS["3d"][2], block=(7, 11, 13), context=(3, 3, 3), use_mask=True)
    mask = np.zeros(SHAPE, bool)
    mask[:7, :11, :13] = True
    mask[13, 21, 25] = True
    segmented(tmp_path, noise(3, SHAPE, 0), NEAREST, asked, mask=mask)
    grid = segmentation_grid(Roi(BEGIN, SHAPE), asked)
    roi, given = Roi(BEGIN, SHAPE), open_array(tmp_path / "in.zarr", "affs")
    inputs = on_affinities(asked, roi, given, NEAREST, masked(tmp_path, roi, mask))
    decoder = WatershedDecoder(asked.decoder)
    fragments = decoder.first(inputs, tmp_path).open(0)
    edges = decoder.edges_of_blocks(inputs, tmp_path / "out.zarr").open(0)
    counting = fragments.arrays["affs"] = Counting(fragments.arrays["affs"])
    edges.affs = counting
    with_fragments = set()
    for function in (fragments, edges):
        for block, found in each(grid, function, 0):
            if len(counting.reads) == 0:
                assert len(found.rows) == 0
                assert not any(array.any() for array in found.arrays.values())
            elif function is fragments:
                with_fragments.add(block.index)
            counting.reads.clear()
    assert len(grid) == 8
    assert with_fragments == {0, 7}
    assert set(np.unique(open_array(tmp_path / "out.zarr", FRAGMENTS).read(grid.roi)) > 0) == {
        False,
        True,
    }


@given(
    st.tuples(*[st.integers(1, 3000)] * 3), st.tuples(*[st.integers(1, 600)] * 3), st.integers(2, 3)
)
def test_blocks_are_even_and_as_few_as_they_can_be(shape, most, dims) -> None:
    grid = segmentation_grid(
        Roi((7,) * dims, shape[-dims:]), Segment(block=most, context=(4, 5, 6))
    )
    most = most[-dims:]
    assert all(n <= m for n, m in zip(grid.write_shape, most, strict=True))
    assert tuple(grid.shape) == tuple(-(-n // m) for n, m in zip(shape[-dims:], most, strict=True))
    assert grid.context == ((4, 5, 6)[-dims:],) * 2
    assert all(
        n in (s, m) or n % 32 == 0
        for n, s, m in zip(grid.write_shape, shape[-dims:], most, strict=True)
    )
