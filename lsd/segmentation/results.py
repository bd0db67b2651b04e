"""What segmentation leaves on disk: fragments, the region graph beside them, segmentations."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.segmentation.decode import Decoded
from lsd.segmentation.lookup import components, relabel
from lsd.spec import Config
from lsd.spec.paths import segmentation, tables
from lsd.volumes.array import Array, open_array

FRAGMENTS = "fragments"
MUTEX = "segmentation/mutex"


@dataclass(frozen=True, eq=False)
class Results:
    """A segmented volume, read by regions.

    array:  fragments; the segmentation itself where there is no graph (mutex decoder)
    nodes, edges, scores: the region graph, see `agglomerate`; without edges the fragments are the segmentation
    """

    array: Array
    nodes: NDArray[np.uint64]
    edges: NDArray[np.uint64]
    scores: NDArray[np.float32]

    def read(self, roi: Roi, threshold: float | None) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, of all the world 0 where there are none; None: fragments."""
        fragments = self.array.read(roi, beyond="zero").astype(np.uint64, copy=False)
        if threshold is None or not len(self.edges):
            return fragments
        return relabel(fragments, self.nodes, components(self.nodes, self.edges, self.scores, threshold))


def open_results(config: Config, volume: str) -> Results:
    """What `segment` wrote for a volume with the config's decoder.

    Raises ValueError if it is missing, or if graph and fragments are not from the same run.
    """
    path, graph = segmentation(config, volume), tables(config, volume)
    if not path.exists():
        raise ValueError(f"there is no segmentation of volume {volume!r} at {path}; run segment.py first")
    array = open_array(path, MUTEX if config.segment.decoder == "mutex" else FRAGMENTS)
    columns = _load_graph(graph)
    if array.source.handle.attrs.get("graph") != digest(columns):
        raise ValueError(f"{graph} does not belong to {array.name}, it is from another run; run segment.py again")
    return Results(array, columns["nodes"], columns["edges"], columns["scores"])


def graph_columns(decoded: Decoded) -> dict[str, NDArray[Any]]:
    """The region graph as named columns."""
    return {"nodes": decoded.nodes, "edges": decoded.edges, "scores": decoded.scores}


def digest(columns: Mapping[str, NDArray[Any]]) -> str:
    """Of the region graph among `columns`, noted on the arrays that it belongs to."""
    content = hashlib.sha256()
    for name in ("nodes", "edges", "scores"):
        content.update(np.ascontiguousarray(columns[name]).tobytes())
    return content.hexdigest()


def save_tables(path: Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write graph and look-up tables whole, or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        # mypy fears a column called allow_pickle
        np.savez_compressed(file, **columns)  # type: ignore[arg-type]
    os.replace(partial, path)


def _load_graph(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("nodes", "edges", "scores")}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"the region graph {path} cannot be read ({error}); run segment.py again") from error
