"""Array functions and what people hand to them: any layout and byte order, and any sound dtype."""

import numpy as np
import pytest
from array_cases import AFFINE, FUNCTIONS, LAYOUTS, PREDICTOR, RAW, RNG, assert_same

from lsd.prediction.array import predict_array


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_layout_is_no_matter_and_inputs_stay(name, layout) -> None:
    function, arrays = FUNCTIONS[name]
    expected = function(*(array.copy() for array in arrays))
    given = [LAYOUTS[layout](array) for array in arrays]
    kept = [array.copy() for array in given]
    assert_same(function(*given), expected)
    for array, before in zip(given, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        assert array.dtype == before.dtype


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
)
@pytest.mark.parametrize(
    "name",
    [
        "descriptors",
        "affinities",
        "boundary",
        "compare",
        "agglomerate mean",
        "agglomerate quantile",
    ],
)
def test_ids_of_any_integer_type(name, dtype) -> None:
    function, arrays = FUNCTIONS[name]
    given = [array.astype(dtype) if array.dtype == np.uint64 else array for array in arrays]
    assert_same(function(*given), function(*arrays))


@pytest.mark.parametrize("name", ["descriptors", "affinities", "boundary", "compare"])
def test_bool_is_one_object(name) -> None:
    function, arrays = FUNCTIONS[name]
    given = [array > 1 if array.dtype == np.uint64 else array for array in arrays]
    assert_same(
        function(*given),
        function(
            *(
                g.astype(np.uint8) if a.dtype == np.uint64 else g
                for g, a in zip(given, arrays, strict=True)
            )
        ),
    )


@pytest.mark.parametrize("dtype", [np.int32, np.float32, bool])
@pytest.mark.parametrize("name", ["affinities", "boundary", "fragments", "mutex", "compare"])
def test_masks_of_any_type(name, dtype) -> None:
    function, arrays = FUNCTIONS[name]
    assert_same(function(*arrays[:-1], 3 * arrays[-1].astype(dtype)), function(*arrays))


@pytest.mark.parametrize("name", AFFINE)
def test_affinities_of_bytes_and_of_any_float(name) -> None:
    function, (affs, other) = FUNCTIONS[name]
    stored = np.round(affs * 255).astype(np.uint8)
    as_float = stored.astype(np.float32) / np.float32(255)
    expected = function(as_float, other)
    assert_same(function(stored, other), expected)
    assert_same(function(as_float.astype(np.float64), other), expected)


def test_raw_as_bytes_is_raw_in_minus_one_to_one() -> None:
    stored = RNG.integers(0, 256, RAW.shape).astype(np.uint8)
    expected = predict_array(PREDICTOR, (stored / 127.5 - 1).astype(np.float32))["affs"]
    assert expected.std() > 0.01
    np.testing.assert_allclose(predict_array(PREDICTOR, stored)["affs"], expected, atol=1e-5)
    for dtype in (np.float64, np.float16):
        exact = RAW.astype(dtype)
        np.testing.assert_array_equal(
            predict_array(PREDICTOR, exact)["affs"],
            predict_array(PREDICTOR, exact.astype(np.float32))["affs"],
        )
