"""Perfect affinities give the labels back, through every decoder; real ones come near."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lsd.arrays.pairs import count_pairs
from lsd.evaluation.partition import compare
from lsd.segmentation.decode import decode
from lsd.spec import NEAREST, Fragments, Mutex, Segment
from lsd.targets.affinities import affinities

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def _neurons(seed, shape=(18, 24, 26), count=7):
    """Cells around random points, apart by background."""
    rng = np.random.default_rng(seed)
    seeds = np.zeros(shape, int)
    for i in range(count):
        seeds[tuple(rng.integers(0, s) for s in shape)] = i + 1
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    labels = seeds[tuple(nearest)].astype(np.uint64)
    edge = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    return np.where(edge, 0, labels * np.uint64(2**60 + 1)).astype(np.uint64)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from(["mean", "hist_quant_50", "hist_quant_75", "hist_quant_75_max"]),
)
def test_watershed_and_agglomeration(seed, scoring) -> None:
    labels = _neurons(seed)
    affs, _ = affinities(labels, NEAREST)
    # a neuron thinner than its surroundings has no seed of its own unless the box is small
    options = Fragments(foreground_only=True, min_seed_distance=3)
    found = decode(affs, NEAREST, Segment(scoring=scoring, fragments=options))
    inside = (labels > 0) & (found.fragments > 0)
    assert inside.sum() > 0.6 * (labels > 0).sum()
    segments, pieces = found.segmentation(0.5)[inside], _pieces(labels, inside)
    assert len(count_pairs(segments, labels[inside]).first) == len(np.unique(segments)), (
        "no segment in two neurons"
    )
    assert len(count_pairs(segments, pieces).first) == pieces.max(), "no piece in two segments"


def _pieces(labels, inside):
    """Labels; pieces of one that the erosion has cut apart are different neurons to any decoder."""
    pieces, last = np.zeros(labels.shape, int), 0
    for label in np.unique(labels[inside]):
        piece, count = ndimage.label(inside & (labels == label))
        pieces += np.where(piece > 0, piece + last, 0)
        last += count
    return pieces[inside]


@pytest.mark.parametrize("seed", range(3))
def test_mutex(seed) -> None:
    pytest.importorskip("mwatershed")
    labels = _neurons(seed)
    neighborhood = (*NEAREST, (-4, 0, 0), (0, -4, 0), (0, 0, -4))
    affs, _ = affinities(labels, neighborhood)
    found = decode(affs, neighborhood, Segment(decoder="mutex", mutex=Mutex(bias=(0.0, 0.0))))
    inside = (labels > 0) & (found.fragments > 0)
    assert inside.sum() > 0.95 * (labels > 0).sum()
    assert len(found.edges) == 0
    segments = found.segmentation(0.5)[inside]
    # long offsets reach from piece to piece of a neuron, but not over every gap
    assert (
        len(count_pairs(segments, labels[inside]).first)
        == len(np.unique(segments))
        <= _pieces(labels, inside).max()
    )


@pytest.mark.faults
def test_boundaries_of_another_system() -> None:
    zarr = pytest.importorskip("zarr")
    if not (DATA / "gala_fib.zarr").exists():
        pytest.skip("gala_fib.zarr is not here")
    volumes = zarr.open(str(DATA / "gala_fib.zarr"), "r")["volumes"]
    affs = np.stack([1 - volumes["predictions/boundary_probability"][:]] * 3)
    truth = volumes["labels/neuron_ids"][:]
    found = decode(affs, NEAREST, Segment())
    assert compare(found.fragments, truth).voi_sum > 2.5
    assert compare(found.segmentation(0.92), truth).voi_sum < 0.4
