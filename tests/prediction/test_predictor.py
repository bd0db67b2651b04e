"""Blocks equal the whole, for every variant, in 2D and 3D, valid and same-padded."""

import numpy as np
import pytest
import torch
from funlib.geometry import Roi
from turned import restore, turn

from lsd.network import sizes
from lsd.network.cascade import Cascade
from lsd.prediction.array import predict_array, reflected
from lsd.prediction.augment import turns_of
from lsd.prediction.predictor import Predictor, choose_device
from lsd.spec import (
    NEAREST,
    Affinities,
    Boundary,
    Descriptors,
    Head,
    Network,
    Predict,
    ResidualUNet,
    Stage,
    UNet,
    Variant,
)
from lsd.targets.activation import Readout

AFFS, LSDS = Head(target=Affinities()), Head(target=Descriptors())
LONG = Head(target=Affinities(neighborhood=(*NEAREST, (-2, 0, 0), (0, -3, 1))))
EDGE = Head(target=Boundary())
FIRST = Stage(name="lsds", heads={"lsds": LSDS})
VARIANTS = {
    "aff": Variant(stages=(Stage(heads={"affs": AFFS}),)),
    "lr": Variant(stages=(Stage(heads={"affs": LONG}),)),
    "lsd": Variant(stages=(Stage(heads={"lsds": LSDS}),)),
    "mtlsd": Variant(stages=(Stage(heads={"lsds": LSDS, "affs": AFFS}),)),
    "aclsd": Variant(stages=(FIRST, Stage(name="affs", reads=("lsds",), heads={"affs": AFFS}))),
    "acrlsd": Variant(
        stages=(
            FIRST,
            Stage(
                name="affs",
                reads=("raw", "lsds"),
                heads={"affs": AFFS, "edge": Head(target=Boundary())},
            ),
        )
    ),
}
ROI = Roi((0, 0, 0), (8, 8, 8))
TRUNKS = {
    "valid": UNet(features=3, multiplier=2, factors=((1, 2, 2), (2, 1, 3)), kernels=((3, 3, 3),)),
    "padded": UNet(
        features=3,
        multiplier=2,
        factors=((2, 2, 2),),
        kernels=((1, 3, 3), (3, 3, 3)),
        padding="same",
    ),
    "residual": ResidualUNet(
        widths=(3, 4), factors=((1, 2, 2),), kernel=(3, 3, 3), first_kernel=(1, 3, 3)
    ),
    "valid2d": UNet(features=3, multiplier=2, factors=((2, 2), (3, 2)), kernels=((3, 3), (3, 3))),
    "residual2d": ResidualUNet(widths=(3, 4), factors=((2, 2),), kernel=(3, 3)),
}


def predictor(variant, trunk, *, blocks=None, **predict):
    """Random weights; blocks: steps that a block writes beyond the smallest, None: as large as
    memory allows."""
    torch.manual_seed(3)
    cascade = Cascade(variant, trunk)
    shape = None
    if blocks is not None:
        shape = sizes.smallest_input(trunk, [n * (1 + blocks) for n in sizes.step(trunk)])
    network = Network(trunk=trunk, train_shape=(1,) * trunk.dims, predict_shape=shape)
    return Predictor(cascade, network, settings=Predict(device="cpu", threads=1, **predict))


def noise(shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def volume(trunk):
    """Shapes that are no multiple of anything."""
    return noise((5, 13, 17) if trunk.dims == 2 else (7, 11, 13))


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("trunk", TRUNKS.values(), ids=TRUNKS)
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_blocks_equal_the_whole(variant, trunk):
    raw = volume(trunk)
    whole, blocks = predictor(variant, trunk), predictor(variant, trunk, blocks=1)
    assert len(blocks.plan(Roi((0, 0, 0), raw.shape), voxel_size=(1, 1, 1)).grid) > 3
    assert_same(predict_array(blocks, raw), predict_array(whole, raw))


@pytest.mark.parametrize("trunk", TRUNKS.values(), ids=TRUNKS)
def test_the_whole_is_one_forward_pass_over_reflected_raw(trunk):
    """Against the cascade itself: raw padded by numpy, the sigmoid of its logits cropped to the
    volume."""
    variant, raw = VARIANTS["acrlsd"], volume(trunk)
    predict = predictor(variant, trunk)
    spatial = raw.shape[3 - trunk.dims :]
    before = sizes.context(variant, trunk)
    output = sizes.output_shape(trunk, sizes.smallest_input(trunk, spatial))
    pads = [(b, o - n + b) for b, o, n in zip(before, output, spatial, strict=True)]
    padded = np.pad(raw, [(0, 0)] * (3 - trunk.dims) + pads, mode="reflect")
    batch = torch.from_numpy(padded).reshape(-1, 1, *padded.shape[-trunk.dims :])
    with torch.no_grad():
        truth = predict.cascade.eval()(batch)
    got = predict_array(predict, raw)
    for name, logits in truth.items():
        expected = (
            torch.sigmoid(logits).transpose(0, 1) if trunk.dims == 2 else torch.sigmoid(logits)[0]
        )
        crop = expected[:, : raw.shape[0], : raw.shape[1], : raw.shape[2]]
        np.testing.assert_allclose(got[name], crop, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("trunk", "augment"),
    [("valid", "none"), ("valid", "flips"), ("valid2d", "transposes"), ("padded", "transposes")],
)
def test_a_region_has_the_values_of_the_whole(trunk, augment):
    raw = volume(TRUNKS[trunk])
    predict = predictor(VARIANTS["lr"], TRUNKS[trunk], blocks=2, augment=augment)
    roi = Roi((1, 3, 5), (4, 6, 7))
    whole = predict_array(predict, raw)
    assert_same(predict_array(predict, raw, roi=roi), {"affs": whole["affs"][:, *roi.to_slices()]})


@pytest.mark.parametrize("augment", ["flips", "transposes"])
def test_augmentation_is_the_mean_over_turned_volumes(augment):
    """Against whole volumes, turned by numpy and restored by `turned`; a network without pooling
    has step 1."""
    trunk = UNet(features=3, factors=(), kernels=((3, 3, 3), (3, 3, 3)))
    raw = noise((6, 9, 8))
    neighborhood = VARIANTS["lr"].heads()["affs"].target.neighborhood
    plain = predictor(VARIANTS["lr"], trunk)
    total, count = np.zeros((5, *raw.shape)), np.zeros((5, *raw.shape))
    for turned in turns_of(augment, (1, 1, 1)):
        how = {
            "order": turned.order,
            "flips": [axis for axis, flip in enumerate(turned.flips) if flip],
        }
        affs = predict_array(plain, np.ascontiguousarray(turn(raw, **how)))["affs"]
        restored, valid = restore(affs, neighborhood, **how)
        total += np.where(valid, restored, 0)
        count += valid
    got = predict_array(predictor(VARIANTS["lr"], trunk, blocks=9, augment=augment), raw)["affs"]
    whole = count == count.max(axis=(1, 2, 3), keepdims=True)
    assert whole.mean() > 0.5
    np.testing.assert_allclose(got[whole], (total / count)[whole], rtol=0, atol=1e-6)


def test_heads_of_any_stage_come_in_one_pass():
    trunk, raw = TRUNKS["valid"], volume(TRUNKS["valid"])
    heads = predict_array(predictor(VARIANTS["acrlsd"], trunk, heads=("affs", "lsds")), raw)
    assert {name: head.shape for name, head in heads.items()} == {
        "affs": (3, *raw.shape),
        "lsds": (10, *raw.shape),
    }
    alone = predict_array(predictor(VARIANTS["acrlsd"], trunk, heads=("lsds",), blocks=1), raw)
    assert_same(alone, {"lsds": heads["lsds"]})


def test_two_dimensional_volume():
    raw = noise((20, 23))
    trunk = TRUNKS["valid2d"]
    whole = predict_array(predictor(VARIANTS["mtlsd"], trunk), raw)
    assert {name: head.shape for name, head in whole.items()} == {
        "lsds": (6, 20, 23),
        "affs": (2, 20, 23),
    }
    assert_same(predict_array(predictor(VARIANTS["mtlsd"], trunk, blocks=0), raw), whole)
    stack = predict_array(predictor(VARIANTS["mtlsd"], trunk), raw[None])
    assert_same({name: head[:, 0] for name, head in stack.items()}, whole)


def test_a_volume_far_smaller_than_the_context():
    trunk, raw = TRUNKS["valid"], noise((1, 2, 3))
    predict = predictor(VARIANTS["acrlsd"], trunk)
    before = sizes.context(VARIANTS["acrlsd"], trunk)
    whole = sizes.raw_shape(VARIANTS["acrlsd"], trunk, sizes.smallest_input(trunk, raw.shape))
    pads = [(b, n - b - size) for b, n, size in zip(before, whole, raw.shape, strict=True)]
    with torch.no_grad():
        truth = predict.cascade.eval()(
            torch.from_numpy(np.pad(raw, pads, mode="reflect"))[None, None]
        )
    expected = {
        name: torch.sigmoid(logits)[0, :, :1, :2, :3].numpy() for name, logits in truth.items()
    }
    assert_same(predict_array(predict, raw), expected)


def test_training_goes_on_as_it_was():
    predict = predictor(VARIANTS["acrlsd"], TRUNKS["residual"])
    predict.cascade.train()
    predict.cascade.stage("lsds").eval()
    modes = [module.training for module in predict.cascade.modules()]
    heads = predict_array(predict, volume(TRUNKS["residual"]))
    assert [module.training for module in predict.cascade.modules()] == modes
    predict.cascade.eval()
    assert_same(heads, predict_array(predict, volume(TRUNKS["residual"])))
    assert all(parameter.grad is None for parameter in predict.cascade.parameters())


def test_threads_are_as_before():
    before = torch.get_num_threads()
    predict_array(predictor(VARIANTS["aff"], TRUNKS["valid"]), volume(TRUNKS["valid"]))
    assert torch.get_num_threads() == before


def test_lower_precision_is_near():
    raw = volume(TRUNKS["valid"])
    exact = predict_array(predictor(VARIANTS["mtlsd"], TRUNKS["valid"]), raw)
    near = predict_array(
        predictor(VARIANTS["mtlsd"], TRUNKS["valid"], precision="bf16", channels_last=True), raw
    )
    for name, head in near.items():
        assert 0 < np.abs(head - exact[name]).max() < 0.02


def test_uint8_is_rounded():
    predict = predictor(VARIANTS["aff"], TRUNKS["valid"])
    raw = noise((30, 40, 40))
    plan = predict.plan(Roi((0, 0, 0), (4, 5, 6)), voxel_size=(1, 1, 1))
    block = reflected(raw, plan.grid.block(0).read)
    exact, stored = (
        predict.block(block, plan)["affs"],
        predict.block(block, plan, dtype="uint8")["affs"],
    )
    assert stored.dtype == np.uint8
    np.testing.assert_array_equal(stored, np.round(exact * 255))


def test_reflection_is_that_of_numpy_and_goes_on():
    array = noise((3, 4, 1))
    got = reflected(array, Roi((-7, -2, -2), (20, 9, 4)))
    np.testing.assert_array_equal(got, np.pad(array, [(7, 10), (2, 3), (2, 1)], mode="reflect"))


def test_an_unknown_head_is_refused():
    with pytest.raises(ValueError, match="no head 'mito' to predict; the checkpoint has: affs"):
        predictor(VARIANTS["aff"], TRUNKS["valid"], heads=("mito",))


def test_an_absent_device_is_refused():
    assert choose_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"device 'cuda:1' is not available; .* have: .*cpu"):
            choose_device("cuda:1")


def test_memory_that_is_out_is_reported(monkeypatch):
    predict = predictor(VARIANTS["aff"], TRUNKS["valid"])

    def fail(*_, **__):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you "
            "tried"
        )

    monkeypatch.setattr(predict, "_run", fail)
    with pytest.raises(MemoryError, match=r"block of raw .*lower predict.memory"):
        predict_array(predict, volume(TRUNKS["valid"]))


@pytest.mark.parametrize("variant", ["aff", "acrlsd"])
def test_numbers_beyond_fp16_are_no_prediction(variant):
    """They were NaN, which uint8 makes 0: a boundary everywhere, without a word."""
    raw = volume(TRUNKS["valid2d"])
    predict = {
        precision: predictor(VARIANTS[variant], TRUNKS["valid2d"], precision=precision)
        for precision in ("fp32", "fp16")
    }
    for each in predict.values():
        with torch.no_grad():
            for parameter in each.cascade.stage(VARIANTS[variant].stages[0].name).parameters():
                parameter.mul_(300)
    heads = predict_array(predict["fp32"], raw)
    assert all(np.isfinite(values).all() for values in heads.values())
    with pytest.raises(ValueError, match=r"head 'affs' is NaN at \d+ places .* fp16: .* bf16 or"):
        predict_array(predict["fp16"], raw)


def test_weights_that_are_no_numbers_are_no_prediction():
    predict = predictor(VARIANTS["mtlsd"], TRUNKS["valid"], precision="fp32")
    with torch.no_grad():
        next(predict.cascade.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"head 'lsds' is NaN at .* in fp32: .*earlier checkpoint"):
        predict_array(predict, volume(TRUNKS["valid"]))


class Doubled(Readout):
    """Values in 0..2, though it says 0..1."""

    def __call__(self, logits):
        return 2 * logits.sigmoid()


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_values_beyond_the_range_of_a_target_are_no_prediction(dtype):
    """Of 1.2, uint8 made 50 of 255: all that a network was most certain of became noise."""
    predict = predictor(VARIANTS["mtlsd"], TRUNKS["valid"], precision="fp32")
    predict.targets["lsds"].activation = Doubled()
    raw = np.zeros(predict.plan(ROI, voxel_size=(1, 1, 1)).grid.block(0).read.shape, np.float32)
    with torch.no_grad():
        for parameter in predict.cascade.parameters():
            parameter.fill_(0.5)
    with pytest.raises(
        ValueError, match=r"head 'lsds' predicts .*\.\.2, and its target holds 0\.\.1"
    ):
        predict.block(raw, predict.plan(ROI, voxel_size=(1, 1, 1)), dtype=dtype)
