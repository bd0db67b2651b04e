"""A file may take its voxels from others: these are part of what an array is, wherever they are
edited."""

import os
import time

import h5py
import numpy as np
import pytest
import tifffile

from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayState

SHAPE = (4, 16, 16)
OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{own}">
<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8"
SizeX="16" SizeY="16" SizeZ="4" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>"""
PLANE = (
    '<TiffData FirstZ="{z}" IFD="0" PlaneCount="1">'
    '<UUID FileName="z{z}.ome.tif">urn:uuid:{z}</UUID></TiffData>'
)


def ome_tiff(folder):
    """A file a section, as many microscopes write them; the first names all of them."""
    planes = "".join(PLANE.format(z=z) for z in range(SHAPE[0]))
    for z in range(SHAPE[0]):
        section = np.full(SHAPE[1:], z, np.uint8)
        said = OME.format(own=z, planes=planes)
        tifffile.imwrite(
            folder / f"z{z}.ome.tif",
            section,
            description=said,
            metadata=None,
            photometric="minisblack",
        )
    return folder / "z0.ome.tif", "", folder / "z2.ome.tif"


def save(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=np.arange(1024, dtype=np.uint8).reshape(SHAPE), **options)
    return path


def virtual(folder, *, source="part.h5", whole="whole.h5"):
    part = save(folder / "part.h5")
    layout = h5py.VirtualLayout(shape=SHAPE, dtype="u1")
    layout[...] = h5py.VirtualSource(source, "raw", shape=SHAPE)
    with h5py.File(folder / whole, "w") as file:
        file.create_virtual_dataset("raw", layout)
    return folder / whole, "raw", part


def virtual_of_virtual(folder):
    *_, part = virtual(folder)
    return (*virtual(folder, source="whole.h5", whole="outer.h5")[:2], part)


def link(folder):
    part = save(folder / "part.h5")
    with h5py.File(folder / "whole.h5", "w") as file:
        file["em"] = h5py.ExternalLink("part.h5", "/")
    return folder / "whole.h5", "em/raw", part


def external(folder):
    with h5py.File(folder / "whole.h5", "w") as file:
        values = file.create_dataset(
            "raw", shape=SHAPE, dtype="u1", external=[(str(folder / "values.bin"), 0, 1024)]
        )
        values[...] = 7
    return folder / "whole.h5", "raw", folder / "values.bin"


@pytest.mark.parametrize("make", [ome_tiff, virtual, virtual_of_virtual, link, external])
def test_an_edit_in_another_file_is_noticed(tmp_path, make) -> None:
    path, name, other = make(tmp_path)

    def found():
        array = open_array(path, name, voxel_size=(4, 4, 4))
        return ArrayState.of(array).content, array.read(array.roi)

    (before, voxels), (again, _) = found(), found()
    assert again == before
    time.sleep(0.02)
    with other.open("r+b") as opened:
        opened.seek(-1, os.SEEK_END)
        last = opened.read()
        opened.seek(-1, os.SEEK_END)
        opened.write(bytes([last[0] ^ 1]))
    after, changed = found()
    assert (changed != voxels).any(), "it is data"
    assert after != before
