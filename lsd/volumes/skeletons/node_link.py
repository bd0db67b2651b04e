"""JSON as networkx writes graphs: `nodes`, and `links` (networkx 3.2) or `edges` (3.6)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lsd.arrays.skeletons import Skeletons
from lsd.system.atomic import write_text
from lsd.volumes.skeletons.format import SkeletonFile, Traced
from lsd.volumes.skeletons.graph import from_graph

_AXES = ("position_z", "position_y", "position_x")


class NodeLinkFile(SkeletonFile):
    """`id` is the name of a node, `skeleton_id` its skeleton; positions in nm."""

    reads = "node-link JSON file"
    suffixes = (".json",)

    def read(self, path: Path) -> Traced:
        """All skeletons of a file."""
        try:
            content = json.loads(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"it is no JSON that can be read: {error}") from error
        links = content.get("links", content.get("edges")) if isinstance(content, dict) else None
        if links is None or "nodes" not in content:
            raise ValueError("it is no node-link graph: wanted are `nodes`, and `links` or `edges`")
        try:
            names = [node["id"] for node in content["nodes"]]
            edges = [(link["source"], link["target"]) for link in links]
        except (KeyError, TypeError) as error:
            raise ValueError(
                f"each node has an `id`, each link `source` and `target`; missing: {error}"
            ) from error
        nodes = dict(zip(names, content["nodes"], strict=True))
        if len(nodes) < len(names):
            twice = sorted(str(name) for name, count in Counter(names).items() if count > 1)
            raise ValueError(f"nodes that are there twice: {', '.join(twice[:5])}; give each once")
        return from_graph(nodes, edges, skeleton=("skeleton_id",))

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """In nm; readers of both versions of networkx are told where the edges are."""
        nodes = [
            {"id": node, "skeleton_id": skeleton, **dict(zip(_AXES, position, strict=True))}
            for node, skeleton, position in zip(
                skeletons.node_ids.tolist(),
                skeletons.skeleton_ids.tolist(),
                skeletons.positions.tolist(),
                strict=True,
            )
        ]
        links = [{"source": one, "target": other} for one, other in skeletons.edges.tolist()]
        graph = {"directed": False, "multigraph": False, "graph": {}, "nodes": nodes}
        write_text(path, json.dumps(graph | {"edges": links}))
