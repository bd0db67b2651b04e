"""Pickled networkx graphs, as NISB and BANIS have them."""

from __future__ import annotations

import pickle
from pathlib import Path

from lsd.volumes.skeletons.format import SkeletonFile, Traced
from lsd.volumes.skeletons.graph import from_graph


class PickledGraphFile(SkeletonFile):
    """Nodes with `nm_position` (x y z) and `id`, the skeleton."""

    reads = "pickled graph"
    suffixes = (".pkl", ".pickle")
    runs_code = True

    def read(self, path: Path) -> Traced:
        """All skeletons; only of a file that is trusted."""
        try:
            graph = pickle.loads(path.read_bytes())
            nodes, edges = (
                dict(graph.nodes(data=True)),
                [(one, other) for one, other in graph.edges],
            )
        except Exception as error:  # of whatever code a pickle runs
            raise ValueError(f"it is no networkx graph that can be unpickled: {error}") from error
        return from_graph(nodes, edges)
