"""Blocks of a region: legal, within the limit, no larger than needed, aligned to the step of the
network."""

from math import prod

import pytest
from funlib.geometry import Coordinate, Roi
from hypothesis import given, settings
from hypothesis import strategies as st

from lsd.network import cost, sizes
from lsd.prediction.plan import check_axes, plan
from lsd.spec import (
    Affinities,
    Descriptors,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Stage,
    UNet,
    Variant,
)

AFF = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))
LSD = Variant(stages=(Stage(heads={"lsds": Head(target=Descriptors(sigma=80))}),))
FLAT_SIGMA = Variant(stages=(Stage(heads={"lsds": Head(target=Descriptors(sigma=(120, 80, 80)))}),))
PAPER = Network(trunk=UNet(), train_shape=(196,) * 3, predict_shape=(268,) * 3)
SMALL = Network(
    trunk=ResidualUNet(widths=(4, 4, 4), factors=((1, 2, 2), (2, 2, 2)), context=(3, 5, 6)),
    train_shape=(16,) * 3,
)
ISO2D = Network(
    trunk=UNet(factors=((2, 2), (2, 2)), kernels=((3, 3), (3, 3))), train_shape=(64, 64)
)


def made(network, extent, *, offset=None, variant=AFF, voxel_size=None, **predict):
    roi = Roi(offset or (0,) * len(extent), extent)
    head = tuple(variant.stages[-1].heads)
    voxel_size = voxel_size or (1.0,) * len(extent)
    return plan(
        network, variant, roi=roi, settings=Predict(**predict), voxel_size=voxel_size, heads=head
    )


def test_the_paper_sizes():
    large = made(PAPER, (1560, 1560, 1560))
    assert large.grid.write_shape == Coordinate((156,) * 3)
    assert large.grid.block(0).read.shape == Coordinate((268,) * 3)
    assert large.grid.block(0).read.begin == Coordinate((-52,) * 3)


def test_a_small_volume_takes_the_smallest_input_that_covers_it():
    one = made(PAPER, (50, 100, 156))
    assert len(one.grid) == 1
    # of the paper's U-Net: what fits is 104 and 8 n more than what comes out
    assert [
        size - n for size, n in zip(one.grid.block(0).read.shape, (50, 100, 156), strict=True)
    ] == [110, 108, 112]


def test_blocks_share_evenly():
    even = made(PAPER, (200, 156, 313))
    assert even.grid.shape == Coordinate(2, 1, 3)
    assert even.grid.write_shape == Coordinate(108, 156, 108)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([PAPER, SMALL]),
    st.tuples(*[st.integers(-40, 40)] * 3),
    st.tuples(*[st.integers(1, 700)] * 3),
    st.sampled_from(["none", "flips"]),
)
def test_plans_are_legal_and_aligned(network, offset, shape, augment):
    shape_asked = network.predict_shape or (64, 96, 64)
    made_plan = made(network, shape, offset=offset, augment=augment, shape=shape_asked)
    trunk, first = network.trunk, made_plan.grid.block(0)
    output = sizes.cascade_output(AFF, trunk, first.read.shape)
    assert all(n <= most for n, most in zip(first.read.shape, shape_asked, strict=True))
    assert tuple(k.stop - k.start for k in made_plan.kept) == tuple(first.compute.shape)
    if augment == "none":
        assert made_plan.kept == tuple(slice(0, n) for n in output)
    context = sizes.context(AFF, trunk)
    assert (
        first.compute.begin - Coordinate(k.start for k in made_plan.kept) - context
        == first.read.begin
    )
    for block in (first, made_plan.grid.block(len(made_plan.grid) - 1)):
        assert not any(block.compute.begin % sizes.step(trunk))
        assert block.compute.contains(block.write)


def test_flips_of_affinities_take_a_margin():
    assert made(PAPER, (1560,) * 3, augment="flips").kept == (slice(1, 164),) * 3
    assert made(PAPER, (1560,) * 3, augment="flips").grid.write_shape == Coordinate((156,) * 3)


def test_memory_bounds_the_block():
    network = PAPER.derive(predict_shape=None)
    little, much = (made(network, (2000,) * 3, memory=gigabytes).grid for gigabytes in (2, 16))
    assert prod(little.write_shape) < prod(much.write_shape)
    half = made(network, (2000,) * 3, memory=2, precision="bf16").grid
    assert prod(half.write_shape) > prod(little.write_shape)


@pytest.mark.parametrize("gigabytes", [1.5, 2, 5, 16])
def test_a_block_takes_the_memory_there_is_and_one_longer_along_any_axis_takes_more(gigabytes):
    network = PAPER.derive(predict_shape=None)
    extent = made(network, (5000,) * 3, memory=gigabytes)
    # as large as memory allows, before blocks are evened out
    largest = sizes.largest_input(AFF, PAPER.trunk, memory_bytes=gigabytes * 1e9, limit=(5000,) * 3)
    assert taken(largest) <= gigabytes * 1e9
    assert taken(extent.grid.block(0).read.shape) <= gigabytes * 1e9
    longest = max(largest)
    for axis, size in enumerate(largest):
        longer = [n + 8 * (a == axis) for a, n in enumerate(largest)]
        assert size == longest or taken(longer) > gigabytes * 1e9
    assert taken([n + 8 for n in largest]) > gigabytes * 1e9


def taken(shape):
    return cost.memory(PAPER.trunk, {"main": shape}, AFF)


def test_where_memory_is_plenty_one_block_is_enough():
    network = PAPER.derive(predict_shape=None)
    for extent in ((3, 50, 61), (157, 90, 250)):
        assert len(made(network, extent, memory=1e6).grid) == 1


def test_a_2d_network_takes_a_section_by_itself_where_two_do_not_fit():
    trunk = ISO2D.trunk
    one = made(ISO2D, (5, 300, 200), memory=0.5)
    shape = one.grid.block(0).read.shape[1:]
    bytes_of_one = cost.memory(trunk, {"main": shape}, AFF)
    for sections in (1, 2, 3):
        some = made(
            ISO2D.derive(predict_shape=shape),
            (6, 300, 200),
            memory=1.1 * sections * bytes_of_one / 1e9,
        )
        assert some.grid.block(0).write.shape[0] == sections


def test_a_2d_network_takes_sections_together():
    stack = made(ISO2D, (50, 300, 200), memory=0.5)
    first = stack.grid.block(0)
    assert first.read.shape[0] == first.write.shape[0] > 1
    assert stack.grid.shape[0] * first.write.shape[0] < 50 + stack.grid.shape[0]
    assert len(stack.turns[0].order) == 2


@pytest.mark.parametrize(
    ("network", "variant", "voxel_size", "count"),
    [
        (PAPER, AFF, (8, 8, 8), 48),
        (PAPER, AFF, (40, 4, 4), 16),
        (SMALL, AFF, (8, 8, 8), 8),
        (PAPER, LSD, (8, 8, 8), 48),
        (PAPER, FLAT_SIGMA, (8, 8, 8), 16),
    ],
)
def test_transposes_swap_axes_of_equal_voxels_sizes_and_sigmas(network, variant, voxel_size, count):
    assert (
        len(
            made(
                network, (60,) * 3, variant=variant, voxel_size=voxel_size, augment="transposes"
            ).turns
        )
        == count
    )


def test_an_illegal_shape_names_the_nearest():
    with pytest.raises(ValueError, match=r"196.*208"):
        made(PAPER, (500,) * 3, shape=(200, 196, 196))
    with pytest.raises(ValueError, match="has 2 axes, the network 3"):
        made(PAPER, (500,) * 3, shape=(196, 196))


def test_a_3d_network_refuses_a_2d_volume():
    check_axes(ISO2D, 3)
    with pytest.raises(ValueError, match="a 3D network cannot predict a volume of 2 axes"):
        made(PAPER, (500, 500))
