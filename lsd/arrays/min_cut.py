"""Weakest cuts of a graph, one after another, in parts of it that become smaller.

Dinic's algorithm: of the paths with the fewest edges as many as there are, then longer ones, until
there is none.  Paths are looked for from both ends by turns, so a cut takes the time of its smaller
side: the weakest one mostly takes a few nodes off a large graph, beside the source or the sink.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
# level of a node that was not seen.  Those that the source reaches have their distance from it,
# those that reach the sink -2 - their distance to it
_UNSEEN = -1


class Graph(NamedTuple):
    """A graph of nodes 0, 1, .., each edge as two arcs.

    first:    (nodes + 1,) where the arcs of each node begin;  heads: (arcs,) where they lead to
    twins:    the arc back;  capacities: the same for both
    """

    first: Numbers
    heads: Numbers
    twins: Numbers
    capacities: NDArray[np.int32]


class Room(NamedTuple):
    """What a cut works in; as it was after each.

    residual: (arcs,) capacities that are left;  levels, seen: of nodes that are looked at
    queue:    nodes, those seen from the source at its begin, from the sink at its end
    nexts:    the arc of each node that is tried next;  path: arcs from the source
    """

    residual: NDArray[np.int32]
    levels: Numbers
    queue: Numbers
    nexts: Numbers
    path: Numbers
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, graph: Graph) -> Room:
        """For cuts of a graph."""
        nodes = len(graph.first) - 1
        queue, nexts, path = np.zeros((3, nodes), np.int64)
        levels, seen = np.full(nodes, _UNSEEN), np.zeros(nodes, np.bool_)
        return cls(graph.capacities.copy(), levels, queue, nexts, path, seen)


class Arcs:
    """A graph that is cut, and room for that."""

    def __init__(self, graph: Graph) -> None:
        self._graph, self._room = graph, Room.of(graph)

    @classmethod
    def of(cls, nodes: int, ends: Numbers, capacities: NDArray[np.int32]) -> Arcs:
        """ends: (edges, 2); capacities: (edges,), the same in either direction."""
        tails, heads = np.concatenate([ends, ends[:, ::-1]]).T
        order = np.argsort(tails, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        twins = place[(order + len(ends)) % max(len(order), 1)]
        first = np.searchsorted(tails[order], np.arange(nodes + 1))
        return cls(Graph(first, heads[order], twins, np.tile(capacities, 2)[order]))

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
        queue = self._room.queue
        count = _cut(self._graph, self._room, part, source, sink, whole)
        return (queue[:count] if count > 0 else queue[count:]).copy()


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _cut(graph: Graph, room: Room, part: Numbers, source: int, sink: int, whole: bool) -> int:
    """The number of nodes on the side of the source, which stand at the begin of `queue`, or less
    than 0: of those on the side of the sink, at its end; room is left as it was.

    whole: whether it is to be the side of the source
    """
    touched = [source]
    room.seen[source] = True
    while True:
        ahead, behind, looked, length = _meet(graph, room, part, source, sink)
        if length < 0:
            break
        for i in range(-behind, ahead):
            node = room.queue[i]
            if i < 0:
                # distances from the source, as those of the others
                room.levels[node] += length + 2
            room.nexts[node] = graph.first[node]
            if not room.seen[node]:
                room.seen[node] = True
                touched.append(node)
        _fill(graph, room, source, sink)
        for i in range(-behind, ahead):
            room.levels[room.queue[i]] = _UNSEEN
    ahead, looked = _go_on(graph, room, part, ahead, behind, looked, whole)
    for i in range(-behind, ahead):
        room.levels[room.queue[i]] = _UNSEEN
    for node in touched:
        room.seen[node] = False
        for arc in range(graph.first[node], graph.first[node + 1]):
            room.residual[arc] = graph.capacities[arc]
            room.residual[graph.twins[arc]] = graph.capacities[arc]
    return ahead if looked == ahead else -behind  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _meet(
    graph: Graph, room: Room, part: Numbers, source: int, sink: int
) -> tuple[int, int, int, int]:
    """Levels of nodes from the source and from the sink, layer by layer of the end that has seen
    fewer, until they meet or one of them sees no more.

    Returns how many nodes are seen from the source, at the begin of `queue`, and from the sink, at
    its end; of how many of the first the arcs were looked at; and the length of the shortest paths,
    -1 where there is none.
    """
    room.levels[source], room.levels[sink] = 0, -2
    room.queue[0], room.queue[-1] = source, sink
    ahead, behind, looked, looked_back, length = 1, 1, 0, 0, -1
    while length < 0 and looked < ahead and looked_back < behind:
        if ahead <= behind:
            for i in range(looked, ahead):
                ahead, met = _look(graph, room, part, room.queue[i], ahead, 1)
                length = max(length, met)
                looked += 1
        else:
            for i in range(looked_back, behind):
                behind, met = _look(graph, room, part, room.queue[-1 - i], behind, -1)
                length = max(length, met)
                looked_back += 1
    return ahead, behind, looked, length


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _look(
    graph: Graph, room: Room, part: Numbers, node: int, count: int, step: int
) -> tuple[int, int]:
    """Sees the nodes that a node reaches (step 1), or that reach it (-1).

    Returns how many are seen from that end by now, and the length of a path, -1 where the nodes of
    the other end are not met.
    """
    length = -1
    for arc in range(graph.first[node], graph.first[node + 1]):
        head = graph.heads[arc]
        if part[head] != part[node] or room.residual[arc if step > 0 else graph.twins[arc]] == 0:
            continue
        if room.levels[head] == _UNSEEN:
            room.levels[head] = room.levels[node] + step
            room.queue[count if step > 0 else -1 - count] = head
            count += 1
        elif (room.levels[head] > _UNSEEN) != (step > 0):
            # one distance, -2 - the other one, and the arc between
            length = abs(room.levels[node]) + abs(room.levels[head]) - 1
    return count, length


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _go_on(
    graph: Graph, room: Room, part: Numbers, ahead: int, behind: int, looked: int, whole: bool
) -> tuple[int, int]:
    """Looks farther from the source, after no path is left: to the end, or until it is clear that
    the source reaches all that the sink does not see.

    What neither of them does takes in flow and gives it to the sink's side, which it then touches.
    So it is clear when all that touches the sink's side is seen from the source.  Returns how many
    nodes are, and of how many the arcs were looked at: all, where the side of the source is whole.
    """
    while whole and looked < ahead:
        ahead, _ = _look(graph, room, part, room.queue[looked], ahead, 1)
        looked += 1
    for i in range(-behind, 0):
        node = room.queue[i]
        for arc in range(graph.first[node], graph.first[node + 1]):
            head = graph.heads[arc]
            if graph.capacities[arc] == 0 or part[head] != part[node]:
                continue
            while room.levels[head] == _UNSEEN and looked < ahead:
                ahead, _ = _look(graph, room, part, room.queue[looked], ahead, 1)
                looked += 1
    return ahead, looked


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(graph: Graph, room: Room, source: int, sink: int) -> None:
    """Sends flow along paths that go up a level with each arc, until there is none."""
    depth, node = 0, source
    while True:
        if node == sink:
            least, at = room.residual[room.path[0]], 0
            for i in range(1, depth):
                if room.residual[room.path[i]] < least:
                    least, at = room.residual[room.path[i]], i
            for i in range(depth):
                room.residual[room.path[i]] -= least
                room.residual[graph.twins[room.path[i]]] += least
            depth, node = at, graph.heads[graph.twins[room.path[at]]]
            continue
        while room.nexts[node] < graph.first[node + 1]:
            arc = room.nexts[node]
            if room.residual[arc] > 0 and room.levels[graph.heads[arc]] == room.levels[node] + 1:
                break
            room.nexts[node] += 1
        if room.nexts[node] < graph.first[node + 1]:
            room.path[depth] = room.nexts[node]
            node = graph.heads[room.path[depth]]
            depth += 1
        elif depth == 0:
            return
        else:
            depth -= 1
            node = graph.heads[graph.twins[room.path[depth]]]
            room.nexts[node] += 1
