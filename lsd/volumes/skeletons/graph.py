"""Graphs with named nodes and attributes, as networkx has them, to skeletons."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from lsd.volumes.skeletons.format import Traced, id_array, number, pair_array, whole_number

Attributes = Mapping[str, Any]
_AXES = ("position_z", "position_y", "position_x")


def from_graph(
    nodes: Mapping[Any, Attributes],
    edges: Sequence[tuple[Hashable, Hashable]],
    *,
    skeleton: Sequence[str] = ("skeleton_id", "id"),
) -> Traced:
    """Skeletons of a graph, positions in nm.

    nodes:    attributes by name: `position_z`, `position_y`, `position_x`, or `nm_position`, which
              is x y z; and the id of the skeleton
    skeleton: names of the attribute that holds it, the first that a node has
    Nodes whose names are no whole numbers are numbered from 1.  Raises ValueError, with the name,
    for an edge to an unknown node, and a node without position or skeleton.
    """
    unknown = sorted({str(name) for edge in edges for name in edge if name not in nodes})
    if unknown:
        raise ValueError(f"edges end at unknown nodes: {', '.join(unknown[:5])}")
    are_ids = all(_is_id(name) for name in nodes)
    ids = [int(name) if are_ids else place for place, name in enumerate(nodes, start=1)]
    id_of = dict(zip(nodes, ids, strict=True))
    return Traced(
        id_array(ids),
        id_array(_skeleton(name, attributes, skeleton) for name, attributes in nodes.items()),
        np.array([_position(*item) for item in nodes.items()], np.float64).reshape(-1, 3),
        pair_array([(id_of[one], id_of[other]) for one, other in edges]),
        numbered=not are_ids,
    )


def _is_id(name: Any) -> bool:
    """Whether a name is a whole number, as itself or as text."""
    return str(name).isdecimal() and int(name) < 2**64


def _skeleton(name: Hashable, attributes: Attributes, names: Sequence[str]) -> int:
    value = next((attributes[key] for key in names if key in attributes), None)
    if value is None:
        raise ValueError(
            f"node {name} does not say which skeleton it is of; give it {' or '.join(names)}"
        )
    return whole_number(value, f"the skeleton of node {name}")


def _position(name: Hashable, attributes: Attributes) -> list[float]:
    """nm, z y x; nan, which is refused with the node's id, where it is missing."""
    if "nm_position" in attributes:
        x, y, z = attributes["nm_position"]
        return [float(z), float(y), float(x)]
    return [number(attributes.get(axis), f"{axis} of node {name}") for axis in _AXES]
