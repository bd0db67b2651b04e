"""What others see of our arrays: each kind of output, opened by its address with readers that are
not ours."""

import json
from dataclasses import dataclass, field

import ngff_zarr
import numpy as np
import pytest
import tensorstore
import zarr
from funlib.geometry import Roi
from ngff_zarr.validate import validate
from numpy.typing import NDArray

from lsd.spec import Synthetic
from lsd.volumes import containers
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.generated import generate
from lsd.volumes.units import lengths

ROI = Roi((3, -2, 10), (10, 20, 30))


@dataclass(frozen=True)
class Kind:
    """An array as one of our outputs."""

    name: str
    dtype: str
    voxel_size: tuple[float, ...] = (5.24, 4.0, 4.0)
    roi: Roi = field(default_factory=lambda: ROI)
    channels: int | None = None
    labels: bool = False

    @property
    def data(self) -> NDArray[np.generic]:
        rng, shape = (
            np.random.default_rng(0),
            (*([self.channels] if self.channels else []), *self.roi.shape),
        )
        if np.dtype(self.dtype).kind == "f":
            return rng.random(shape).astype(self.dtype)
        # ids of whole volumes are beyond 2**33, where float32 and uint32 fail
        low = 2**33 if self.dtype == "u8" else 0
        return rng.integers(low, np.iinfo(self.dtype).max, shape, dtype=self.dtype, endpoint=True)

    def write(self, container):
        array = create_array(
            container, self.name, roi=self.roi, voxel_size=self.voxel_size, dtype=self.dtype,
            channels=self.channels,
            labels=self.labels, chunks=tuple(min(n, 16) for n in self.roi.shape),
        )  # fmt: skip
        array.write(self.data, self.roi)
        return array


KINDS = {
    "raw": Kind("volumes/raw", "u1", (40.0, 4.0, 4.0)),
    "affs": Kind("affs", "u1", channels=3),
    "affs as floats": Kind("affs", "f4", (8.5, 8.5, 8.5), channels=6),
    "fragments": Kind("fragments", "u8", labels=True),
    "segmentation": Kind("segmentation/0.30000000000000004", "u8", labels=True),
    "2D labels": Kind("segmentation/0.5", "u8", (3.1, 3.1), Roi((0, 7), (33, 21)), labels=True),
    "2D affs": Kind("affs", "u1", (0.5, 0.25), Roi((-5, 1), (20, 40)), channels=2),
}


@pytest.fixture(params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


def test_tensorstore(tmp_path, kind) -> None:
    """By the address of the array; what is written by it is read by us."""
    kind.write(tmp_path / "vol.zarr")
    spec = {
        "driver": "zarr",
        "kvstore": {"driver": "file", "path": str(tmp_path / "vol.zarr" / kind.name / "0")},
    }
    store = tensorstore.open(spec).result()
    np.testing.assert_array_equal(store.read().result(), kind.data, strict=True)
    changed = kind.data[..., ::-1]
    store.write(changed).result()
    np.testing.assert_array_equal(
        open_array(tmp_path / "vol.zarr", kind.name).read(kind.roi), changed, strict=True
    )


def test_ngff_zarr(tmp_path, kind) -> None:
    """By the address of the image, its metadata held against the schema of OME-Zarr 0.4."""
    kind.write(tmp_path / "vol.zarr")
    images = ngff_zarr.from_ngff_zarr(str(tmp_path / "vol.zarr" / kind.name), validate=True)
    [image] = images.images
    dims = ["z", "y", "x"][-kind.roi.dims :]
    np.testing.assert_array_equal(image.data.compute(), kind.data, strict=True)
    assert list(image.dims) == ["c"] * bool(kind.channels) + dims
    assert [axis.type for axis in images.metadata.axes] == ["channel"] * bool(kind.channels) + [
        "space"
    ] * len(dims)
    assert [image.axes_units[dim] for dim in dims] == ["nanometer"] * len(dims)
    assert tuple(image.scale[dim] for dim in dims) == kind.voxel_size
    assert tuple(image.translation[dim] for dim in dims) == lengths(kind.roi.begin, kind.voxel_size)


def test_labels_are_known_as_labels(tmp_path, kind) -> None:
    kind.write(tmp_path / "vol.zarr")
    attributes = json.loads((tmp_path / "vol.zarr" / kind.name / ".zattrs").read_text())
    assert ("image-label" in attributes) == kind.labels
    if kind.labels:
        validate(attributes, version="0.4", model="label")


def test_groups_lead_to_every_array(tmp_path) -> None:
    """As a program that lists a container walks it."""
    for kind in KINDS.values():
        if kind.roi.dims == 3 and kind.dtype != "f4":
            kind.write(tmp_path / "vol.zarr")
    found = []
    zarr.open_group(str(tmp_path / "vol.zarr"), mode="r").visititems(
        lambda name, item: found.append(name) if isinstance(item, zarr.Array) else None
    )
    assert sorted(found) == [
        "affs/0",
        "fragments/0",
        "segmentation/0.30000000000000004/0",
        "volumes/raw/0",
    ]


def test_the_synthetic_volume(tmp_path) -> None:
    container = generate(Synthetic(shape=(24, 32, 32), voxel_size=(8.0, 5.24, 8.0)), tmp_path)
    names = containers.array_names(container)
    assert names == ["volumes/labels/mitochondria", "volumes/labels/neuron_ids", "volumes/raw"]
    for name in names:
        ours = open_array(container, name)
        [image] = ngff_zarr.from_ngff_zarr(str(container / name), validate=True).images
        np.testing.assert_array_equal(image.data.compute(), ours.read(ours.roi), strict=True)
        assert image.scale == {"z": 8.0, "y": 5.24, "x": 8.0}
        assert ("image-label" in json.loads((container / name / ".zattrs").read_text())) == (
            "labels" in name
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["raw", "affs as floats", "fragments"])
def test_funlib_persistence(tmp_path, name) -> None:
    """It knows whole nanometres only."""
    from funlib.persistence import open_ds

    given = KINDS[name]
    kind = Kind(given.name, given.dtype, (40.0, 4.0, 4.0), channels=given.channels)
    kind.write(tmp_path / "vol.zarr")
    found = open_ds(str(tmp_path / "vol.zarr" / kind.name / "0"))
    np.testing.assert_array_equal(found[:], kind.data)
    assert tuple(found.voxel_size) == (40, 4, 4)
    assert tuple(found.roi.offset) == (120, -8, 40)
    assert found.axis_names == [*(["c"] if kind.channels else []), "z", "y", "x"]
    assert found.units == ["nm"] * 3
