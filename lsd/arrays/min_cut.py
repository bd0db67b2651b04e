"""Weakest cuts of a graph, one after another, in parts of it that become smaller.

Dinic's algorithm: of the paths with the fewest edges as many as there are, then longer ones, until
there is none.  It looks no farther from the source than paths reach, which is the more worth the
closer source and sink are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numba
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Arcs:
    """A graph of nodes 0, 1, .., each edge as two arcs.

    first:    (nodes + 1,) where the arcs of each node begin;  heads: (arcs,) where they lead to
    twins:    the arc back;  capacities: the same for both
    """

    first: Numbers
    heads: Numbers
    twins: Numbers
    capacities: NDArray[np.int32]
    _room: tuple[NDArray[np.int32], Numbers, Numbers, Numbers, Numbers, NDArray[np.bool_]] = field(
        init=False, repr=False
    )

    @classmethod
    def of(cls, nodes: int, ends: Numbers, capacities: NDArray[np.int32]) -> Arcs:
        """ends: (edges, 2); capacities: (edges,), the same in either direction."""
        tails, heads = np.concatenate([ends, ends[:, ::-1]]).T
        order = np.argsort(tails, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        twins = place[(order + len(ends)) % max(len(order), 1)]
        first = np.searchsorted(tails[order], np.arange(nodes + 1))
        return cls(first, heads[order], twins, np.tile(capacities, 2)[order])

    def __post_init__(self) -> None:
        nodes = len(self.first) - 1
        levels, places = np.full(nodes, -1), (np.zeros(nodes, np.int64) for _ in range(3))
        room = (self.capacities.copy(), levels, *places, np.zeros(nodes, np.bool_))
        object.__setattr__(self, "_room", room)

    def source_side(self, part: Numbers, source: int, sink: int) -> Numbers:
        """Nodes on the side of `source` of the weakest cut to `sink`, the fewest if several cuts
        are as weak.

        part: (nodes,) a number for each node; only those of the number of the source are looked at.
              Source and sink have the same
        """
        queue = self._room[2]
        arcs = (self.first, self.heads, self.twins, self.capacities)
        count = _source_side(*arcs, *self._room, part, source, sink)
        return queue[:count].copy()


@numba.njit(cache=True, nogil=True)
def _source_side(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    twins,  # noqa: ANN001
    capacities,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    queue,  # noqa: ANN001
    nexts,  # noqa: ANN001
    path,  # noqa: ANN001
    seen,  # noqa: ANN001
    part,  # noqa: ANN001
    source,  # noqa: ANN001
    sink,  # noqa: ANN001
):
    """Number of nodes on the side, which stand at the begin of `queue`; room is left as it was."""
    touched = [source]
    seen[source] = True
    while True:
        count = _by_distance(first, heads, residual, levels, queue, part, source, sink)
        for i in range(count):
            node = queue[i]
            nexts[node] = first[node]
            if not seen[node]:
                seen[node] = True
                touched.append(node)
        reached = levels[sink] >= 0
        if reached:
            _fill(first, heads, twins, residual, levels, nexts, path, source, sink)
        for i in range(count):
            levels[queue[i]] = -1
        if not reached:
            break
    for node in touched:
        seen[node] = False
        for arc in range(first[node], first[node + 1]):
            residual[arc] = capacities[arc]
            residual[twins[arc]] = capacities[arc]
    return count


@numba.njit(cache=True, nogil=True)
def _by_distance(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    queue,  # noqa: ANN001
    part,  # noqa: ANN001
    source,  # noqa: ANN001
    sink,  # noqa: ANN001
):
    """Levels of the nodes that the source reaches, as far as the sink; their number in `queue`."""
    levels[source], queue[0], count, i = 0, source, 1, 0
    while i < count:
        node = queue[i]
        i += 1
        if levels[sink] >= 0 and levels[node] >= levels[sink]:
            break
        for arc in range(first[node], first[node + 1]):
            head = heads[arc]
            if residual[arc] > 0 and levels[head] < 0 and part[head] == part[source]:
                levels[head] = levels[node] + 1
                queue[count] = head
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _fill(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    twins,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    nexts,  # noqa: ANN001
    path,  # noqa: ANN001
    source,  # noqa: ANN001
    sink,  # noqa: ANN001
):
    """Sends flow along paths that go up a level with each arc, until there is none."""
    depth, node = 0, source
    while True:
        if node == sink:
            least, at = residual[path[0]], 0
            for i in range(1, depth):
                if residual[path[i]] < least:
                    least, at = residual[path[i]], i
            for i in range(depth):
                residual[path[i]] -= least
                residual[twins[path[i]]] += least
            depth, node = at, heads[twins[path[at]]]
            continue
        while nexts[node] < first[node + 1]:
            arc = nexts[node]
            if residual[arc] > 0 and levels[heads[arc]] == levels[node] + 1:
                break
            nexts[node] += 1
        if nexts[node] < first[node + 1]:
            path[depth] = nexts[node]
            node = heads[path[depth]]
            depth += 1
        elif depth == 0:
            return
        else:
            depth -= 1
            node = heads[twins[path[depth]]]
            nexts[node] += 1
