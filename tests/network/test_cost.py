"""What networks cost: the paper's numbers, and memory as it is measured."""

import ctypes
import sys
from itertools import product
from math import prod
from pathlib import Path

import pytest
import torch
from tiny_networks import TINY_VARIANTS

from config.networks import NETWORKS
from lsd.network import cost, sizes
from lsd.network.cascade import Cascade
from lsd.network.precision import choose
from lsd.prediction.augment import average, turns_of
from lsd.spec import ResidualUNet, UNet
from lsd.system.allocator import MMAP_MAX, TOP_PAD, TRIM_THRESHOLD, keep_freed_memory
from lsd.targets.target import target_kind

FOLDED = ResidualUNet(
    widths=(12, 24), factors=((2, 2, 2),), fold=(2, 2, 2), features_out=8, context=(8, 8, 8)
)
PREDICTED = [
    (
        ResidualUNet(widths=(12, 24), factors=((2, 2, 2),), context=(4, 4, 4)),
        "mtlsd",
        (88, 88, 88),
    ),
    (UNet(features=12, multiplier=2, factors=((2, 2, 2),)), "mtlsd", (92, 92, 92)),
    (FOLDED, "lsd", (152, 152, 152)),
    (NETWORKS["small"].trunk, "mtlsd", (160, 160, 160)),
]


@pytest.mark.parametrize(
    ("network", "shape", "megaflop"), [("aniso", (96, 484, 484), 0.91), ("iso", (196,) * 3, 1.63)]
)
def test_operations_of_the_paper(network, shape, megaflop):
    trunk, variant = NETWORKS[network].trunk, TINY_VARIANTS["aff"]
    flop = 2 * cost.macs(trunk, {"main": shape}, variant)
    assert flop / prod(sizes.output_shape(trunk, shape)) / 1e6 == pytest.approx(megaflop, rel=0.02)


def test_operations_are_those_that_torch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    for trunk in (
        UNet(features=2, multiplier=2, padding="same"),
        ResidualUNet(widths=(3, 5), factors=((1, 2, 2),)),
        FOLDED,
    ):
        variant = TINY_VARIANTS["acrlsd"]
        raw = sizes.smallest_raw(variant, trunk)
        cascade = Cascade(variant, trunk).eval().to("meta")
        with FlopCounterMode(display=False) as counter:
            cascade(torch.empty(1, 1, *raw, device="meta"))
        assert counter.get_total_flops() == 2 * cost.macs(
            trunk, sizes.stage_inputs(variant, trunk, raw), variant
        )


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux tells it")
@pytest.mark.parametrize(
    ("trunk", "variant", "shape", "precision", "averaged", "channels_last"),
    [
        pytest.param(*case, *ways, marks=[pytest.mark.slow] if case is PREDICTED[-1] else [])
        for number, case in enumerate(PREDICTED)
        for ways in product((torch.float32, torch.bfloat16), (False, True), (False, True))
        # any two ways with each network, all three of them with every other network
        if (number + sum(way in (torch.bfloat16, True) for way in ways)) % 2
    ],
)
def test_a_prediction_stays_within_the_memory_that_was_estimated(
    trunk, variant, shape, precision, averaged, channels_last, memory_goes_back
):
    if precision == torch.bfloat16 and choose("auto", "cpu") != "bf16":
        pytest.skip(
            "this processor has no arithmetic in bf16; imitating it takes memory of its own"
        )
    variant, run = TINY_VARIANTS[variant], cost.Pass(precision.itemsize, channels_last, averaged)
    cascade = Cascade(variant, trunk).eval()
    if channels_last:
        cascade.to(memory_format=torch.channels_last_3d)
    _forget_peak()
    before = _memory("VmRSS")
    with (
        torch.inference_mode(),
        torch.autocast("cpu", precision, enabled=precision != torch.float32),
    ):
        assert average(
            lambda raw: {name: logits.float().sigmoid_() for name, logits in cascade(raw).items()},
            torch.rand(1, 1, *shape),
            targets={name: target_kind(head.target) for name, head in variant.heads().items()},
            # all that the eight flips hold, they hold after the third
            turns=turns_of("flips" if averaged else "none", (0, 0, 0))[:3],
            kept=tuple(slice(1, size - 1) for size in sizes.cascade_output(variant, trunk, shape)),
        )
    inputs = sizes.stage_inputs(variant, trunk, shape)
    estimated = cost.memory(trunk, inputs, variant, run)
    assert _memory("VmHWM") - before <= estimated


@pytest.fixture
def memory_goes_back():
    """What is freed goes back to the system, whatever earlier tests of this process asked for."""
    options = {MMAP_MAX: 1 << 16, TRIM_THRESHOLD: 1 << 17, TOP_PAD: 1 << 17}
    for option, value in options.items():
        ctypes.CDLL(None).mallopt(option, value)
    yield
    if keep_freed_memory.cache_info().currsize:
        keep_freed_memory.__wrapped__()


def _forget_peak():
    # what earlier tests freed is not to be found again
    ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("the peak of memory cannot be reset here")


def _memory(field):
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(field)
    )
    return int(line.split()[1]) * 1024
