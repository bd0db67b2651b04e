"""CSV as CATMAID exports it: a node a row, with its parent; x y z in nm."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import replacing
from lsd.volumes.skeletons.format import (
    SkeletonFile,
    Traced,
    id_array,
    number,
    pair_array,
    parents,
    whole_number,
)

_COLUMNS = ("skeleton_id", "treenode_id", "parent_treenode_id", "x", "y", "z")


class CatmaidFile(SkeletonFile):
    """Blanks may follow the commas, and other columns, such as `neuron`, may stand before."""

    reads = "CATMAID table"
    suffixes = (".csv",)

    def read(self, path: Path) -> Traced:
        """All skeletons of a table."""
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, skipinitialspace=True)
            header = [name.strip() for name in next(rows, [])]
            missing = [name for name in _COLUMNS if name not in header]
            if missing:
                raise ValueError(
                    f"it has no column {', '.join(missing)}; CATMAID's tables have "
                    f"{', '.join(_COLUMNS)}"
                )
            cells = [row for row in rows if row]
        short = next((row for row in cells if len(row) < len(header)), None)
        if short is not None:
            raise ValueError(
                f"the row {', '.join(short)!r} has {len(short)} cells, its header {len(header)}"
            )
        columns = {name: [row[header.index(name)].strip() for row in cells] for name in _COLUMNS}
        nodes = [whole_number(text, "a treenode_id") for text in columns["treenode_id"]]
        edges = [
            (node, whole_number(parent, f"the parent of node {node}"))
            for node, parent in zip(nodes, columns["parent_treenode_id"], strict=True)
            if parent not in ("", "null")
        ]
        places = [[number(text, f"{axis} of a node") for text in columns[axis]] for axis in "zyx"]
        return Traced(
            id_array(nodes),
            id_array(whole_number(text, "a skeleton_id") for text in columns["skeleton_id"]),
            np.array(places, np.float64).T,
            pair_array(edges),
        )

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """In nm, radius 0."""
        above, nodes = parents(skeletons, "a table of CATMAID"), skeletons.node_ids.tolist()
        rows = zip(
            skeletons.skeleton_ids.tolist(), nodes, above, skeletons.positions.tolist(), strict=True
        )
        with replacing(path) as staged, staged.open("w") as file:
            file.write(f"{', '.join((*_COLUMNS, 'r'))}\n")
            for skeleton, node, parent, (z, y, x) in rows:
                name = nodes[parent] if parent >= 0 else ""
                file.write(f"{skeleton}, {node}, {name}, {x!r}, {y!r}, {z!r}, 0\n")
