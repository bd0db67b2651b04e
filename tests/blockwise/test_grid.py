"""The grid of blocks: every voxel once, aligned, numbered by place."""

import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from hypothesis import given
from hypothesis import strategies as st

from lsd.blockwise.on_disk.grid import chunk_shape, tile


@st.composite
def cases(draw):
    dims = draw(st.integers(1, 3))

    def vector(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(dims))

    step = vector(1, 5)
    # room for the largest lead and one step
    compute = tuple(2 * s + extra for s, extra in zip(step, vector(0, 9), strict=True))
    return {
        "roi": Roi(vector(-20, 20), vector(1, 25)),
        "compute_shape": compute,
        "step": step,
        "context": (vector(0, 4), vector(0, 4)),
    }


@given(cases())
def test_every_voxel_is_written_exactly_once(case):
    roi = case["roi"]
    written = np.zeros(roi.shape, int)
    for block in tile(**case):
        written[(block.write - roi.begin).to_slices()] += 1
    assert (written == 1).all()


@given(cases())
def test_blocks_are_aligned_and_hold_their_context(case):
    for index, block in enumerate(tile(**case)):
        assert block.index == index
        assert block.compute.begin % Coordinate(case["step"]) == Coordinate((0,) * block.read.dims)
        assert block.compute.shape == Coordinate(case["compute_shape"])
        assert block.compute.contains(block.write)
        assert block.read == block.compute.grow(*(Coordinate(c) for c in case["context"]))


@given(cases())
def test_kept_is_the_write_roi_in_the_computed_array(case):
    for block in tile(**case):
        world = np.indices(block.compute.shape) + np.reshape(
            block.compute.begin, (-1, *[1] * block.compute.dims)
        )
        kept = world[(slice(None), *block.kept)]
        assert kept.shape[1:] == block.write.shape
        assert tuple(kept.reshape(len(kept), -1)[:, 0]) == tuple(block.write.begin)


@given(cases())
def test_chunks_that_start_with_the_region_belong_to_one_block(case):
    grid = tile(**case)
    for block in grid:
        for begin, chunk in zip(
            block.write.begin - case["roi"].begin, chunk_shape(grid.write_shape), strict=True
        ):
            assert begin % chunk == 0


def test_the_paper_blocks_write_the_largest_multiple_of_the_step():
    grid = tile(
        Roi((0, 0, 0), (250, 250, 250)), (92,) * 3, step=(12,) * 3, context=((52,) * 3, (52,) * 3)
    )
    assert grid.write_shape == Coordinate(84, 84, 84)
    assert len(grid) == 27
    assert grid.block(26).write == Roi((168, 168, 168), (82, 82, 82))
    assert grid.block(5).write.begin == Coordinate(0, 84, 168)


def test_a_region_off_the_step_grid_uses_what_the_output_has_to_spare():
    grid = tile(Roi((8,), (400,)), (92,), step=(12,), context=((52,), (52,)))
    assert grid.write_shape == Coordinate((84,))
    assert grid.block(0).compute.begin == Coordinate((0,))
    assert tile(
        Roi((9,), (400,)), (92,), step=(12,), context=((52,), (52,))
    ).write_shape == Coordinate((72,))


def test_offsets_beyond_32_bits_are_exact():
    roi = Roi((2**40 + 3,) * 3, (10**6, 10**6, 2**33))
    grid = tile(roi, (120,) * 3, step=(4,) * 3, context=((9,) * 3, (9,) * 3))
    last = grid.block(len(grid) - 1)
    assert len(grid) > 2**32
    assert last.write.end == roi.end
    assert all(isinstance(v, int) for v in last.read.begin)


def test_an_index_beyond_the_grid_is_refused():
    grid = tile(Roi((0,), (10,)), (4,), step=(2,), context=((0,), (0,)))
    with pytest.raises(IndexError, match="block 3 of a grid of 3"):
        grid.block(3)


def test_a_region_that_one_block_covers_to_the_voxel_is_written_whole():
    for extent, written in ((6, 6), (7, 7), (8, 6)):
        grid = tile(Roi((0,), (extent,)), (7,), step=(2,), context=((0,), (0,)))
        assert grid.write_shape == Coordinate((written,))


def test_an_empty_region_is_refused():
    with pytest.raises(ValueError, match="holds no voxel"):
        tile(Roi((0, 0), (0, 4)), (4, 4), step=(1, 1), context=((0, 0), (0, 0)))


def test_blocks_that_hold_no_step_are_refused():
    with pytest.raises(ValueError, match=r"hold no multiple of \(12,\)"):
        tile(Roi((5,), (40,)), (16,), step=(12,), context=((0,), (0,)))


# a quarter of 64 and less than that, four times 64 and more than that: 257 and 251 are primes
AT_THE_LIMITS = [(16 * 257, 16), (15 * 257, 15 * 257), (2 * 251, 251), (2 * 257, 2 * 257)]


@pytest.mark.parametrize(
    ("size", "chunk"),
    [
        (84, 84),
        (156, 78),
        (54, 54),
        (248, 62),
        (97, 97),
        (251, 251),
        (1, 1),
        (48, 48),
        *AT_THE_LIMITS,
    ],
)
def test_chunks_are_divisors_near_64(size, chunk):
    assert chunk_shape((size,)) == Coordinate((chunk,))
