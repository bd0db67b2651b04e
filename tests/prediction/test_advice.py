"""What a message about sizes advises works: it is read from the message and followed."""

import re
from itertools import product

import pytest
from funlib.geometry import Roi
from hypothesis import given, settings
from hypothesis import strategies as st

from config.networks import NETWORKS
from lsd.network import sizes
from lsd.prediction.plan import plan
from lsd.spec import (
    NEAREST,
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

AFFS, LSDS = Head(target=Affinities()), Head(target=Descriptors())
FAR = Head(target=Affinities(neighborhood=(*NEAREST, (-9, 0, 0), (0, -9, 4), (3, 0, -9))))
FIRST = Stage(name="lsds", heads={"lsds": LSDS})
VARIANTS = {
    "aff": Variant(stages=(Stage(heads={"affs": AFFS}),)),
    "lr": Variant(stages=(Stage(heads={"affs": FAR}),)),
    "acrlsd": Variant(
        stages=(FIRST, Stage(name="affs", reads=("raw", "lsds"), heads={"affs": AFFS}))
    ),
}
TRUNKS = {
    **{name: network.trunk for name, network in NETWORKS.items()},
    "odd": UNet(features=2, multiplier=1, factors=((3, 3, 3),), kernels=((3, 3, 3),)),
    "flat": UNet(features=2, multiplier=1, factors=((1, 2, 2), (2, 1, 3)), kernels=((1, 3, 3),)),
    "padded": UNet(
        features=2,
        multiplier=1,
        factors=((2, 2, 2),),
        kernels=((3, 3, 3),),
        padding="same",
        context=(0, 3, 5),
    ),
    "no pooling": UNet(features=2, factors=(), kernels=((3, 3, 3),)),
    "folded": ResidualUNet(widths=(2, 2), factors=((1, 2, 2),), fold=(1, 2, 2), context=(2, 4, 5)),
}


def planned(trunk, variant, roi, *, predict_shape=None, **predict):
    network = Network(trunk=trunk, train_shape=(1,) * trunk.dims, predict_shape=predict_shape)
    heads = tuple(variant.stages[-1].heads)
    return plan(
        network,
        variant,
        roi=roi,
        settings=Predict(**predict),
        voxel_size=(1.0,) * roi.dims,
        heads=heads,
    )


def holds(made, roi):
    assert made.grid.roi == roi
    assert min(made.grid.write_shape) > 0
    assert all(
        k.stop - k.start == n
        for k, n in zip(made.kept, made.grid.compute_shape[-len(made.kept) :], strict=True)
    )


def advised(message, name):
    return [
        tuple(map(int, found.split(","))) for found in re.findall(rf"{name}=\(([\d, ]+)\)", message)
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(TRUNKS)),
    st.sampled_from(sorted(VARIANTS)),
    st.tuples(*[st.integers(1, 330)] * 3),
    st.tuples(*[st.integers(-50, 50)] * 3),
    st.tuples(*[st.integers(1, 400)] * 3),
    st.sampled_from(["none", "flips", "transposes"]),
    st.booleans(),
)
def test_a_shape_that_is_named_for_prediction_works(
    trunk, variant, shape, begin, extent, augment, of_network
) -> None:
    trunk, variant = TRUNKS[trunk], VARIANTS[variant]
    shape, roi = shape[-trunk.dims :], Roi(begin, extent)
    name = "network.predict_shape" if of_network else "predict.shape"

    def asked(given):
        return planned(
            trunk,
            variant,
            roi,
            augment=augment,
            memory=1e6,
            **{("predict_shape" if of_network else "shape"): given},
        )

    try:
        holds(asked(shape), roi)
        return
    except ValueError as error:
        message = str(error)
    nearest = advised(message, name)
    assert 1 <= len(nearest) <= 2, message
    # each named, and each mixture of their axes
    for mixed in product(*zip(*nearest, strict=True)):
        holds(asked(mixed), roi)
    below, above = nearest[0], nearest[-1]
    step = sizes.step(trunk)
    for axis, (low, high) in enumerate(zip(below, above, strict=True)):
        assert high - low in (0, step[axis])
        assert low <= shape[axis] <= high or low == high > shape[axis], (
            "around what was asked, or the smallest there is"
        )


def test_the_instance() -> None:
    """A small network where 80 divides without rest but leaves a block nothing."""
    trunk = UNet(
        features=2,
        multiplier=2,
        factors=((2, 2, 2), (2, 2, 2), (2, 2, 2)),
        kernels=((3, 3, 3), (3, 3, 3)),
    )
    for shape, augment, begin in (
        (64, "none", 0),
        (92, "none", 0),
        (92, "flips", 0),
        (100, "none", 5),
        (100, "flips", 4),
    ):
        roi = Roi((begin,) * 3, (200, 200, 200))
        with pytest.raises(
            ValueError, match=rf"predict.shape \({shape}, .*nearest that fit: predict.shape="
        ) as caught:
            planned(trunk, VARIANTS["aff"], roi, shape=(shape,) * 3, augment=augment)
        for named in advised(str(caught.value), "predict.shape"):
            holds(planned(trunk, VARIANTS["aff"], roi, shape=named, augment=augment), roi)


def test_two_numbers_for_three_axes_name_three() -> None:
    with pytest.raises(
        ValueError,
        match=r"predict.shape \(196, 196\) has 2 axes, the network 3; give one size an axis",
    ):
        planned(UNet(), VARIANTS["aff"], Roi((0,) * 3, (99,) * 3), shape=(196, 196))


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(sorted(TRUNKS)),
    st.sampled_from(sorted(VARIANTS)),
    st.tuples(*[st.integers(1, 330)] * 3),
)
def test_a_train_shape_that_is_named_works(trunk, variant, shape) -> None:
    trunk, variant = TRUNKS[trunk], VARIANTS[variant]
    shape = shape[-trunk.dims :]
    try:
        sizes.raw_shape(variant, trunk, shape)
    except ValueError as error:
        (named,) = re.findall(r"nearest that fit: ([\dx, ]+) \(", str(error))
        for text in named.split(", "):
            fit = tuple(map(int, text.split("x")))
            assert min(sizes.output_shape(trunk, fit, training=True)) > 0
            for stage in variant.stages:
                raw = sizes.raw_shape(variant, trunk, fit, stage=stage.name)
                assert sizes.cascade_output(
                    variant, trunk, raw, stage=stage.name, training=True
                ) == sizes.output_shape(trunk, fit, training=True)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from(sorted(TRUNKS)),
    st.sampled_from(sorted(VARIANTS)),
    st.tuples(*[st.integers(1, 400)] * 3),
)
def test_raw_that_is_named_works(trunk, variant, shape) -> None:
    trunk, variant = TRUNKS[trunk], VARIANTS[variant]
    shape = shape[-trunk.dims :]
    try:
        sizes.write_shape(variant, trunk, shape)
    except ValueError as error:
        named = re.search(r"(?:nearest that fit: |take at least )([\dx, ]+)", str(error))
        for text in named[1].strip().split(", "):
            fit = tuple(map(int, text.split("x")))
            if "at least" in str(error):
                assert min(sizes.write_shape(variant, trunk, fit)) > 0
            else:
                assert min(sizes.cascade_output(variant, trunk, fit)) > 0


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(TRUNKS)),
    st.sampled_from(sorted(VARIANTS)),
    st.tuples(*[st.integers(-50, 50)] * 3),
    st.tuples(*[st.integers(1, 700)] * 3),
    st.sampled_from(["none", "flips"]),
    st.floats(1e-4, 2),
)
def test_the_memory_that_is_named_suffices(trunk, variant, begin, extent, augment, memory) -> None:
    trunk, variant, roi = TRUNKS[trunk], VARIANTS[variant], Roi(begin, extent)
    for _ in range(2):
        try:
            holds(planned(trunk, variant, roi, augment=augment, memory=memory), roi)
            return
        except ValueError as error:
            (needed,) = map(float, re.findall(r"takes ([\d.]+) GB", str(error)))
        assert needed > memory
        memory = needed
    holds(planned(trunk, variant, roi, augment=augment, memory=memory), roi)


def test_a_region_thinner_than_a_step_needs_no_whole_step() -> None:
    """112 voxels give 8, less than the step of 12, but all of this region; from voxel 5 on they do
    not."""
    thin = Roi((0, 12, 24), (3, 8, 7))
    holds(planned(UNet(), VARIANTS["aff"], thin, shape=(112,) * 3), thin)
    with pytest.raises(ValueError, match=r"predict.shape=\(124, 112, 112\)"):
        planned(UNet(), VARIANTS["aff"], Roi((6, 12, 24), (3, 8, 7)), shape=(112,) * 3)
