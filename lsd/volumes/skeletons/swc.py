"""SWC: a node a line, `id type x y z radius parent`."""

from __future__ import annotations

import re
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

_ROOT = "-1"


class SwcFile(SkeletonFile):
    """x y z in a unit that the file does not state; parents may follow children."""

    reads = "SWC file"
    suffixes = (".swc",)
    states_unit = False

    def read(self, path: Path) -> Traced:
        """One skeleton, whose id is in the name of the file."""
        skeleton = _skeleton_id(path)
        rows = [_columns(line, place) for place, line in _lines(path)]
        nodes = [whole_number(row[0], "the id of a node") for row in rows]
        edges = [
            (node, whole_number(row[6], f"the parent of node {node}"))
            for node, row in zip(nodes, rows, strict=True)
            if row[6] != _ROOT
        ]
        coordinates = [
            [number(text, f"a coordinate of node {node}") for text in row[4:1:-1]]
            for node, row in zip(nodes, rows, strict=True)
        ]
        return Traced(
            id_array(nodes),
            np.full(len(nodes), skeleton, np.uint64),
            np.array(coordinates, np.float64).reshape(-1, 3),
            pair_array(edges),
            unit=None,
        )

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """One skeleton, in nm."""
        names = np.unique(skeletons.skeleton_ids)
        if len(names) > 1:
            raise ValueError(
                f"{path}: an SWC file holds one neuron, got {len(names)}; write each into "
                f"<its id>.swc: skeletons.kept(skeletons.skeleton_ids == its_id)"
            )
        if len(names) and _skeleton_id(path) != names[0]:
            raise ValueError(
                f"{path}: the name of an SWC file is the id of its neuron; call it {names[0]}.swc"
            )
        above, nodes = parents(skeletons, "an SWC file"), skeletons.node_ids
        with replacing(path) as staged, staged.open("w") as file:
            file.write("# id type x y z radius parent; x, y, z in nm\n")
            for node, (z, y, x), parent in zip(nodes, skeletons.positions, above, strict=True):
                name = nodes[parent] if parent >= 0 else _ROOT
                file.write(f"{node} 0 {float(x)!r} {float(y)!r} {float(z)!r} 0 {name}\n")


def _lines(path: Path) -> list[tuple[int, str]]:
    """The lines that hold nodes, and their numbers."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    numbered = ((place, line.strip()) for place, line in enumerate(lines, start=1))
    return [(place, line) for place, line in numbered if line and not line.startswith("#")]


def _columns(line: str, place: int) -> list[str]:
    columns = line.split()
    if len(columns) < 7:
        raise ValueError(
            f"line {place} has {len(columns)} columns; wanted: id type x y z radius parent"
        )
    return columns


def _skeleton_id(path: Path) -> int:
    numbers = re.findall(r"\d+", path.stem)
    if len(numbers) != 1:
        raise ValueError(
            f"the name of an SWC file is the id of its neuron, and {path.name!r} has "
            f"{len(numbers) or 'no'} numbers in it; call it 12.swc or neuron_12.swc"
        )
    return whole_number(numbers[0], "the id of the neuron, in the name of the file,")
