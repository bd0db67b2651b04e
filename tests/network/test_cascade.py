"""Networks: blocks equal the whole, stages see what lies on disk, gradients stop where they
should."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_networks import BRANCHED, TINY_TRUNKS, TINY_VARIANTS, lively
from torch.nn import functional

from lsd.network import sizes
from lsd.network.cascade import Cascade, as_stored
from lsd.network.layers import NearestUpsampling, crop
from lsd.spec import Affinities, ResidualUNet, UNet
from lsd.targets.target import target_kind


def _raw(shape):
    return torch.rand(1, 1, *shape) * 2 - 1


def _smallest(variant, trunk, *, steps=1, stage=None):
    shape = sizes.smallest_input(trunk, sizes.step(trunk) * steps)
    return sizes.raw_shape(variant, trunk, shape, stage=stage)


def test_every_variant_trains_and_predicts(variant, trunk):
    cascade = lively(Cascade(variant, trunk)).double()
    for stage in variant.stages:
        raw = _raw(_smallest(variant, trunk, stage=stage.name)).double()
        # what earlier stages gave is stored in fp32
        cascade.stage(stage.name).register_forward_pre_hook(
            lambda _, given: tuple(each.double() for each in given)
        )
        own = list(cascade.stage(stage.name).parameters())
        _assert_slope(partial(_loss, cascade.train(), raw, stage=stage.name), own)
        assert all(
            p.grad is None for p in cascade.parameters() if not any(p is mine for mine in own)
        )
        cascade.zero_grad()
    with torch.inference_mode():
        heads = cascade.eval()(
            _raw(_smallest(variant, trunk)).double(), heads=tuple(variant.heads())
        )
    assert list(heads) == list(variant.heads())
    assert len({head.shape[2:] for head in heads.values()}) == 1


def _loss(cascade, raw, **options):
    return sum(head.square().mean() for head in cascade(raw, **options).values())


@pytest.mark.parametrize("name", ["unet3d", "unet2d", "same3d", "residual3d"])
@pytest.mark.parametrize("variant", ["mtlsd", "acrlsd"])
def test_two_neighbouring_blocks_equal_one_pass(name, variant):
    trunk, variant = TINY_TRUNKS[name], TINY_VARIANTS[variant]
    _assert_blocks_equal_whole(lively(Cascade(variant, trunk)).eval(), heads=tuple(variant.heads()))


def test_blocks_equal_whole_with_branches():
    _assert_blocks_equal_whole(
        lively(Cascade(BRANCHED, TINY_TRUNKS["unet2d"])).eval(), heads=("boundary", "affs", "lsds")
    )


def _assert_blocks_equal_whole(cascade, *, heads):
    """A block of two steps an axis, and two of one step: origins one step apart along every axis in
    turn."""
    variant, trunk = cascade.variant, cascade.trunk
    step, small = sizes.step(trunk), _smallest(variant, trunk)
    raw = _raw(small + step)
    write = sizes.write_shape(variant, trunk, small)
    with torch.inference_mode():
        whole = cascade(raw, heads=heads)
        for axis in range(trunk.dims):
            for place in (0, 1):
                begin = [place * step[a] * (a == axis) for a in range(trunk.dims)]
                window = tuple(slice(b, b + n) for b, n in zip(begin, small, strict=True))
                written = tuple(slice(b, b + n) for b, n in zip(begin, write, strict=True))
                block = cascade(raw[(..., *window)], heads=heads)
                for head in heads:
                    kept = block[head][(..., *(slice(0, n) for n in write))]
                    torch.testing.assert_close(
                        kept, whole[head][(..., *written)], atol=1e-6, rtol=1e-6
                    )


def test_shifts_off_the_step_do_change_the_output():
    trunk = TINY_TRUNKS["unet2d"]
    cascade = lively(Cascade(TINY_VARIANTS["aff"], trunk)).eval()
    raw = _raw(_smallest(cascade.variant, trunk, steps=3))
    with torch.inference_mode():
        one, other = cascade(raw)["affs"], cascade(raw.roll(-1, dims=-1))["affs"]
    assert (one[..., 1:] - other[..., :-1]).abs().max() > 1e-4


def test_context_smaller_than_the_receptive_field_is_an_approximation():
    for context, exact in ((None, True), ((4, 4), False)):
        trunk = TINY_TRUNKS["residual2d"].derive(context=context)
        # in float64: these logits reach 50, where float32 leaves differences of the size that is
        # asked for
        cascade = lively(Cascade(TINY_VARIANTS["aff"], trunk)).eval().double()
        with torch.inference_mode():
            small, step = _smallest(cascade.variant, trunk, steps=2), sizes.step(trunk)
            raw = _raw(small + step).double()
            block, whole = cascade(raw[..., : small[0], : small[1]])["affs"], cascade(raw)["affs"]
        difference = (block - whole[..., : block.shape[-2], : block.shape[-1]]).abs().max()
        assert (difference < 1e-5) == exact


def test_second_stage_reads_what_would_lie_on_disk():
    # with seed 0 a descriptor lies between two of the 256 levels, where sigmoids in float32 and
    # float64 round apart
    torch.manual_seed(1)
    variant, trunk = TINY_VARIANTS["acrlsd"], TINY_TRUNKS["unet3d"]
    cascade = lively(Cascade(variant, trunk)).eval()
    raw = _raw(_smallest(variant, trunk))
    with torch.inference_mode():
        first = cascade.stage("lsds")(raw)["lsds"]
        stored = np.rint(1 / (1 + np.exp(-first.numpy().astype(np.float64))) * 255).astype(np.uint8)
        own = sizes.stage_inputs(variant, trunk, raw.shape[2:])["affs"]
        lsds = torch.from_numpy(stored.astype(np.float32) / np.float32(255))
        expected = cascade.stage("affs")(torch.cat((crop(raw, own), crop(lsds, own)), 1))["affs"]
        torch.testing.assert_close(cascade(raw)["affs"], expected, atol=1e-6, rtol=1e-6)


def test_as_stored_is_uint8_and_fp32():
    logits = torch.randn(1000, requires_grad=True).to(torch.bfloat16)
    stored = as_stored(logits, target_kind(Affinities()))
    assert stored.dtype == torch.float32
    assert not stored.requires_grad
    torch.testing.assert_close(stored * 255, (stored * 255).round(), atol=1e-4, rtol=0)
    assert (stored - logits.float().sigmoid()).abs().max() <= 0.5 / 255 + 1e-6


def test_asked_heads_run_no_stage_in_vain():
    cascade = Cascade(TINY_VARIANTS["acrlsd"], TINY_TRUNKS["unet2d"]).eval()
    cascade.stage("affs").forward = None
    raw = _raw(_smallest(cascade.variant, cascade.trunk))
    assert list(cascade(raw, heads=("lsds",))) == ["lsds"]


def test_errors_name_what_is_allowed():
    cascade = Cascade(TINY_VARIANTS["acrlsd"], TINY_TRUNKS["unet2d"])
    small = _smallest(cascade.variant, cascade.trunk)
    for mode in (True, False):
        with pytest.raises(ValueError, match="does not fit the network; nearest that fit"):
            cascade.train(mode)(_raw(small + sizes.Coordinate(1, 0)))
        with pytest.raises(ValueError, match="nearest that fit"):
            cascade(_raw(sizes.step(cascade.trunk)))
    with pytest.raises(ValueError, match="axes"):
        cascade(_raw((30, 30, 30)))
    with pytest.raises(
        ValueError, match="no head 'affinities'; the stages lsds, affs give: lsds, affs"
    ):
        cascade(_raw(small), heads=("affinities",))


@pytest.mark.parametrize("name", ["unet3d", "residual3d", "unet2d"])
def test_lower_precision_and_channels_last(name):
    trunk, variant = TINY_TRUNKS[name], TINY_VARIANTS["acrlsd"]
    cascade = lively(Cascade(variant, trunk)).eval()
    raw = _raw(_smallest(variant, trunk))
    with torch.no_grad():
        expected = cascade(raw)["affs"]
        cascade.to(memory_format=torch.channels_last_3d if trunk.dims == 3 else torch.channels_last)
        torch.testing.assert_close(cascade(raw)["affs"], expected, atol=1e-4, rtol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            low = cascade(raw)["affs"]
    assert low.dtype == torch.bfloat16
    assert (low.float().sigmoid() - expected.sigmoid()).abs().max() < 0.1
    raw, gradients = _raw(_smallest(variant, trunk, stage="affs")), []
    for enabled in (False, True):
        cascade.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            cascade.train()(raw, stage="affs")["affs"].float().square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in cascade.stage("affs").parameters()]))
    # bf16 has 8 bits; errors of single weights are larger where large terms cancel
    assert 0 < (gradients[1] - gradients[0]).norm() < 0.1 * gradients[0].norm()


@pytest.mark.parametrize(
    "trunk",
    [
        UNet(features=8, multiplier=2, factors=((2, 2, 2),)),
        ResidualUNet(widths=(8, 16), factors=((2, 2, 2),)),
    ],
)
def test_fresh_networks_are_undecided_and_keep_variance(trunk):
    cascade = Cascade(TINY_VARIANTS["mtlsd"], trunk).eval()
    raw = torch.randn(1, 1, *_smallest(cascade.variant, trunk, steps=4))
    with torch.no_grad():
        features = cascade.stage("main").trunk(raw)
        logits = cascade(raw)
    assert 0.1 < features.square().mean() < 10
    assert all(head.abs().max() < 2 for head in logits.values())


def test_in_place_activations_leave_gradients_right():
    for trunk in TINY_TRUNKS.values():
        for activation in ("relu", "elu", "gelu"):
            for norm in (None, "group"):
                small = trunk.derive(activation=activation, norm=norm)
                cascade = lively(Cascade(TINY_VARIANTS["aff"], small)).double()
                raw = _raw(_smallest(cascade.variant, small)).double()
                _assert_slope(partial(_loss, cascade, raw), list(cascade.parameters()))


def _assert_slope(loss, weights, step=1e-8):
    """The gradient along a random direction, by differences in float64; every weight has one."""
    directions = [torch.randn_like(w) for w in weights]
    loss().backward()
    slope = sum((w.grad * d).sum() for w, d in zip(weights, directions, strict=True))
    values = []
    with torch.no_grad():
        for sign in (1, -2, 1):
            for w, d in zip(weights, directions, strict=True):
                w += sign * step * d
            values.append(loss())
    torch.testing.assert_close(
        (values[0] - values[1]) / (2 * step), slope.detach(), rtol=1e-3, atol=1e-6
    )


def test_nearest_upsampling_commutes_with_its_convolution():
    layer = NearestUpsampling(3, 2, (1, 2, 3))
    x = torch.randn(1, 3, 2, 3, 4)
    repeated = functional.interpolate(x, scale_factor=(1, 2, 3), mode="nearest")
    torch.testing.assert_close(layer(x), layer.convolution(repeated))
