"""Precomputed skeletons of neuroglancer: a folder with `info`, and a file for each skeleton, or
shards that hold many.

A skeleton is the numbers of vertices and edges (uint32), vertices (float32 x y z), edges (uint32,
pairs of indices), and further attributes, which are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import replacing, write_text
from lsd.volumes.formats.compressed import from_gzip
from lsd.volumes.shards import Shards
from lsd.volumes.skeletons.format import SkeletonFile, Traced

_TYPE = "neuroglancer_skeletons"
# two bytes alone may be a number of vertices
_GZIP = b"\x1f\x8b\x08"
_IDENTITY = (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)


class PrecomputedFolder(SkeletonFile):
    """A folder of skeletons, or of a segmentation that says where its skeletons are."""

    reads = "folder of precomputed skeletons"

    def claims(self, path: Path) -> bool:
        """Whether an `info` lies in it that speaks of skeletons."""
        return path.is_dir() and _folder(path) is not None

    def read(self, path: Path) -> Traced:
        """All skeletons; a name that is an id is a file of one, also with .gz after it."""
        folder = _folder(path)
        assert folder is not None, "what has none is not claimed"
        info = _info(folder) or {}
        transform = np.array(info.get("transform", _IDENTITY), np.float64)
        if transform.shape != (12,):
            raise ValueError(f"its transform is {transform.tolist()}; wanted: 12 numbers, 3 x 4")
        vertices, edges, owners, first = [np.zeros((0, 3))], [np.zeros((0, 2), np.uint64)], [], 1
        sharding = info.get("sharding")
        stored = _files(folder) if sharding is None else Shards(folder, sharding).all()
        for skeleton, data in stored:
            points, pairs = _parsed(data, f"skeleton {skeleton}")
            vertices.append(points)
            edges.append(pairs.astype(np.uint64) + np.uint64(first))
            owners.append(np.full(len(points), skeleton, np.uint64))
            first += len(points)
        moved = np.concatenate(vertices) @ transform.reshape(3, 4)[:, :3].T + transform[3::4]
        return Traced(
            np.arange(1, first, dtype=np.uint64),
            np.concatenate([np.zeros(0, np.uint64), *owners]),
            moved[:, ::-1],
            np.concatenate(edges),
            numbered=True,
        )

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """A folder, vertices in nm, rounded to float32; skeletons that it held before go."""
        path.mkdir(parents=True, exist_ok=True)
        if _folder(path) == path:
            for _, file in _by_id(path):
                file.unlink()
        for skeleton, own in skeletons.each():
            counts = np.array([len(own), len(own.edges)], "<u4")
            parts = (counts, own.positions[:, ::-1].astype("<f4"), own.places.astype("<u4"))
            with replacing(path / str(skeleton)) as staged:
                staged.write_bytes(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        info = {"@type": _TYPE, "transform": _IDENTITY, "vertex_attributes": []}
        write_text(path / "info", json.dumps(info))


def _info(folder: Path) -> dict[str, Any] | None:
    try:
        content = json.loads((folder / "info").read_bytes())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _folder(path: Path) -> Path | None:
    """Where skeletons lie; the info of a segmentation names a folder inside of it."""
    info = _info(path) or {}
    if info.get("@type") == _TYPE:
        return path
    inside = info.get("skeletons")
    if isinstance(inside, str) and (_info(path / inside) or {}).get("@type") == _TYPE:
        return path / inside
    return None


def _files(folder: Path) -> Iterator[tuple[int, bytes]]:
    """Ids and what their files hold, ascending.  ValueError for two of one skeleton, of which one
    may be of before."""
    known = None
    for skeleton, path in _by_id(folder):
        if skeleton == known:
            raise ValueError(
                f"it holds two files of skeleton {skeleton}: move one of them elsewhere"
            )
        known = skeleton
        yield skeleton, path.read_bytes()


def _by_id(folder: Path) -> list[tuple[int, Path]]:
    """The file of each skeleton, ascending."""
    named = [(path.name.removesuffix(".gz"), path) for path in folder.iterdir() if path.is_file()]
    return sorted((int(name), path) for name, path in named if name.isdecimal())


def _parsed(data: bytes, name: str) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """Vertices x y z and edges, pairs of their indices; name: for messages."""
    if data[:3] == _GZIP:
        try:
            data = from_gzip(data)
        except ValueError as error:
            raise ValueError(f"{name} is damaged: {error}") from error
    vertices, edges = np.frombuffer(data[:8], "<u4").tolist() if len(data) >= 8 else (1, 0)
    middle, end = 8 + 12 * vertices, 8 + 12 * vertices + 8 * edges
    if len(data) < end:
        raise ValueError(
            f"{name} has {len(data)} bytes; {vertices} vertices and {edges} edges take {end}"
        )
    pairs = np.frombuffer(data[middle:end], "<u4").reshape(-1, 2)
    if (pairs >= vertices).any():
        raise ValueError(f"{name}: edges end at vertex {pairs.max()} of {vertices}")
    points = np.frombuffer(data[8:middle], "<f4").reshape(-1, 3)
    return points.astype(np.float64), pairs
