"""How an array of three sections is written in each file format of this package."""

import gzip
import json
import struct

import h5py
import numpy as np
import tifffile
from funlib.geometry import Roi

from lsd.volumes.create import create_array
from lsd.volumes.images.listing import HEAD


def _zarr(path, data) -> None:
    roi = Roi((0,) * 3, data.shape)
    create_array(path, "raw", roi=roi, voxel_size=(8,) * 3, dtype=data.dtype, overwrite=True).write(
        data, roi
    )


def _hdf5(path, data) -> None:
    with h5py.File(path, "w") as file:
        file["raw"] = data


def _image_list(path, data) -> None:
    for number, section in enumerate(data):
        tifffile.imwrite(path.with_name(f"{number}.tif"), section)
    lines = [f"{number},,{data.shape[1]},{data.shape[2]},{number}.tif," for number in range(3)]
    path.write_text("\n".join([HEAD, *lines]))


def nifti(path, data, *, sizes=(4.0, 4.0, 40.0), unit=0, order="<", version=1, scaling=(0.0, 0.0)):
    """By hand, as nifti1.h and nifti2.h say; sizes: of a voxel along x, y and z."""
    codes = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "u2": 512, "u4": 768, "u8": 1280}
    code, bits = codes[data.dtype.str[1:]], 8 * data.dtype.itemsize
    extents = [data.ndim, *data.shape[::-1], *[1] * (7 - data.ndim)]
    spacing = [1.0, *sizes, *[1.0] * 7][:8]
    head = bytearray(352 if version == 1 else 544)
    fields = {
        1: ((0, "i", 348), (40, "8h", *extents), (70, "2h", code, bits), (76, "8f", *spacing),
            (108, "3f", 352.0, *scaling), (123, "b", unit), (344, "4s", b"n+1\0")),
        2: ((0, "i", 540), (4, "8s", b"n+2\0\r\n\x1a\n"), (12, "2h", code, bits),
            (16, "8q", *extents), (104, "8d", *spacing), (168, "q", 544), (176, "2d", *scaling),
            (500, "i", unit)),
    }  # fmt: skip
    for place, packed, *values in fields[version]:
        struct.pack_into(f"{order}{packed}", head, place, *values)
    content = bytes(head) + data.astype(data.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def _nifti_folder(path, data) -> None:
    path.mkdir(exist_ok=True)
    nifti(path / "raw.nii.gz", data)


def _put(path, described, chunk, content) -> None:
    """One chunk, and the file that says what it is."""
    name, fields = described
    (path / chunk).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(json.dumps(fields))
    (path / chunk).write_bytes(content)


def _zarr3(path, data) -> None:
    fields = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": data.shape,
        "data_type": str(data.dtype),
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": data.shape}},
        "chunk_key_encoding": {"name": "default"},
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "fill_value": 0,
        "attributes": {},
    }
    _put(path, ("zarr.json", fields), "c/0/0/0", data.tobytes())


def _n5(path, data) -> None:
    sizes = data.shape[::-1]
    fields = {"n5": "2.0.0", "dimensions": sizes, "blockSize": sizes, "dataType": str(data.dtype),
              "compression": {"type": "raw"}}  # fmt: skip
    content = (
        struct.pack(">HHIII", 0, 3, *sizes) + data.astype(data.dtype.newbyteorder(">")).tobytes()
    )
    _put(path, ("attributes.json", fields), "0/0/0", content)


def _precomputed(path, data) -> None:
    sizes = data.shape[::-1]
    scale = {"key": "0", "size": sizes, "chunk_sizes": [sizes], "encoding": "raw",
             "resolution": [4, 4, 40], "voxel_offset": [0, 0, 0]}  # fmt: skip
    fields = {"type": "image", "data_type": str(data.dtype), "num_channels": 1, "scales": [scale]}
    chunk = "0/" + "_".join(f"0-{size}" for size in sizes)
    _put(path, ("info", fields), chunk, data.tobytes())


WRITERS = {
    "zarr": _zarr,
    "zarr3": _zarr3,
    "n5": _n5,
    "precomputed": _precomputed,
    "hdf5": _hdf5,
    "tiff": tifffile.imwrite,
    "npy": np.save,
    "image_list": _image_list,
    "nifti": nifti,
    "nifti_folder": _nifti_folder,
}
