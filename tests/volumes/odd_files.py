"""A small zarr folder, whose metadata are replaced by what nobody should write, and how it is
read."""

import numpy as np
import zarr
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from lsd.volumes.array import open_array

DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
FILES = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ODD = [
    None, True, 0, -1, 1.5, 1e400, float("nan"), 10**400, "", "nm", "zyx", [], {}, [None], [[]],
    [{}], [""], {"a": 1}, [1, 2],
    [0, 0, 0], [1, 1, 1], [-4, 4, 4], ["4", 4, 4], [1e-300, 4, 4], [1e300, 4, 4], [None, 4, 4],
    [[4], [4], [4]], [True, 4, 4],
    ["z", "y", "x"], ["x", "y", "z"], ["z", "y", "y"], ["t", "c", "x"], ["nm", "um", "nm"],
    ["", "", ""], [1, 1, 1, 1],
    {"type": "scale"}, [{"type": "scale", "scale": [1, 1]}], [{"type": 3}], [{"scale": [1, 1, 1]}],
    {"dimensions": 3, "unit": 4}, {"axes": ["z"], "scale": 3},
]  # fmt: skip
ODD_VALUES = st.one_of(
    st.sampled_from(ODD),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-3, 10**9)
        | st.floats()
        | st.sampled_from(["nm", "z", "scale", "0", "space"]),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["type", "path", "axes"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
KEYS = (
    "resolution", "voxel_size", "offset", "units", "axis_names", "_ARRAY_DIMENSIONS", "transform",
    "pixelResolution", "element_size_um",
)  # fmt: skip
STEPS = [
    {"type": "scale", "scale": [40, 4, 4]},
    {"type": "translation", "translation": [40, 8, 12]},
]
MULTISCALES = [
    {
        "version": "0.4",
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [{"path": "raw", "coordinateTransformations": STEPS}],
        "coordinateTransformations": [{"type": "identity"}],
    }
]


def save(folder):
    path = folder / "a.zarr"
    if not path.exists():
        zarr.open_group(str(path), mode="w")
        zarr.open_array(str(path / "raw"), mode="w", shape=DATA.shape, dtype="u1")[...] = DATA
        (path / "whole.json").write_text((path / "raw" / ".zarray").read_text())
    (path / "raw" / ".zarray").write_text((path / "whole.json").read_text())
    for file in (path / ".zattrs", path / "raw" / ".zattrs"):
        file.write_text("{}")
    return path


def read_or_sentence(path, name="raw", **options) -> str | None:
    """None where it was read as it is; otherwise the message, which is a sentence with the file in
    it."""
    error = error_of(lambda: read(path, name, **options))
    if error is None:
        return None
    message = str(error)
    assert str(path) in message
    assert len(message.replace(str(path), "")) > 15, message
    assert "\n" not in message
    assert not message.startswith("[Errno")
    return message


def read(path, name, **options) -> None:
    array = open_array(path, name, **options)
    assert sorted(array.read(array.roi).ravel()) == sorted(DATA.ravel())
    assert all(size > 0 for size in array.voxel_size)


def error_of(action) -> Exception | None:
    """ValueError and OSError; any other is not caught."""
    try:
        action()
    except (ValueError, OSError) as error:
        return error
    return None
