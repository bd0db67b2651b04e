"""What a file format of skeletons offers to the rest of the program, and how to write one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec.skeletons import SkeletonFormat

_NM = (1.0, 1.0, 1.0)
_MOST_ID = 2**64 - 1


class Traced(NamedTuple):
    """Skeletons as a file has them.

    node_ids, skeleton_ids: (n,); positions: (n, 3) z y x, in units of the file
    edges: (m, 2) pairs of node ids
    unit:  nm of a coordinate of 1, z y x; None where the file does not say it
    numbered: whether nodes have no ids in the file, and are numbered from 1 in its order
    """

    node_ids: NDArray[np.uint64]
    skeleton_ids: NDArray[np.uint64]
    positions: NDArray[np.float64]
    edges: NDArray[np.uint64]
    unit: Sequence[float] | None = _NM
    numbered: bool = False


class SkeletonFile(ABC):
    """What a kind of files of skeletons can do.  Made from its spec.

    Files are opened by the format that claims them; those that are defined last are asked first.

    reads:     what a file of it is called, for messages
    suffixes:  of names of files
    runs_code: whether reading a file runs code that is in it
    """

    reads: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    runs_code: ClassVar[bool] = False
    states_unit: ClassVar[bool] = True

    def __init__(self, spec: SkeletonFormat) -> None:
        self.spec = spec

    def claims(self, path: Path) -> bool:
        """Whether a file or folder, which may not exist, is of this format."""
        return path.suffix.lower() in self.suffixes and not path.is_dir()

    @abstractmethod
    def read(self, path: Path) -> Traced:
        """The skeletons of a file.  Raises ValueError that says what is wrong."""

    def write(
        self, skeletons: Skeletons, path: Path, *, voxel_size: Sequence[float] | None
    ) -> None:
        """Writes skeletons; voxel_size: nm, z y x, for formats that count in voxels.  For formats
        that are written."""
        raise ValueError(f"{path}: a {self.reads} is read only; write .npz, .nml or another format")


def whole_number(text: Any, noun: str) -> int:
    """An id as a file has it.  Raises ValueError, with the text, for what is none."""
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number <= _MOST_ID or (isinstance(text, float) and text != number):
        raise ValueError(f"{noun} is {text!r}; allowed: whole numbers from 0 to 2**64 - 1")
    return number


def number(text: Any, noun: str) -> float:
    """A coordinate as a file has it; nan, which is refused later with the node's id, where it is
    missing.  Raises ValueError for what is no number."""
    if text is None or text == "":
        return float("nan")
    try:
        return float(text)
    except (TypeError, ValueError):
        raise ValueError(f"{noun} is {text!r}; wanted: a number") from None


def id_array(values: Iterable[int]) -> NDArray[np.uint64]:
    """Whole numbers up to 2**64 - 1, which numpy would take for floats."""
    return np.fromiter(values, np.uint64)


def pair_array(pairs: Sequence[Sequence[int]]) -> NDArray[np.uint64]:
    """(m, 2) ids."""
    return id_array(value for pair in pairs for value in pair).reshape(-1, 2)


def parents(skeletons: Skeletons, what: str) -> NDArray[np.int64]:
    """The place of the parent of each node, -1 for roots: a tree of each connected piece.

    Raises ValueError for a cycle, which files of trees cannot hold; what: what they are called.
    """
    # takes long to load, and few volumes have skeletons
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import breadth_first_order, connected_components

    count, (first, second) = len(skeletons), skeletons.places.T
    links = csr_array((np.ones(len(first), np.int8), (first, second)), shape=(count, count))
    pieces, piece = connected_components(links, directed=False)
    in_cycles = np.bincount(piece[first], minlength=pieces) >= np.bincount(piece, minlength=pieces)
    if in_cycles.any():
        ids = np.unique(skeletons.skeleton_ids[in_cycles[piece]])
        raise ValueError(
            f"skeletons {', '.join(map(str, ids[:5].tolist()))} have cycles, and {what} holds "
            f"trees; write another format, such as .npz"
        )
    # one root above a node of each piece, so that one walk meets all of them
    _, roots = np.unique(piece, return_index=True)
    rows, columns = np.append(first, np.full(pieces, count)), np.append(second, roots)
    whole = csr_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count + 1,) * 2)
    _, above = breadth_first_order(whole, count, directed=False)
    return np.where(above[:count] == count, -1, above[:count]).astype(np.int64)
