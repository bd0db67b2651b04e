"""Offsets that are no whole voxels: kept exactly, compared between arrays, written back into what
is made from them."""

import json
import logging
from fractions import Fraction

import numpy as np
import pytest
import zarr
from funlib.geometry import Coordinate, Roi
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.inputs import ArrayState
from lsd.volumes.units import exact, left_over, lengths, voxels_between, whole_voxels
from lsd.volumes.volume import open_volume

RAW = np.random.default_rng(0).integers(0, 255, (6, 8, 10), dtype=np.uint8)
FILES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SIZES = st.lists(
    st.decimals(min_value="0.01", max_value=1000, places=2).map(float), min_size=3, max_size=3
)
NM = st.lists(
    st.decimals(min_value=-(10**6), max_value=10**6, places=3).map(float), min_size=3, max_size=3
)


def save(path, name, data=RAW, **attributes):
    zarr.open_group(str(path), mode="a")
    array = zarr.open_array(str(path / name), mode="w", shape=data.shape, dtype=data.dtype)
    array[...] = data
    array.attrs.update(attributes)
    return path


def opened(path, **spec):
    return open_volume(
        Volume.model_validate({"path": str(path), "raw": "raw", **spec}),
        name="one",
        data_root=path.parent,
    )


@given(NM, SIZES)
def test_lengths_are_whole_voxels_and_what_is_left(nm, sizes) -> None:
    whole = whole_voxels(nm, sizes)
    rest = left_over(nm, whole, sizes)
    assert lengths(whole, sizes, rest) == tuple(nm)
    for n, size, left, length in zip(whole, sizes, rest, nm, strict=True):
        assert abs(left) <= Fraction(51, 100) * exact(size)
        assert Fraction(str(length)) == n * Fraction(str(size)) + left


@given(NM, SIZES, st.lists(st.integers(-1000, 1000), min_size=3, max_size=3))
def test_what_lies_whole_voxels_apart_is_found_to_do_so(nm, sizes, steps) -> None:
    there = [float(exact(a) + n * exact(size)) for a, n, size in zip(nm, steps, sizes, strict=True)]
    one, other = (left_over(place, whole_voxels(place, sizes), sizes) for place in (nm, there))
    moved = voxels_between(other, one, sizes)
    assert moved is not None
    assert [
        b - a + m
        for a, b, m in zip(whole_voxels(nm, sizes), whole_voxels(there, sizes), moved, strict=True)
    ] == steps


@FILES
@given(NM, SIZES, st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_outputs_lie_where_raw_lies(tmp_path, nm, sizes, begin) -> None:
    """What is written into a part of raw has the offset, in nm, of that part, computed from the
    metadata on disk alone."""
    raw = open_array(save(tmp_path / "a.zarr", "raw", resolution=sizes, offset=nm), "raw")
    roi = Roi(raw.offset + Coordinate(begin), (2, 2, 2))
    made = create_array(
        tmp_path / "b.zarr", "affs", roi=roi, voxel_size=raw.voxel_size, dtype="u1", channels=3,
        remainder=raw.remainder,
        overwrite=True,
    )  # fmt: skip
    assert (made.roi, made.remainder) == (roi, raw.remainder)
    place = [
        float(Fraction(str(a)) + n * Fraction(str(size)))
        for a, n, size in zip(nm, begin, sizes, strict=True)
    ]
    written = zarr.open(str(tmp_path / "b.zarr"), mode="r")["affs/0"].attrs["offset"]
    np.testing.assert_allclose(written, place, rtol=1e-14, atol=0)
    again = create_array(
        tmp_path / "b.zarr",
        "affs",
        roi=roi,
        voxel_size=raw.voxel_size,
        dtype="u1",
        channels=3,
        remainder=raw.remainder,
    )
    assert again.roi == roi
    found = open_array(tmp_path / "b.zarr", "affs")
    assert found.on_grid(raw.remainder).roi == roi


def test_ome_zarr_says_the_same(tmp_path) -> None:
    raw = open_array(
        save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[0, 2, 6]), "raw"
    )
    create_array(
        tmp_path / "b.zarr",
        "seg",
        roi=raw.roi,
        voxel_size=(40, 8, 8),
        dtype="u8",
        remainder=raw.remainder,
    )
    steps = [
        step
        for file in (tmp_path / "b.zarr").rglob(".zattrs")
        for multiscale in json.loads(file.read_text()).get("multiscales", [])
        for step in multiscale["datasets"][0]["coordinateTransformations"]
    ]
    assert [step["translation"] for step in steps if step["type"] == "translation"] == [[0, 2, 6]]


def test_an_array_elsewhere_is_another_array(tmp_path) -> None:
    roi = Roi((0, 0, 0), (6, 8, 10))
    options = {"roi": roi, "voxel_size": (40, 8, 8), "dtype": "u8"}
    create_array(tmp_path / "b.zarr", "seg", remainder=(0, 2, 2), **options)
    create_array(tmp_path / "b.zarr", "seg", remainder=(0, 2, 2), **options)
    with pytest.raises(
        ValueError, match=r"b\.zarr:seg: it is shifted by \(0, 0\.25, 0\.25\) voxels"
    ):
        create_array(tmp_path / "b.zarr", "seg", **options)


@pytest.mark.parametrize(
    "offset", [(20.0, 1.0, 3.3), (0.0, 4.0, 4.0), (-20.0, -4.0, 3.996), (1e6 + 13.37, 0.1, -0.1)]
)
def test_raw_and_labels_between_voxels_but_beside_each_other(tmp_path, offset) -> None:
    size = [40.0, 8.0, 8.0]
    save(tmp_path / "a.zarr", "raw", resolution=size, offset=list(offset))
    crop = [float(exact(a) + n * exact(s)) for a, n, s in zip(offset, (1, 2, 3), size, strict=True)]
    save(
        tmp_path / "a.zarr", "labels", RAW[1:4, 2:6, 3:8].astype("u8"), resolution=size, offset=crop
    )
    volume = opened(tmp_path / "a.zarr", labels="labels", fit="intersect")
    np.testing.assert_array_equal(volume.read_labels(volume.roi), RAW[1:4, 2:6, 3:8])
    np.testing.assert_array_equal((volume.read_raw(volume.roi) * 255).round(), RAW[1:4, 2:6, 3:8])


@pytest.mark.parametrize("rounding", [-1e-4, 1e-4])
def test_rounding_at_half_a_voxel_does_not_part_arrays(tmp_path, rounding) -> None:
    save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[0, 4, 4])
    save(
        tmp_path / "a.zarr",
        "labels",
        RAW.astype("u8"),
        resolution=[40, 8, 8],
        offset=[0, 4 + rounding, 4 - rounding],
    )
    volume = opened(tmp_path / "a.zarr", labels="labels")
    assert volume.roi == volume.raw.roi == volume.labels.roi


def test_labels_between_the_voxels_of_raw_are_refused(tmp_path) -> None:
    save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[0, 2, 2])
    save(tmp_path / "a.zarr", "labels", RAW.astype("u8"), resolution=[40, 8, 8])
    with pytest.raises(
        ValueError,
        match=r"volume 'one': labels against raw: .*shifted by \(0, -0\.25, -0\.25\) voxels",
    ):
        opened(tmp_path / "a.zarr", labels="labels", fit="intersect")
    volume = opened(tmp_path / "a.zarr", labels="labels", offset={"labels": (0, 2, 2)})
    assert volume.labels.roi == volume.raw.roi


def test_every_level_of_a_pyramid_of_means(tmp_path) -> None:
    """Level n of a pyramid that keeps centres is shifted by (2^n - 1) / 2 voxels of level 0."""
    zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    levels = []
    for n in range(4):
        factor = 2**n
        for kind in ("raw", "labels"):
            save(tmp_path / "a.zarr", f"{kind}{n}", np.ones((4, 8, 8), np.uint8))
        scale, move = [40, 4 * factor, 4 * factor], [0, 2 * (factor - 1), 2 * (factor - 1)]
        steps = [{"type": "scale", "scale": scale}, {"type": "translation", "translation": move}]
        levels += [
            {"path": f"{kind}{n}", "coordinateTransformations": steps} for kind in ("raw", "labels")
        ]
    axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    zarr.open_group(str(tmp_path / "a.zarr"), mode="a").attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": levels}
    ]
    for n in range(4):
        volume = opened(tmp_path / "a.zarr", raw=f"raw{n}", labels=f"labels{n}")
        assert volume.roi.shape == (4, 8, 8)
        place = lengths(volume.raw.offset, volume.voxel_size, volume.raw.remainder)
        assert place == (0, 2 * (2**n - 1), 2 * (2**n - 1))


def test_an_array_between_voxels_is_another_one(tmp_path) -> None:
    save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[40, 8, 8])
    here, there = (
        ArrayState.of(open_array(tmp_path / "a.zarr", "raw", offset=at))
        for at in ((40, 8, 8), (40, 10, 8))
    )
    assert (here.content, here.dtype) == (there.content, there.dtype)
    assert {name for name in here.layout if here.layout[name] != there.layout[name]} == {
        "remainder"
    }
    assert ArrayState.model_validate_json(there.model_dump_json()) == there


def test_offset_of_the_config_is_used_and_said(tmp_path, caplog) -> None:
    save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[40, 8, 8])
    with caplog.at_level(logging.WARNING):
        volume = opened(tmp_path / "a.zarr", offset=(80, 16, 20))
    assert (volume.raw.offset, volume.raw.remainder) == ((2, 2, 3), (0, 0, -4))
    assert (
        "its offset is (40.0, 8.0, 8.0) nm by its file and (80.0, 16.0, 20.0) nm by the config"
        in caplog.text
    )
    caplog.clear()
    assert opened(tmp_path / "a.zarr", offset=(40, 8, 8)).raw.offset == (1, 1, 1)
    assert not caplog.records


def test_one_offset_does_not_hide_that_files_differ(tmp_path) -> None:
    """A crop of labels has its own offset; one offset for all would put it somewhere else without a
    word."""
    save(tmp_path / "a.zarr", "raw", resolution=[40, 8, 8], offset=[0, 0, 0])
    save(
        tmp_path / "a.zarr",
        "labels",
        RAW[:3].astype("u8"),
        resolution=[40, 8, 8],
        offset=[40, 0, 0],
    )
    with pytest.raises(
        ValueError,
        match=r"offset is \(80.0, 0.0, 0.0\) by the config for all arrays, but raw .*, labels ",
    ):
        opened(tmp_path / "a.zarr", labels="labels", offset=(80, 0, 0), fit="intersect")
    both = {"raw": (80, 0, 0), "labels": (120, 0, 0)}
    volume = opened(tmp_path / "a.zarr", labels="labels", offset=both, fit="intersect")
    assert volume.labels.roi == Roi((3, 0, 0), (3, 8, 10))
