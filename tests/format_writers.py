"""How an array of three sections is written in each file format of this package."""

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


WRITERS = {
    "zarr": _zarr,
    "hdf5": _hdf5,
    "tiff": tifffile.imwrite,
    "npy": np.save,
    "image_list": _image_list,
}
