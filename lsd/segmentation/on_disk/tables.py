"""Look-up tables: which segment each fragment of a volume belongs to, at a threshold.

Fragments are numbered twice.  Their ids tell blocks apart and have gaps; their places 0, 1, 2 ..
follow the blocks without gaps.  A table is an array over places, so a block's part of it is a
slice, and it is read from disk as one.

    <container>/tables/first.npy          place of the first fragment of each block, and the number
                                          of all
    <container>/tables/<threshold>.npy    segment of each fragment, by place
    <container>/tables/tables.json        what they were made from, and a checksum of each file
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lsd.arrays.union_find import flatten, union
from lsd.blockwise.on_disk.inspect import steps
from lsd.blockwise.on_disk.owned import is_table
from lsd.spec import Spec
from lsd.spec.effect import NoEffect, Wording
from lsd.system.atomic import replacing, write_text
from lsd.system.commands import typed

Edges = Iterable[NDArray[Any]]

# places that are turned into ids at once
_PIECE = 1 << 20

# fragments up to which a place takes 4 bytes
_NARROW = 1 << 32


@dataclass(frozen=True, eq=False)
class FragmentPlaces:
    """Fragments in the order of their ids.

    first: place of the first fragment of each block, and in the end the number of all; apart:
           distance of two blocks' ids
    """

    first: NDArray[np.int64]
    apart: int

    @classmethod
    def of(cls, counts: NDArray[Any], apart: int) -> FragmentPlaces:
        """From the number of fragments in each block."""
        return cls(np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]), apart)

    def __len__(self) -> int:
        return int(self.first[-1])

    def ids(self, begin: int, end: int) -> NDArray[np.uint64]:
        """Ids of the fragments at begin .. end - 1."""
        return self.id_of(np.arange(begin, end))

    def id_of(self, places: NDArray[Any]) -> NDArray[np.uint64]:
        """Ids of the fragments at these places."""
        block = np.searchsorted(self.first, places, side="right") - 1
        return np.asarray(
            block.astype(np.uint64) * np.uint64(self.apart)
            + (places - self.first[block] + 1).astype(np.uint64)
        )

    def place_of(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """Places of fragments (not 0).  Raises ValueError for an id that is none of them."""
        places = self._places(ids)
        if (places < 0).any():
            raise ValueError(
                f"fragment {np.asarray(ids)[places < 0][0]} is none of the {len(self)} there are; "
                f"are they of another run?"
            )
        return places

    def hold(self, ids: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether each id is that of a fragment."""
        return self._places(ids) >= 0

    def _places(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        """-1 for an id that is none."""
        ids = np.asarray(ids, dtype=np.uint64)
        block = (ids - np.uint64(1)) // np.uint64(self.apart)
        inside = (ids > 0) & (block < len(self.first) - 1)
        block = np.where(inside, block, 0).astype(np.int64)
        within = (ids - np.uint64(1)) % np.uint64(self.apart)
        inside &= within < (self.first[block + 1] - self.first[block]).astype(np.uint64)
        return np.where(inside, self.first[block] + within.astype(np.int64), -1)


@dataclass(frozen=True, eq=False)
class Table:
    """Segments of fragments at one threshold, read from disk where they are asked for."""

    places: FragmentPlaces
    segments: NDArray[np.uint64]

    def of_block(self, index: int) -> NDArray[np.uint64]:
        """Segments of the fragments of a block, in the order of their ids."""
        return np.array(self.segments[self.places.first[index] : self.places.first[index + 1]])

    def look_up(self, fragments: NDArray[Any]) -> NDArray[np.uint64]:
        """Segment of each id; 0 stays 0."""
        ids = np.asarray(fragments, dtype=np.uint64)
        segments = np.zeros(ids.shape, np.uint64)
        segments[ids > 0] = self.segments[self.places.place_of(ids[ids > 0])]
        return segments


class TableInput(Spec):
    """A table on disk as what a step depends on.

    path: of the container that it lies in;  made_from: digest of the edges that it follows from
    """

    path: Annotated[str, NoEffect("a run's folder may be moved: the edges tell the table")]
    name: str
    made_from: Annotated[str, Wording("the edges were made anew")]

    def open(self) -> Table:
        """The table.  Raises ValueError where it is missing, or another one by now."""
        return open_table(Path(self.path), self.name, made_from=self.made_from)


def write_tables(
    container: Path,
    thresholds: Sequence[float],
    *,
    places: FragmentPlaces,
    edges: Callable[[], Edges],
    names: Callable[[float], str],
    made_from: str,
) -> None:
    """Writes the table of each threshold; made_from: what edges and fragments are, to tell tables
    of another run.

    Tables of other thresholds stay where they are made from the same, and are deleted where they
    are not.

    edges: called for each threshold; rows with u, v (ids) and score, in pieces, in any order.
           Memory: 4 bytes a fragment (8
    above 4 billion) and a few times one piece, however many edges there are.  Segments are named by
    their smallest fragment.
    """
    folder = container / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    first = _write(
        folder / "first.npy",
        len(places.first) + 1,
        np.int64,
        [np.append(places.first, np.int64(places.apart))],
    )
    digests = {}
    roots = _alone(places)
    below = -np.inf
    # a segmentation at a higher threshold is the one below it with more joined
    for threshold in sorted(set(thresholds)):
        for piece in edges():
            _join(roots, places, piece, below, threshold)
        flatten(roots)
        digests[names(threshold)] = _write(
            folder / f"{names(threshold)}.npy", len(places), np.uint64, _segments(roots, places)
        )
        below = threshold
    digests = {**_made_from(container, made_from, first), **digests}
    content = {"made_from": made_from, "first": first, "digests": digests}
    write_text(
        folder / "tables.json", json.dumps(content, indent=1), many_writers=False, durable=False
    )
    for path in folder.glob("*.npy"):
        if is_table(path) and path.stem not in {"first", *digests}:
            path.unlink()


def _made_from(container: Path, made_from: str, first: str) -> dict[str, str]:
    """Checksums of the tables that are noted, where they are made from the same."""
    try:
        description = _description(container)
    except ValueError:
        return {}
    return (
        description["digests"]
        if (description["made_from"], description["first"]) == (made_from, first)
        else {}
    )


def segments_of(places: FragmentPlaces, edges: Edges, threshold: float) -> NDArray[np.uint64]:
    """The table of one threshold, in memory."""
    roots = _alone(places)
    for piece in edges:
        _join(roots, places, piece, -np.inf, threshold)
    flatten(roots)
    return np.concatenate([np.empty(0, np.uint64), *_segments(roots, places)])


def have_tables(container: Path, names: Iterable[str], made_from: str) -> bool:
    """Whether tables of these names are noted, made from the same."""
    try:
        description = _description(container)
    except ValueError:
        return False
    return description["made_from"] == made_from and set(names) <= set(description["digests"])


def whole_tables(container: Path, names: Iterable[str], made_from: str) -> bool:
    """Whether they also are there, with nothing cut off."""
    try:
        return all(open_table(container, name, made_from=made_from) for name in names)
    except ValueError:
        return False


def open_table(container: Path, name: str, *, made_from: str | None = None) -> Table:
    """A table on disk.  Raises ValueError, naming the file, if it is missing, damaged, or made from
    something else."""
    description = _description(container)
    if made_from is not None and description["made_from"] != made_from:
        raise ValueError(
            f"{container / 'tables'} is from another run than the edges beside it; run "
            f"{typed('segment')} again"
        )
    if name not in description["digests"]:
        raise ValueError(
            f"{container / 'tables'} has no table {name}; there are: "
            f"{', '.join(description['digests'])}"
        )
    first, segments = (
        _load(container / "tables" / "first.npy"),
        _load(container / "tables" / f"{name}.npy"),
    )
    places = FragmentPlaces(first[:-1], int(first[-1]))
    if len(segments) != len(places):
        raise ValueError(
            f"{container / 'tables' / name}.npy has {len(segments)} entries for {len(places)} "
            f"fragments; segment again"
        )
    return Table(places, segments)


def damaged_tables(container: Path) -> list[Path]:
    """Files of tables whose content is not what was written.  Raises ValueError if tables.json
    cannot be read."""
    damaged, described = [], _description(container)
    for name, digest in {"first": described["first"], **described["digests"]}.items():
        path = container / "tables" / f"{name}.npy"
        try:
            intact = _digest(_load(path)) == digest
        except ValueError:
            intact = False
        damaged += [] if intact else [path]
    return damaged


def verify_tables(folder: Path) -> list[str]:
    """Reads all tables below a folder and deletes those that are damaged, so that segmentation
    writes them anew; says which."""
    findings = []
    containers = sorted({step.parents[1] for step in steps(folder)})
    for description in (container / "tables" / "tables.json" for container in containers):
        if not description.exists():
            continue
        try:
            damaged = damaged_tables(description.parents[1])
        except ValueError:
            damaged = [description]
        for path in damaged:
            path.unlink(missing_ok=True)
            findings.append(f"{path}: not what was written: another checksum")
    return findings


def _join(
    roots: NDArray[Any], places: FragmentPlaces, edges: NDArray[Any], above: float, threshold: float
) -> None:
    # a Python float is compared in the precision of the scores: float32(0.3) <= 0.3, though it is a
    # little more
    scores = edges["score"]
    used = edges[(scores <= float(threshold)) & ~(scores <= float(above))]
    union(roots, places.place_of(used["u"]), places.place_of(used["v"]))


def _alone(places: FragmentPlaces) -> NDArray[Any]:
    """Every fragment a root."""
    return np.arange(len(places), dtype=np.uint32 if len(places) < _NARROW else np.uint64)


def _segments(roots: NDArray[Any], places: FragmentPlaces) -> Iterator[NDArray[np.uint64]]:
    """Ids of the roots, in pieces."""
    for begin in range(0, len(roots), _PIECE):
        yield places.id_of(roots[begin : begin + _PIECE].astype(np.int64))


def _write(path: Path, count: int, dtype: DTypeLike, pieces: Iterable[NDArray[Any]]) -> str:
    """Writes an array of `count` numbers; returns its checksum.  Not through a map of the file: a
    full disk would kill us."""
    content = hashlib.blake2b(digest_size=16)
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
        "fortran_order": False,
        "shape": (count,),
    }
    with replacing(path) as staged, staged.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for piece in pieces:
            data = piece.tobytes()
            content.update(data)
            file.write(data)
    return content.hexdigest()


def _digest(array: NDArray[Any]) -> str:
    content = hashlib.blake2b(digest_size=16)
    for begin in range(0, len(array), _PIECE):
        content.update(np.ascontiguousarray(array[begin : begin + _PIECE]).tobytes())
    return content.hexdigest()


def _load(path: Path) -> NDArray[Any]:
    try:
        # an empty file cannot be mapped
        return np.asarray(
            np.load(path, mmap_mode="r" if path.stat().st_size > 128 else None, allow_pickle=False)
        )
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"table {path} cannot be read ({error}); run {typed('segment')} again"
        ) from error


def _description(container: Path) -> dict[str, Any]:
    path = container / "tables" / "tables.json"
    try:
        content = json.loads(path.read_bytes())
        return {
            name: kind(content[name])
            for name, kind in (("made_from", str), ("first", str), ("digests", dict))
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"the tables' {path} cannot be read ({error}); run {typed('segment')} again"
        ) from error
