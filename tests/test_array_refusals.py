"""Array functions and what people hand to them by mistake: refused, or told, in a sentence."""

import warnings

import numpy as np
import pytest
from array_cases import (
    AFFINE,
    AFFS,
    FAR,
    FUNCTIONS,
    LABELS,
    PREDICTOR,
    RAW,
    assert_same,
    with_value,
)

from lsd.arrays.lookup import components
from lsd.prediction.array import predict_array
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decode import decode
from lsd.segmentation.fragments import fragments
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.mutex import mutex
from lsd.spec import NEAREST, Segment
from lsd.targets.affinities import affinities
from lsd.targets.descriptors import descriptors


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: with_value(a, (2, 6, 1, 5), np.nan), r"nan in channel 2 at voxel \(6, 1, 5\)"),
        (lambda a: with_value(a, (1, 3, 7, 0), np.inf), r"inf in channel 1 at voxel \(3, 7, 0\)"),
        (lambda a: with_value(a, (0, 0, 0, 4), -np.inf), r"-inf in channel 0 at voxel \(0, 0, 4\)"),
        (
            lambda a: with_value(a, (2, 6, 7, 8), 1.5),
            r"0\.\.1; apply a sigmoid.* 1\.5, in channel 2 at voxel \(6, 7, 8\)",
        ),
        (lambda a: a * 255, r"0\.\.1; .*divide by 255"),
        (lambda a: (a * 255).astype(np.int16), r"int16; allowed: uint8 \(0\.\.255\) or floats"),
        (lambda a: a > 0.5, "bool; allowed: uint8"),
        (lambda a: a.astype(complex), "complex128; allowed: uint8"),
        (lambda a: a[0], "shape|fit"),
        (lambda a: a[:, :, :, :, None], "shape|fit"),
    ],
)
def test_affinities_that_are_none_are_refused(name, change, words) -> None:
    function, (affs, other) = FUNCTIONS[name]
    with pytest.raises(ValueError, match=words):
        function(change(affs), other)


@pytest.mark.parametrize(
    "name", ["descriptors", "affinities", "boundary", "compare", "agglomerate mean"]
)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.astype(float), "float64"),
        (lambda a: a.astype(np.int64) - 2, "got -2"),
        (lambda a: a.astype(str), "<U"),
        (lambda a: a.astype(object), "object"),
    ],
)
def test_ids_that_are_none_are_refused(name, change, words) -> None:
    function, arrays = FUNCTIONS[name]
    with pytest.raises(ValueError, match=words):
        function(*(change(array) if array.dtype == np.uint64 else array for array in arrays))


@pytest.mark.parametrize(
    "name", [name for name in FUNCTIONS if name not in ("components", "relabel")]
)
def test_too_many_and_too_few_axes_are_refused(name) -> None:
    function, arrays = FUNCTIONS[name]
    if name != "compare":
        with pytest.raises(ValueError, match=r"\w+ .*\w+ .*\w+"):
            function(*(array[None, None] for array in arrays))
        with pytest.raises(ValueError, match=r"\w+ .*\w+ .*\w+"):
            function(*(array.reshape(-1) for array in arrays))
    if len(arrays) > 1:
        with pytest.raises(ValueError, match=r"shape|fit"):
            function(*arrays[:-1], arrays[-1][:-1])


@pytest.mark.parametrize(
    ("count", "words"), [(3, "3 channels.*fit the 6 offsets"), (5, "5 channels.*fit the 6 offsets")]
)
@pytest.mark.parametrize(
    "name", ["agglomerate mean", "agglomerate mean_all", "agglomerate quantile", "mutex", "decode"]
)
def test_channels_and_offsets_of_other_numbers_are_refused(name, count, words) -> None:
    function, (affs, other) = FUNCTIONS[name]
    with pytest.raises(ValueError, match=words):
        function(affs[:count], other)


@pytest.mark.parametrize(
    ("offsets", "words"),
    [
        (((0, 0, 0), *FAR[1:]), r"\(0, 0, 0\) .*other than 0"),
        ((FAR[1], *FAR[1:]), r"\(0, -1, 0\) twice"),
        (((0, 0, 0.5), *FAR[1:]), "whole numbers"),
        ((), "empty|channels"),
    ],
)
def test_offsets_that_are_none_are_refused(offsets, words) -> None:
    for function in (
        lambda: affinities(LABELS, offsets),
        lambda: mutex(AFFS, offsets),
        lambda: agglomerate(AFFS, LABELS, neighborhood=offsets, scoring="mean_all"),
        lambda: decode(AFFS, offsets, Segment()),
    ):
        with pytest.raises(ValueError, match=words):
            function()


def test_channels_without_offsets_are_told() -> None:
    with pytest.warns(UserWarning, match="6 channels of affinities and no neighborhood"):
        found = agglomerate(AFFS, LABELS)
    assert_same(found, agglomerate(AFFS[:3], LABELS))
    with pytest.raises(ValueError, match="looks at all 6 channels"):
        agglomerate(AFFS, LABELS, scoring="mean_all")


def test_offsets_longer_than_the_volume_are_told() -> None:
    far = (*FAR[:5], (0, 9, 9))
    with pytest.warns(UserWarning, match=r"\(0, 9, 9\) is longer"):
        affs, known = affinities(LABELS, far)
    assert not affs[5].any()
    assert not known[5].any()
    with pytest.warns(UserWarning, match=r"\(0, 9, 9\) is longer"):
        found = agglomerate(AFFS, LABELS, neighborhood=far, scoring="mean_all")
    assert_same(found, agglomerate(AFFS[:5], LABELS, neighborhood=far[:5], scoring="mean_all"))


def test_descriptors_that_see_little_are_told() -> None:
    with pytest.warns(UserWarning, match=r"sigma of 7 nm is less than a voxel, 8 nm"):
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=7)
    with pytest.warns(
        UserWarning, match=r"sigma of 20 nm is less than 3 voxels, 24 nm \(downsample=3\)"
    ):
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=20, downsample=3)
    with pytest.warns(UserWarning, match=r"downsample=8 is larger than the volume, 7 voxels"):
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=200, downsample=8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=8)
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=56, downsample=7)
        (
            descriptors(LABELS[:1], voxel_size=(40, 8, 8), sigma=30, downsample=2),
            "a section knows no z",
        )


@pytest.mark.parametrize("sigma", [np.nan, np.inf, 0, (20, 20)])
def test_sigma_is_a_number_or_one_an_axis(sigma) -> None:
    with pytest.raises(ValueError, match="sigma has one positive"):
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=sigma)
    assert_same(
        descriptors(LABELS, voxel_size=(8, 8, 8), sigma=np.float32(20)),
        descriptors(LABELS, voxel_size=np.array([8, 8, 8]), sigma=np.array([20.0, 20, 20])),
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([0, 1], [[1, 2]], [0.5], 0.5), "fragment 2"),
        (([1, 2], [[1, 2]], [0.5, 0.6], 0.5), r"wanted: \(m, 2\) and \(m,\)"),
        (([1, 2], [[1, 2]], [np.nan], 0.5), "got nan"),
        (([1, 2], [[1, 2]], [0.5], np.nan), "nan"),
        (([1, 2], [[1, -2]], [0.5], 0.5), "edges: .* got -2"),
        (([1.0, 2.0], [[1, 2]], [0.5], 0.5), "nodes: ids must be whole numbers, .*float64"),
        (([1, 2], [[1.0, 2.0]], [0.5], 0.5), "edges: ids must be whole numbers, .*float64"),
    ],
)
def test_graphs_that_are_none_are_refused(arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        components(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 128}, r"threshold is a mean affinity, 0\.\.1"),
        ({"min_seed_distance": 0}, "min_seed_distance"),
        ({"boundaries": "closest"}, "nearest, affinity, got 'closest'"),
        ({"blank_sections": (7,)}, "blank_sections"),
    ],
)
def test_options_of_fragments(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        fragments(AFFS[:3], **options)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ((RAW + 1) * 127.5, r"raw lies in .*allowed: -1\.\.1.*give uint8"),
        (RAW * 1.01, r"allowed: -1\.\.1"),
        (with_value(RAW, (8, 0, 3), np.nan), r"nan at voxel \(8, 0, 3\)"),
        (with_value(RAW, (0, 9, 10), -np.inf), r"-inf at voxel \(0, 9, 10\)"),
        ((RAW * 100).astype(np.int16), r"raw is int16; allowed: uint8"),
        (RAW > 0, "raw is bool"),
        (np.zeros((0, 5, 5), np.float32), "holds no voxel"),
        (RAW[0], "cannot predict a volume of 2 axes"),
        (RAW[None], "cannot predict a volume of 4 axes"),
    ],
)
def test_raw_that_is_none_is_refused(raw, words) -> None:
    with pytest.raises(ValueError, match=words):
        predict_array(PREDICTOR, raw)


def test_raw_that_looks_like_0_to_1_is_told() -> None:
    with pytest.warns(UserWarning, match=r"raw \* 2 - 1"):
        predict_array(PREDICTOR, RAW / 2 + 0.5)
    with pytest.raises(ValueError, match="voxel_size has 2 axes, raw 3"):
        predict_array(PREDICTOR, RAW, voxel_size=(8, 8))


def test_rounding_is_forgiven_and_no_more() -> None:
    for value in (-9e-4, 1 + 9e-4):
        assert checked(with_value(AFFS, (1, 2, 3, 4), value)) is not None
        predict_array(PREDICTOR, with_value(RAW, (1, 2, 3), value if value > 0 else value - 1))
    for value in (-2e-3, 1 + 2e-3):
        with pytest.raises(ValueError, match=r"in channel 1 at voxel \(2, 3, 4\)"):
            checked(with_value(AFFS, (1, 2, 3, 4), value))
        with pytest.raises(ValueError, match="raw lies in"):
            predict_array(PREDICTOR, with_value(RAW, (1, 2, 3), value if value > 0 else value - 1))


@pytest.mark.parametrize(("largest", "told"), [(0, False), (1, True), (2, False), (255, False)])
def test_bytes_that_look_like_a_mask_are_told(largest, told) -> None:
    affs = np.zeros((3, 4, 5, 6), np.uint8)
    affs[:, 2:] = largest
    labels = np.arange(affs[0].size).reshape(affs[0].shape)
    for function in (
        fragments,
        lambda affs: mutex(affs, NEAREST),
        lambda affs: agglomerate(affs, labels),
    ):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            function(affs)
        assert [warning.filename for warning in found] == [__file__] * told


def test_checked_gives_what_it_was_given() -> None:
    assert checked(AFFS) is AFFS or np.shares_memory(checked(AFFS), AFFS)
    assert checked(AFFS, FAR).dtype == np.float32
