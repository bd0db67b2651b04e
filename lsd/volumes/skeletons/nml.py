"""NML of Knossos and WEBKNOSSOS: XML with a `thing` for each tree, x y z in voxels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import replacing
from lsd.volumes.skeletons.format import (
    SkeletonFile,
    Traced,
    id_array,
    number,
    pair_array,
    whole_number,
)

# nm of units that WEBKNOSSOS writes
_NM = {"nanometer": 1.0, "nm": 1.0, "micrometer": 1e3, "um": 1e3, "angstrom": 0.1}


class _Tree(NamedTuple):
    skeleton: int
    nodes: list[int]
    positions: list[list[float]]
    edges: list[tuple[int, int]]


class NmlFile(SkeletonFile):
    """The scale in nm stands in the file; old files number the nodes of each tree from 1."""

    reads = "NML file"
    suffixes = (".nml",)

    def read(self, path: Path) -> Traced:
        """All trees of a file; nodes that are unique only within a tree are numbered anew."""
        scale, trees = None, []
        try:
            for _, element in ElementTree.iterparse(path):
                if element.tag == "scale":
                    scale = _scale(element)
                elif element.tag == "thing":
                    trees.append(_tree(element))
                    element.clear()
        except ElementTree.ParseError as error:
            raise ValueError(f"it is no XML that can be read: {error}") from error
        nodes = [node for tree in trees for node in tree.nodes]
        edges = [edge for tree in trees for edge in tree.edges]
        is_old = len(set(nodes)) < len(nodes)
        if is_old:
            nodes, edges = list(range(1, len(nodes) + 1)), _renumbered(trees)
        return Traced(
            id_array(nodes),
            id_array(tree.skeleton for tree in trees for _ in tree.nodes),
            np.array([p for tree in trees for p in tree.positions], np.float64).reshape(-1, 3),
            pair_array(edges),
            unit=scale,
            numbered=is_old,
        )

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """In voxels of `voxel_size`, which stands in the file."""
        if voxel_size is None:
            raise ValueError(f"{path}: NML counts in voxels; say voxel_size=, nm, z y x")
        z, y, x = (repr(float(size)) for size in voxel_size)
        with replacing(path) as staged, staged.open("w") as file:
            file.write("<things>\n<parameters>")
            file.write(f'<scale x="{x}" y="{y}" z="{z}" unit="nanometer"/></parameters>\n')
            for skeleton, own in skeletons.each():
                positions = (own.positions / np.asarray(voxel_size, np.float64)).tolist()
                file.write(f"<thing id={quoteattr(str(skeleton))}>\n<nodes>\n")
                for node, (k, j, i) in zip(own.node_ids, positions, strict=True):
                    file.write(f'<node id="{node}" x="{i!r}" y="{j!r}" z="{k!r}"/>\n')
                file.write("</nodes>\n<edges>\n")
                for first, second in own.edges:
                    file.write(f'<edge source="{first}" target="{second}"/>\n')
                file.write("</edges>\n</thing>\n")
            file.write("</things>\n")


def _scale(element: ElementTree.Element) -> tuple[float, ...] | None:
    """nm of a voxel, z y x."""
    unit = element.get("unit", "nanometer")
    if unit not in _NM:
        raise ValueError(f"unit of its scale is {unit!r}; allowed: {', '.join(_NM)}")
    sizes = tuple(_NM[unit] * number(element.get(axis), f"scale {axis}") for axis in "zyx")
    if not all(0 < size < np.inf for size in sizes):
        raise ValueError(f"its scale is {sizes} nm, z y x; wanted: three numbers above 0")
    return sizes


def _tree(thing: ElementTree.Element) -> _Tree:
    name = thing.get("id")
    nodes = list(thing.iter("node"))
    return _Tree(
        whole_number(name, "the id of a thing"),
        [whole_number(node.get("id"), f"the id of a node in thing {name}") for node in nodes],
        [
            [number(node.get(axis), f"{axis} of node {node.get('id')}") for axis in "zyx"]
            for node in nodes
        ],
        [
            (
                whole_number(edge.get("source"), f"the source of an edge in thing {name}"),
                whole_number(edge.get("target"), f"the target of an edge in thing {name}"),
            )
            for edge in thing.iter("edge")
        ],
    )


def _renumbered(trees: list[_Tree]) -> list[tuple[int, int]]:
    """Edges by numbers of nodes over all trees, from 1.  Raises ValueError, with the ids as the
    file has them, for nodes that are twice in a tree, and edges that leave it."""
    edges, first = [], 1
    for tree in trees:
        number_of = {node: place for place, node in enumerate(tree.nodes, start=first)}
        if len(number_of) < len(tree.nodes):
            twice = sorted(node for node, count in Counter(tree.nodes).items() if count > 1)
            raise ValueError(f"thing {tree.skeleton} has nodes that are there twice: {twice[:5]}")
        unknown = sorted({node for edge in tree.edges for node in edge if node not in number_of})
        if unknown:
            raise ValueError(
                f"thing {tree.skeleton} has edges that end at unknown nodes: {unknown[:5]}"
            )
        edges += [(number_of[one], number_of[other]) for one, other in tree.edges]
        first += len(tree.nodes)
    return edges
