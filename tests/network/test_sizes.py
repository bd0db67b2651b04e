"""The algebra of sizes: the paper's numbers, brute force, and the networks themselves on torch's
meta device."""

import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_networks import BRANCHED, TINY_VARIANTS

from config.networks import NETWORKS
from lsd.network import cost, sizes
from lsd.network.cascade import Cascade
from lsd.spec import ResidualUNet, UNet

ISO, ANISO = NETWORKS["iso"].trunk, NETWORKS["aniso"].trunk


@pytest.mark.parametrize(
    ("trunk", "given", "expected"),
    [
        (ISO, (196,) * 3, (92,) * 3),
        (ISO, (268,) * 3, (164,) * 3),
        (ISO, (352,) * 3, (248,) * 3),
        (ANISO, (84, 268, 268), (48, 56, 56)),
        (ANISO, (96, 484, 484), (60, 272, 272)),
        (NETWORKS["iso2d"].trunk, (196, 196), (92, 92)),
    ],
)
def test_sizes_of_the_paper(trunk, given, expected):
    assert sizes.output_shape(trunk, given) == expected


@pytest.mark.parametrize(
    ("trunk", "raw", "written"),
    [(ISO, 196, 84), (ISO, 268, 156), (ANISO, (84, 268, 268), (48, 54, 54))],
)
def test_blocks_write_multiples_of_the_step(trunk, raw, written):
    raw, written = (n if isinstance(n, tuple) else (n,) * 3 for n in (raw, written))
    assert sizes.write_shape(TINY_VARIANTS["mtlsd"], trunk, raw) == written


def test_auto_context_of_the_paper():
    variant = TINY_VARIANTS["acrlsd"]
    assert sizes.stage_shapes(variant, ISO, (196,) * 3) == {"lsds": (304,) * 3, "affs": (196,) * 3}
    assert sizes.raw_shape(variant, ISO, (196,) * 3) == (304,) * 3
    assert sizes.cascade_output(variant, ISO, (304,) * 3) == (92,) * 3
    assert sizes.context(variant, ISO) == (106,) * 3


def test_parameters_of_the_paper():
    assert cost.parameters(UNet(), TINY_VARIANTS["aff"]) == pytest.approx(95.8e6, rel=1e-3)


def test_parameters_of_group_norm():
    for trunk in (
        UNet(features=4, multiplier=2, norm="group"),
        ResidualUNet(norm="group", features_out=7),
    ):
        cascade = Cascade(TINY_VARIANTS["mtlsd"], trunk).to("meta")
        assert sum(p.numel() for p in cascade.parameters()) == cost.parameters(
            trunk, TINY_VARIANTS["mtlsd"]
        )


@pytest.mark.parametrize("name", NETWORKS)
def test_configured_sizes_are_what_the_network_takes_and_gives(name):
    network = NETWORKS[name]
    with torch.device("meta"):
        cascade = Cascade(TINY_VARIANTS["mtlsd"], network.trunk)
    cases = [
        (network.train_shape, True),
        (network.train_shape, False),
        (network.predict_shape, False),
    ]
    for shape, training in cases:
        if shape is not None:
            logits = cascade.train(training)(torch.empty(1, 1, *shape, device="meta"))["affs"]
            assert logits.shape[2:] == sizes.output_shape(network.trunk, shape, training=training)


def test_illegal_size_names_the_nearest():
    with pytest.raises(
        ValueError,
        match="200x196x30 does not fit the trunk; nearest that fit: 196x196x112, 208x196x112",
    ):
        sizes.output_shape(ISO, (200, 196, 30))
    with pytest.raises(
        ValueError, match=r"raw of 300x304x304 .* nearest that fit: 292x304x304, 304x304x304"
    ):
        sizes.cascade_output(TINY_VARIANTS["aclsd"], ISO, (300, 304, 304))
    with pytest.raises(ValueError, match="has 2 axes, the trunk 3"):
        sizes.output_shape(ISO, (196, 196))
    with pytest.raises(ValueError, match="take at least 124x124x124"):
        sizes.write_shape(TINY_VARIANTS["aff"], ISO, (112,) * 3)
    with pytest.raises(ValueError, match="no stage 'lsd'; it has: lsds, affs"):
        sizes.stage_shapes(TINY_VARIANTS["aclsd"], ISO, (196,) * 3, stage="lsd")


def _shapes(dims, low, high):
    return st.tuples(*[st.integers(low, high)] * dims)


@st.composite
def trunks(draw):
    dims = draw(st.integers(2, 3))
    levels = draw(st.integers(0, 2))
    factors = tuple(draw(_shapes(dims, 1, 3)) for _ in range(levels))
    kernel = _shapes(dims, 0, 2).map(lambda halves: tuple(2 * h + 1 for h in halves))
    context = draw(st.none() | _shapes(dims, 0, 9))
    features_out = draw(st.sampled_from((None, 4)))
    if draw(st.booleans()):
        first = draw(st.none() | kernel)
        return ResidualUNet(
            widths=(2,) * (levels + 1),
            factors=factors,
            kernel=draw(kernel),
            first_kernel=first,
            fold=draw(st.none() | _shapes(dims, 1, 3)),
            context=context,
            features_out=features_out,
        )
    side = st.lists(kernel, min_size=1, max_size=2).map(tuple)
    padding = draw(st.sampled_from(("valid", "same")))
    return UNet(
        features=2,
        multiplier=draw(st.integers(1, 2)),
        factors=factors,
        kernels=draw(side),
        level_kernels=draw(st.none() | st.tuples(*[side] * (levels + 1))),
        padding=padding,
        context=context if padding == "same" else None,
        features_out=features_out,
        upsample=draw(st.sampled_from(("transposed", "nearest"))),
    )


def _by_hand(trunk, axis, size):
    """Output size of a valid U-Net along an axis, one operation after another; None where one is
    impossible."""
    levels = trunk.level_kernels or (trunk.kernels,) * (len(trunk.factors) + 1)
    lost = [sum(kernel[axis] - 1 for kernel in side) for side in levels]
    skips = []
    for s, factor in zip(lost, trunk.factors, strict=False):
        size -= s
        skips.append(size)
        if size < 1 or size % factor[axis]:
            return None
        size //= factor[axis]
    size -= lost[-1]
    if size < 1:
        return None
    for s, factor in zip(lost[-2::-1], trunk.factors[::-1], strict=True):
        size *= factor[axis]
        assert (skips.pop() - size) % 2 == 0
        size -= s
        if size < 1:
            return None
    return size


@given(trunks().filter(lambda t: isinstance(t, UNet) and t.padding == "valid"), st.integers(1, 150))
@settings(max_examples=150, deadline=None)
def test_valid_sizes_equal_those_by_hand(trunk, size):
    for axis in range(trunk.dims):
        legal = sizes.smallest_input(trunk, (1,) * trunk.dims)
        shape = [*legal[:axis], size, *legal[axis + 1 :]]
        below, above = sizes.nearest_legal(trunk, shape)
        if _by_hand(trunk, axis, size) is None:
            with pytest.raises(ValueError, match="nearest that fit"):
                sizes.output_shape(trunk, shape)
            between = range(max(below[axis] + 1, 1), above[axis])
            assert all(_by_hand(trunk, axis, n) is None for n in between)
            assert _by_hand(trunk, axis, below[axis])
            assert _by_hand(trunk, axis, above[axis])
        else:
            assert below[axis] == above[axis] == size
            assert sizes.output_shape(trunk, shape)[axis] == _by_hand(trunk, axis, size)


@given(trunks(), st.data())
@settings(max_examples=30, deadline=None)
def test_networks_give_the_shapes_that_were_computed(trunk, data):
    variant = data.draw(
        st.sampled_from([TINY_VARIANTS["mtlsd"], TINY_VARIANTS["acrlsd"], BRANCHED])
    )
    cascade = Cascade(variant, trunk).to("meta")
    assert sum(p.numel() for p in cascade.parameters()) == cost.parameters(trunk, variant)
    wanted = data.draw(_shapes(trunk.dims, 1, 20))
    shape = sizes.smallest_input(trunk, wanted)
    assert all(a >= b for a, b in zip(sizes.output_shape(trunk, shape), wanted, strict=True))
    raw = sizes.raw_shape(variant, trunk, shape)
    heads = cascade.eval()(torch.empty(1, 1, *raw, device="meta"), heads=tuple(variant.heads()))
    for logits in heads.values():
        assert (
            logits.shape[2:]
            == sizes.output_shape(trunk, shape)
            == sizes.cascade_output(variant, trunk, raw)
        )
    for stage in variant.stages:
        raw = sizes.raw_shape(variant, trunk, shape, stage=stage.name)
        trained = cascade.train()(torch.empty(1, 1, *raw, device="meta"), stage=stage.name)
        assert trained.keys() == stage.heads.keys()
        assert all(
            logits.shape[2:] == sizes.output_shape(trunk, shape, training=True)
            for logits in trained.values()
        )


@given(trunks(), st.sampled_from([*TINY_VARIANTS.values(), BRANCHED]), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_stages_share_a_centre_and_keep_their_places_at_any_size(trunk, variant, steps):
    small = sizes.smallest_input(trunk, (1,) * trunk.dims)
    large = small + sizes.step(trunk) * steps
    one, other = (sizes.stage_shapes(variant, trunk, shape) for shape in (small, large))
    raw = sizes.raw_shape(variant, trunk, small)
    for name, shape in one.items():
        assert all((a - b) % 2 == 0 for a, b in zip(raw, shape, strict=True))
        assert other[name] - shape == large - small
    assert sizes.stage_inputs(variant, trunk, sizes.raw_shape(variant, trunk, large)) == other


@pytest.mark.parametrize("variant", ["mtlsd", "acrlsd"])
@pytest.mark.parametrize("network", NETWORKS)
def test_largest_input_is_legal_and_grows_with_memory(network, variant):
    trunk, variant = NETWORKS[network].trunk, TINY_VARIANTS[variant]
    found = [
        sizes.largest_input(variant, trunk, memory_bytes=gb * 1e9, run=cost.Pass(bytes_per_value=2))
        for gb in (3, 4, 8)
    ]
    for smaller, larger in pairwise(found):
        assert all(a <= b for a, b in zip(smaller, larger, strict=True))
    assert min(sizes.write_shape(variant, trunk, found[0])) > 0
    assert found[0] != found[-1]


def test_largest_input_stops_at_the_volume_and_says_what_is_missing():
    trunk, variant = (
        ResidualUNet(widths=(12, 24), factors=((4, 4, 4),), context=(12, 12, 12)),
        TINY_VARIANTS["aff"],
    )
    shape = sizes.largest_input(variant, trunk, memory_bytes=8e9, limit=(64, 64, 90))
    assert shape == (64, 64, 92)
    with pytest.raises(
        ValueError, match=r"memory of 0.00 GB holds no block: the smallest, raw of 28x28x28, takes"
    ):
        sizes.largest_input(variant, trunk, memory_bytes=1e5)


def test_sizes_need_no_torch():
    code = "import sys; import lsd.network.sizes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
