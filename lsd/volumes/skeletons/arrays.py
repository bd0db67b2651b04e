"""Arrays of a .npz file: node_ids, skeleton_ids, positions and edges, as `Skeletons` has them, or
edges that are indices of nodes."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.ids import ids
from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import replacing
from lsd.volumes.skeletons.format import SkeletonFile, Traced

_NAMES = ("node_ids", "skeleton_ids", "positions", "edges")
# of files whose edges are indices
_SKELETON, _POSITION = ("skeleton_ids", "skeleton_id"), ("positions", "node_zyx_nm")


class ArraysFile(SkeletonFile):
    """Positions in nm, z y x.  Without node_ids nodes are numbered from 1, and edges are indices
    from 0."""

    reads = "file of arrays"
    suffixes = (".npz",)

    def read(self, path: Path) -> Traced:
        """All skeletons of a file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise ValueError(f"it is no .npz file that can be read: {error}") from error
        skeletons, positions = (_one_of(names, arrays) for names in (_SKELETON, _POSITION))
        edges = _one_of(("edges",), arrays)
        if "node_ids" in arrays:
            return Traced(arrays["node_ids"], skeletons, positions, edges)
        outside = (edges < 0) | (edges >= len(skeletons))
        if outside.any():
            raise ValueError(
                f"edges are indices of the {len(skeletons)} nodes, and {edges[outside][0]} is none"
            )
        names = np.arange(1, len(skeletons) + 1, dtype=np.uint64)
        places = ids(edges, "edges").astype(np.int64)
        return Traced(names, skeletons, positions, names[places], numbered=True)

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """The four arrays."""
        with replacing(path, many_writers=True) as staged, staged.open("wb") as file:
            np.savez_compressed(file, **{name: getattr(skeletons, name) for name in _NAMES})


def _one_of(names: Sequence[str], arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(
        f"it holds no array {names[0]!r}, but: {', '.join(arrays) or 'nothing'}; wanted are "
        f"{', '.join(_NAMES)}, in which edges are pairs of node_ids, or the last three, in which "
        f"they are indices"
    )
