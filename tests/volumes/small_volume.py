"""A small volume: its arrays, and how it is written and opened."""

import numpy as np
from funlib.geometry import Roi

from lsd.spec import Volume
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume

SHAPE = (8, 10, 12)
RNG = np.random.default_rng(0)
RAW = RNG.integers(0, 255, SHAPE, dtype=np.uint8, endpoint=True)
IDS = RNG.integers(0, 2**64 - 1, SHAPE, dtype=np.uint64, endpoint=True)


def save(folder, *, container="v.zarr", offset=(0, 0, 0), size=(5.24, 4, 4), **arrays):
    for name, data in arrays.items():
        place, extent = (
            (offset, data.shape[-3:])
            if not isinstance(offset, dict)
            else (offset[name], data.shape[-3:])
        )
        channels = data.shape[0] if data.ndim == 4 else None
        array = create_array(
            folder / container,
            name,
            roi=Roi(place, extent),
            voxel_size=size,
            dtype=data.dtype,
            channels=channels,
            overwrite=True,
        )
        array.write(data, Roi(place, extent))


def opened(folder, **spec):
    spec = {"path": "v.zarr", "raw": "raw", **spec}
    return open_volume(Volume.model_validate(spec), name="one", data_root=folder)
