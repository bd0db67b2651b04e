"""GraphML, as funlib and bootstrapper write skeletons: positions in nm, names of nodes are text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import replacing
from lsd.volumes.skeletons.format import SkeletonFile, Traced
from lsd.volumes.skeletons.graph import from_graph

_KEYS = {"position_z": "double", "position_y": "double", "position_x": "double", "id": "string"}


class GraphMlFile(SkeletonFile):
    """Attributes `position_z`, `position_y`, `position_x` and `id`, the skeleton."""

    reads = "GraphML file"
    suffixes = (".graphml",)

    def read(self, path: Path) -> Traced:
        """All skeletons of a file."""
        names: dict[str, str] = {}
        nodes: dict[str, dict[str, Any]] = {}
        edges, twice = [], []
        try:
            for _, element in ElementTree.iterparse(path):
                tag = element.tag.rpartition("}")[2]
                if tag == "key" and element.get("for", "all") in ("node", "all"):
                    names[element.get("id", "")] = element.get("attr.name", "")
                elif tag == "node":
                    name = element.get("id", "")
                    twice += [name] if name in nodes else []
                    nodes[name] = _attributes(element, names)
                    element.clear()
                elif tag == "edge":
                    edges.append((element.get("source", ""), element.get("target", "")))
                    element.clear()
        except ElementTree.ParseError as error:
            raise ValueError(f"it is no XML that can be read: {error}") from error
        if twice:
            raise ValueError(f"nodes that are there twice: {', '.join(twice[:5])}; give each once")
        return from_graph(nodes, edges)

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """In nm."""
        with replacing(path) as staged, staged.open("w") as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n')
            file.write('<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n')
            for name, kind in _KEYS.items():
                file.write(f'<key id="{name}" for="node" attr.name="{name}" attr.type="{kind}"/>\n')
            file.write('<graph edgedefault="undirected">\n')
            for node, skeleton, position in zip(
                skeletons.node_ids, skeletons.skeleton_ids, skeletons.positions, strict=True
            ):
                values = (*(repr(float(value)) for value in position), str(skeleton))
                data = "".join(
                    f'<data key="{key}">{value}</data>'
                    for key, value in zip(_KEYS, values, strict=True)
                )
                file.write(f'<node id="{node}">{data}</node>\n')
            for first, second in skeletons.edges:
                file.write(f'<edge source="{first}" target="{second}"/>\n')
            file.write("</graph>\n</graphml>\n")


def _attributes(node: ElementTree.Element, names: dict[str, str]) -> dict[str, Any]:
    """Values of a node by the names that keys have."""
    return {
        names.get(data.get("key", ""), ""): (data.text or "").strip()
        for data in node
        if data.tag.rpartition("}")[2] == "data"
    }
