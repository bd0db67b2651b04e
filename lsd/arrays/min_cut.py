"""Weakest cuts of a graph, one after another, in parts of it that become smaller.

Dinic's algorithm: of the paths with the fewest edges as many as there are, then longer ones, until
there is none.  Paths are looked for from both ends by turns, so a cut takes the time of its smaller
side: the weakest one mostly takes a few nodes off a large graph, beside the source or the sink.
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
        return self._side(part, source, sink, whole=True)

    def either_side(self, part: Numbers, source: int, sink: int) -> Numbers:
        """Nodes on one side of the same cut, whichever is found first: the smaller one but for cuts
        that are as weak.  For parts that hang together by edges with a capacity; both sides do so
        again."""
        return self._side(part, source, sink, whole=False)

    def _side(self, part: Numbers, source: int, sink: int, *, whole: bool) -> Numbers:
        queue = self._room[2]
        arcs = (self.first, self.heads, self.twins, self.capacities)
        count = _cut(*arcs, *self._room, part, source, sink, whole)
        return (queue[:count] if count > 0 else queue[count:]).copy()


# level of a node that was not seen.  Those that the source reaches have their distance from it,
# those that reach the sink -2 - their distance to it
_UNSEEN = -1


@numba.njit(cache=True, nogil=True)
def _cut(  # type: ignore[no-untyped-def]  # noqa: ANN202
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
    whole,  # noqa: ANN001
):
    """The number of nodes on the side of the source, which stand at the begin of `queue`, or less
    than 0: of those on the side of the sink, at its end; room is left as it was.

    whole: whether it is to be the side of the source
    """
    touched = [source]
    seen[source] = True
    while True:
        ahead, behind, looked, length = _meet(
            first, heads, twins, residual, levels, queue, part, source, sink
        )
        if length < 0:
            break
        for i in range(-behind, ahead):
            node = queue[i]
            if i < 0:
                # distances from the source, as those of the others
                levels[node] += length + 2
            nexts[node] = first[node]
            if not seen[node]:
                seen[node] = True
                touched.append(node)
        _fill(first, heads, twins, residual, levels, nexts, path, source, sink)
        for i in range(-behind, ahead):
            levels[queue[i]] = _UNSEEN
    ahead, looked = _go_on(
        first, heads, twins, capacities, residual, levels, queue, part, ahead, behind, looked, whole
    )
    for i in range(-behind, ahead):
        levels[queue[i]] = _UNSEEN
    for node in touched:
        seen[node] = False
        for arc in range(first[node], first[node + 1]):
            residual[arc] = capacities[arc]
            residual[twins[arc]] = capacities[arc]
    return ahead if looked == ahead else -behind


@numba.njit(cache=True, nogil=True)
def _meet(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    twins,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    queue,  # noqa: ANN001
    part,  # noqa: ANN001
    source,  # noqa: ANN001
    sink,  # noqa: ANN001
):
    """Levels of nodes from the source and from the sink, layer by layer of the end that has seen
    fewer, until they meet or one of them sees no more.

    Returns how many nodes are seen from the source, at the begin of `queue`, and from the sink, at
    its end; of how many of the first the arcs were looked at; and the length of the shortest paths,
    -1 where there is none.
    """
    levels[source], levels[sink] = 0, -2
    queue[0], queue[-1] = source, sink
    ahead, behind, looked, looked_back, length = 1, 1, 0, 0, -1
    while length < 0 and looked < ahead and looked_back < behind:
        if ahead <= behind:
            for i in range(looked, ahead):
                ahead, met = _look(
                    first, heads, twins, residual, levels, queue, part, queue[i], ahead, 1
                )
                length = max(length, met)
                looked += 1
        else:
            for i in range(looked_back, behind):
                behind, met = _look(
                    first, heads, twins, residual, levels, queue, part, queue[-1 - i], behind, -1
                )
                length = max(length, met)
                looked_back += 1
    return ahead, behind, looked, length


@numba.njit(cache=True, nogil=True)
def _look(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    twins,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    queue,  # noqa: ANN001
    part,  # noqa: ANN001
    node,  # noqa: ANN001
    count,  # noqa: ANN001
    step,  # noqa: ANN001
):
    """Sees the nodes that a node reaches (step 1), or that reach it (-1).

    Returns how many are seen from that end by now, and the length of a path, -1 where the nodes of
    the other end are not met.
    """
    length = -1
    for arc in range(first[node], first[node + 1]):
        head = heads[arc]
        if part[head] != part[node] or residual[arc if step > 0 else twins[arc]] == 0:
            continue
        if levels[head] == _UNSEEN:
            levels[head] = levels[node] + step
            queue[count if step > 0 else -1 - count] = head
            count += 1
        elif (levels[head] > _UNSEEN) != (step > 0):
            # one distance, -2 - the other one, and the arc between
            length = abs(levels[node]) + abs(levels[head]) - 1
    return count, length


@numba.njit(cache=True, nogil=True)
def _go_on(  # type: ignore[no-untyped-def]  # noqa: ANN202
    first,  # noqa: ANN001
    heads,  # noqa: ANN001
    twins,  # noqa: ANN001
    capacities,  # noqa: ANN001
    residual,  # noqa: ANN001
    levels,  # noqa: ANN001
    queue,  # noqa: ANN001
    part,  # noqa: ANN001
    ahead,  # noqa: ANN001
    behind,  # noqa: ANN001
    looked,  # noqa: ANN001
    whole,  # noqa: ANN001
):
    """Looks farther from the source, after no path is left: to the end, or until it is clear that
    the source reaches all that the sink does not see.

    What neither of them does takes in flow and gives it to the sink's side, which it then touches.
    So it is clear when all that touches the sink's side is seen from the source.  Returns how many
    nodes are, and of how many the arcs were looked at: all, where the side of the source is whole.
    """
    while whole and looked < ahead:
        ahead, _ = _look(
            first, heads, twins, residual, levels, queue, part, queue[looked], ahead, 1
        )
        looked += 1
    for i in range(-behind, 0):
        node = queue[i]
        for arc in range(first[node], first[node + 1]):
            head = heads[arc]
            if capacities[arc] == 0 or part[head] != part[node]:
                continue
            while levels[head] == _UNSEEN and looked < ahead:
                ahead, _ = _look(
                    first, heads, twins, residual, levels, queue, part, queue[looked], ahead, 1
                )
                looked += 1
    return ahead, looked


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
