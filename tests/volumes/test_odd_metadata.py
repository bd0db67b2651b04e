"""Metadata as nobody should write them: read, or refused in one sentence that names the file; never
another error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from odd_files import (
    FILES,
    KEYS,
    MULTISCALES,
    ODD,
    ODD_VALUES,
    read_or_sentence,
    save,
)

from lsd.spec import Volume
from lsd.volumes.array import open_array
from lsd.volumes.volume import open_volume


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_attributes(tmp_path, key, value) -> None:
    path = save(tmp_path)
    (path / "raw" / ".zattrs").write_text(json.dumps({key: value}))
    read_or_sentence(path)
    read_or_sentence(path, voxel_size=(40, 4, 4))


@FILES
@given(st.dictionaries(st.sampled_from(KEYS), ODD_VALUES, max_size=4), st.booleans())
def test_any_attributes(tmp_path, attributes, on_the_group) -> None:
    path = save(tmp_path)
    (path / ("" if on_the_group else "raw") / ".zattrs").write_text(json.dumps(attributes))
    read_or_sentence(path)


def places(value, so_far=()):
    """Every place in nested JSON."""
    yield so_far
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, below in items:
        yield from places(below, (*so_far, key))


def put(value, place, new):
    if not place:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[place[0]] = put(value[place[0]], place[1:], new)
    return changed


def without(value, place):
    if len(place) == 1:
        return (
            {k: v for k, v in value.items() if k != place[0]}
            if isinstance(value, dict)
            else value[:-1]
        )
    return put(value, place[:1], without(value[place[0]], place[1:]))


PLACES = list(places(MULTISCALES))


@pytest.mark.parametrize("name", ["raw", ""])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_each_place_of_multiscales(tmp_path, name, place) -> None:
    path = save(tmp_path)
    changes = [put(MULTISCALES, place, value) for value in ODD] + (
        [without(MULTISCALES, place)] if place else []
    )
    for changed in changes:
        (path / ".zattrs").write_text(json.dumps({"multiscales": changed}))
        read_or_sentence(path, name)


@FILES
@given(st.sampled_from(PLACES), ODD_VALUES, st.sampled_from(["raw", ""]))
def test_any_multiscales(tmp_path, place, value, name) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": put(MULTISCALES, place, value)}))
    read_or_sentence(path, name)


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ((), {"a": 1}, r"\.zattrs: multiscales is \{'a': 1\}; it must be a list of objects"),
        ((0, "datasets"), [], r"multiscales\[0\]\.datasets is \[\]; it must name an array"),
        (
            (0, "datasets", 0, "path"),
            3,
            r"multiscales\[0\]\.datasets\[0\]\.path is 3; it must be the name of an array",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "type"),
            None,
            "has one of type None; identity, scale and",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [4, 4],
            "a scale of 2 numbers, its axes are 3",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [0, 4, 4],
            "voxel sizes are positive",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 0, "scale"),
            [-4, 4, 4],
            "voxel sizes are positive",
        ),
        (
            (0, "datasets", 0, "coordinateTransformations", 1, "translation"),
            ["a", 4, 4],
            "must be finite numbers",
        ),
        ((0, "axes", 0), {"type": "space"}, "each must have a name"),
        ((0, "axes", 0, "name"), "", "each must be one of"),
        ((0, "axes", 0, "unit"), 3, "a unit is a word"),
    ],
)
def test_multiscales_are_told_by_field(tmp_path, place, value, says) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": put(MULTISCALES, place, value)}))
    with pytest.raises(ValueError, match=says):
        open_array(path, "raw")
    with pytest.raises(ValueError, match=rf"^volume 'one': .*a\.zarr.*{says}"):
        open_volume(Volume(path="a.zarr", raw="raw"), name="one", data_root=tmp_path)


def test_broken_multiscales_beside_whole_attributes(tmp_path) -> None:
    path = save(tmp_path)
    (path / ".zattrs").write_text(json.dumps({"multiscales": [{"axes": 3}]}))
    (path / "raw" / ".zattrs").write_text(
        json.dumps({"resolution": [40, 4, 4], "offset": [0, 0, 0], "axis_names": list("zyx")})
    )
    assert open_array(path, "raw").voxel_size == (40, 4, 4)


@pytest.mark.parametrize(
    "text", ["[]", "[1]", "3", "null", "{broken", "", '"a"', "\udcff", "[" * 100_000]
)
@pytest.mark.parametrize("file", [".zattrs", "raw/.zattrs", "raw/.zarray"])
def test_files_that_hold_something_else(tmp_path, file, text) -> None:
    path = save(tmp_path)
    (path / file).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=rf"{file.rpartition('/')[2]} is damaged"):
        open_array(path, "raw", voxel_size=(1, 1, 1))
