"""Raw values: which range is advised, inverted contrast, and where it is not finite."""

import ast
import re

import numpy as np
import pytest
from funlib.geometry import Roi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsd.spec import Volume
from lsd.volumes.create import create_array
from lsd.volumes.intensity import check_range, to_unit
from lsd.volumes.volume import open_volume

FILES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "u2", "u4", "f2", "f4", "?"])
def test_the_advised_range_loses_nothing(dtype) -> None:
    """Taken as it is printed, it keeps the order of all values and clips none."""
    with pytest.raises(ValueError, match="raw_range=") as caught:
        check_range(np.dtype(dtype), None)
    advised = ast.literal_eval(re.search(r"raw_range=(\([^)]*\))", str(caught.value))[1])
    check_range(np.dtype(dtype), advised)
    if dtype[0] in "iu":
        limits = np.iinfo(dtype)
        values = (
            np.linspace(float(limits.min), float(limits.max), 101)
            .clip(limits.min, limits.max)
            .astype(dtype)
        )
        assert (np.diff(to_unit(values, advised)) > 0).all()
        assert (to_unit(values, advised)[[0, -1]] == [0, 1]).all()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "f4", "f8"])
def test_inverted_contrast(dtype) -> None:
    high = 100.0
    values = np.arange(-20, 120, 10).clip(0 if dtype[0] == "u" else None).astype(dtype)
    found = to_unit(values, (high, 0.0))
    np.testing.assert_allclose(found, 1 - values.astype(float).clip(0, high) / high, atol=1e-6)
    np.testing.assert_allclose(found, 1 - to_unit(values, (0.0, high)), atol=1e-6)


def test_inverted_contrast_of_a_volume(tmp_path) -> None:
    raw = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    roi = Roi((0, 0, 0), raw.shape)
    create_array(tmp_path / "a.zarr", "raw", roi=roi, voxel_size=(4, 4, 4), dtype="u1").write(
        raw, roi
    )
    spec = Volume(path="a.zarr", raw="raw", raw_range=(255, 0))
    assert Volume.model_validate_json(spec.model_dump_json()) == spec
    found = open_volume(spec, name="one", data_root=tmp_path).read_raw(roi)
    np.testing.assert_allclose(found, (255 - raw) / 255, atol=1e-6)


@FILES
@given(
    bad=st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 7)),
    begin=st.tuples(*[st.integers(-12, 12)] * 3),
    extent=st.tuples(*[st.integers(1, 14)] * 3),
    offset=st.tuples(*[st.integers(-9, 9)] * 3),
)
def test_the_voxel_that_is_not_finite_is_named_as_people_count(
    tmp_path, bad, begin, extent, offset
) -> None:
    """Also where the array is mirrored: what is read holds NaN exactly where numpy's reflection
    puts it."""
    raw = np.zeros((6, 7, 8), np.float32)
    raw[bad] = np.nan
    whole = Roi(offset, raw.shape)
    array = create_array(
        tmp_path / "a.zarr", "raw", roi=whole, voxel_size=(4, 4, 4), dtype="f4", overwrite=True
    )
    array.write(raw, whole)
    volume = open_volume(
        Volume(path="a.zarr", raw="raw", raw_range=(0, 1)), name="one", data_root=tmp_path
    )
    places = [range(o + b, o + b + n) for o, b, n in zip(offset, begin, extent, strict=True)]
    padded = np.pad(raw, 40, mode="reflect")
    found = padded[tuple(slice(40 + b, 40 + b + n) for b, n in zip(begin, extent, strict=True))]
    roi = Roi([place.start for place in places], extent)
    if np.isfinite(found).all():
        volume.read_raw(roi)
        return
    with pytest.raises(
        ValueError, match=r"volume 'one': .*a\.zarr:raw holds nan at voxel \("
    ) as caught:
        volume.read_raw(roi)
    world = tuple(b + o for b, o in zip(bad, offset, strict=True))
    expected = (
        f"voxel {bad};" if world == bad else f"voxel {bad} of the array, {world} of the world;"
    )
    assert expected in str(caught.value)


def test_a_label_beyond_64_bits_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"unknown\n.*18446744073709551615"):
        Volume(path="a", unknown=2**64)
    assert Volume(path="a", unknown=2**64 - 1).unknown == 2**64 - 1


@pytest.mark.parametrize(
    "field",
    [
        {"path": ""},
        {"labels": ""},
        {"labels_mask": ""},
        {"arrays": {"a": ""}},
        {"arrays": {"": "a"}},
    ],
)
def test_empty_names_are_refused(field) -> None:
    with pytest.raises(ValueError, match="at least 1 character"):
        Volume.model_validate({"path": "a", **field})
