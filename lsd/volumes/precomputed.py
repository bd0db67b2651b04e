"""Volumes in neuroglancer's precomputed format, written and opened by tensorstore, an extra.

A folder holds `info`, and a folder for each scale.  Its axes are x y z, its lengths nm, and scales
begin at whole voxels of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import DTypeLike, NDArray

# voxels of a block of the encoding of ids
_ID_BLOCK = (8, 8, 8)


@dataclass(frozen=True)
class Scale:
    """A scale of a volume.

    key:        of its folder; roi: its voxels, z y x; voxel_size: nm, z y x
    chunk:      voxels that are stored as one, z y x
    shard:      chunks along each axis that are one file, a power of 2; None: each chunk is one
    """

    key: str
    roi: Roi
    voxel_size: tuple[float, ...]
    chunk: tuple[int, ...]
    shard: int | None = None


def stored_dtype(dtype: DTypeLike, *, ids: bool) -> np.dtype[Any]:
    """The type by which values are stored; of ids uint32 or uint64.

    The format has neither int64 nor floats of other sizes than float32, which is taken for them:
    whole numbers from 2**24 on are rounded.
    """
    kind = np.dtype(dtype)
    if ids:
        return np.dtype(np.uint64 if kind.itemsize > 4 else np.uint32)
    if kind.kind == "b":
        return np.dtype(np.uint8)
    is_missing = kind.kind == "f" or kind == np.int64
    return np.dtype(np.float32) if is_missing else kind


def create_scale(
    folder: Path, scale: Scale, *, dtype: DTypeLike, channels: int = 1, ids: bool = False
) -> Store:
    """Makes a scale of the volume in `folder`, after those that there are; what is there is opened
    as it is.

    Raises ValueError where tensorstore is not installed, or another scale of this key is there.
    """
    x_y_z = tuple(reversed(tuple(scale.roi.shape)))
    metadata: dict[str, Any] = {
        "key": scale.key,
        "size": x_y_z,
        "voxel_offset": tuple(reversed(tuple(map(int, scale.roi.begin)))),
        "resolution": tuple(reversed(scale.voxel_size)),
        "chunk_size": tuple(reversed(scale.chunk)),
        "encoding": "compressed_segmentation" if ids else "raw",
    }
    if ids:
        metadata["compressed_segmentation_block_size"] = _ID_BLOCK
    if scale.shard is not None:
        metadata["sharding"] = _sharding(scale)
    spec = {
        **_volume(folder),
        "multiscale_metadata": {
            "type": "segmentation" if ids else "image",
            "data_type": str(stored_dtype(dtype, ids=ids)),
            "num_channels": channels,
        },
        "scale_metadata": metadata,
    }
    return Store(_tensorstore().open(spec, create=True, open=True).result())


def open_scale(folder: Path, key: str = "", *, memory: int = 0) -> Store:
    """A scale of the volume in `folder`, by its key, by default the finest.

    memory: bytes of decoded chunks that are kept
    """
    which: dict[str, Any] = {"scale_metadata": {"key": key}} if key else {"scale_index": 0}
    context = {"cache_pool": {"total_bytes_limit": memory}}
    return Store(_tensorstore().open({**_volume(folder), **which, "context": context}).result())


def keys_of(folder: Path) -> list[str]:
    """The scales of a volume, finest first; empty where there is none."""
    try:
        info = json.loads((folder / "info").read_bytes())
        return [str(scale["key"]) for scale in info["scales"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def note_in_info(folder: Path, entries: Mapping[str, str]) -> None:
    """Says in `info` where meshes, skeletons or properties of a segmentation are: folders inside of
    its own."""
    from lsd.system.atomic import write_text

    info = json.loads((folder / "info").read_bytes())
    if {**info, **entries} != info:
        write_text(folder / "info", json.dumps({**info, **entries}))


class Store:
    """A scale, read and written by regions of the world."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    @property
    def roi(self) -> Roi:
        """Its voxels, z y x."""
        x_y_z = self._handle.domain[:3]
        begin = [int(n) for n in reversed(x_y_z.inclusive_min)]
        return Roi(begin, [int(n) for n in reversed(x_y_z.shape)])

    def write(self, data: NDArray[Any], roi: Roi) -> None:
        """Puts `data` (c, z, y, x) into `roi`; when it returns, it is on disk."""
        values = np.ascontiguousarray(data).astype(self._handle.dtype.numpy_dtype, copy=False)
        self._part(roi).write(values.T).result()

    def read(self, roi: Roi) -> NDArray[Any]:
        """The voxels (c, z, y, x) of `roi`."""
        return np.ascontiguousarray(self._part(roi).read().result().T)

    def _part(self, roi: Roi) -> Any:
        return self._handle[tuple(reversed(roi.to_slices()))]


def _sharding(scale: Scale) -> dict[str, Any]:
    """Which chunks are one file: boxes, for chunks are numbered along a Morton curve."""
    assert scale.shard is not None, "it has shards"
    bits = [
        (-(-int(n) // chunk) - 1).bit_length()
        for n, chunk in zip(scale.roi.shape, scale.chunk, strict=True)
    ]
    inside = sum(min(n, scale.shard.bit_length() - 1) for n in bits)
    return {
        "@type": "neuroglancer_uint64_sharded_v1",
        "hash": "identity",
        "preshift_bits": inside,
        "minishard_bits": 0,
        "shard_bits": sum(bits) - inside,
        "minishard_index_encoding": "gzip",
        "data_encoding": "gzip",
    }


def _volume(folder: Path) -> dict[str, Any]:
    return {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
    }


def _tensorstore() -> Any:
    try:
        import tensorstore
    except ImportError as error:
        raise ValueError(
            "precomputed volumes are written by tensorstore, which is not installed: pip install "
            "tensorstore, or lsd-framework[viewer]"
        ) from error
    return tensorstore


def space_of(sizes: Sequence[float], roi: Roi) -> tuple[tuple[float, ...], Roi]:
    """Voxel size and voxels with three axes of space: a plane is one section, of 1 nm."""
    if roi.dims == 3:
        return tuple(sizes), roi
    return (1.0, *sizes), Roi((0, *roi.begin), (1, *roi.shape))
