"""What segmentation left on disk, read by regions, and whether it is what is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import left, steps_of
from lsd.segmentation.on_disk.lists import SEGMENTATION
from lsd.segmentation.on_disk.segments import SegmentsInput
from lsd.segmentation.on_disk.tables import (
    FragmentPlaces,
    Table,
    TableInput,
    have_tables,
    open_table,
    segments_of,
    write_tables,
)
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.threshold import array_name
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.volumes.array import Array, open_array
from lsd.volumes.inputs import ArrayInput, ArrayState

# voxels an axis that are read at once
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Segmented:
    """An array of ids, and the segment that each of them is.

    array:     of ids
    made_from: digest of what it is made from
    table:     segments of the ids; None where these are segments
    title:     what tells it from other arrays of the volume that may be looked at; "" where there
               is one
    table_in:  from a container to the table as what a step depends on, written there where it is
               not on disk yet; None where there is no table
    """

    array: Array
    made_from: str
    table: Table | None = None
    title: str = ""
    table_in: Callable[[Path], TableInput] | None = field(default=None, repr=False)

    def read(self, roi: Roi) -> NDArray[np.uint64]:
        """Segments (z, y, x), of all the world 0 where there are none."""
        return self.segments(self.array.read(roi, beyond="zero").astype(np.uint64, copy=False))

    def segments(self, ids: NDArray[Any]) -> NDArray[Any]:
        """Of each id, whatever the shape; 0 stays 0."""
        return ids if self.table is None else self.table.look_up(ids)

    def as_input(self, roi: Roi, *, revision: str | None) -> ArrayInput:
        """The ids of `roi` as what a step depends on that reads them; revision: see
        Segment.revision."""
        return segmentation_input(self.array, roi, made_from=self.made_from, revision=revision)

    def in_blocks(self, roi: Roi, container: Path, *, revision: str | None) -> SegmentsInput:
        """The segments of `roi` as what a step depends on that reads them; the table is written
        into `container` where it is not on disk yet."""
        table = None if self.table_in is None else self.table_in(container)
        return SegmentsInput(ids=self.as_input(roi, revision=revision), table=table)

    def check(self, ids: NDArray[np.uint64]) -> None:
        """Raises ValueError where one of these is no id of the array's."""
        if self.table is None:
            return
        try:
            self.table.places.place_of(ids[ids > 0])
        except ValueError as error:
            raise ValueError(f"{self.array.name}: {error} Run {typed('segment')} again") from error


def segmentation_input(
    array: Array, roi: Roi, *, made_from: str, revision: str | None
) -> ArrayInput:
    """An array that `segment` wrote as what a step depends on; made_from: digest of what it is made
    from."""
    source = array.source
    place = f"{source.name.removesuffix('/0')} of the segmentation"
    return ArrayInput(
        path=str(source.path.resolve()),
        name=source.name,
        made_from=made_from,
        state=ArrayState.of(array, roi, where=place, revision=revision),
    )


class Results(ABC):
    """A segmented volume.

    array: one that has its extent and voxels
    """

    array: Array

    @abstractmethod
    def at(self, threshold: float | None) -> Segmented:
        """The segmentation at a threshold; None: of a decoder without thresholds.  Raises
        ValueError where there is none at that threshold."""

    @property
    def fragments(self) -> Segmented | None:
        """What segments were joined of, where they were."""
        return None

    @property
    def foreground(self) -> Array | None:
        """How surely each voxel is of a segment, 0..1, where the decoder says so."""
        return None

    def edges(self) -> Iterator[NDArray[Any]] | None:
        """The region graph: edges between fragments, rows of u, v and score, in pieces; None where
        nothing was joined."""
        return None

    def written_by(self, thresholds: Iterable[float | None]) -> list[Step]:
        """The steps on disk that its segmentations at these thresholds follow from."""
        names = {self.at(each).array.source.name.removesuffix("/0") for each in thresholds}
        return [step for step in steps_of(self.array.source.path) if names & {*step.arrays}]

    def read(self, roi: Roi, threshold: float | None) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, of all the world 0 where there are none."""
        return self.at(threshold).read(roi)


@dataclass(frozen=True, eq=False)
class JoinedResults(Results):
    """Fragments, and edges that join them up to any threshold.

    made_from: digest of what fragments are made from
    """

    container: Path
    array: Array
    places: FragmentPlaces
    made_from: str
    _tables: dict[float, Table] = field(default_factory=dict)

    def at(self, threshold: float | None) -> Segmented:
        """Fragments, and the table of a threshold."""
        assert threshold is not None, "what is joined is joined up to a threshold"
        return Segmented(
            self.array,
            self.made_from,
            self.table(threshold),
            table_in=lambda container: self._table_in(threshold, container),
        )

    @property
    def fragments(self) -> Segmented:
        """Each a segment of its own."""
        return Segmented(self.array, self.made_from)

    def edges(self) -> Iterator[NDArray[Any]]:
        """Those of the container."""
        return edge_pieces(step_folder(self.container, "edges"))

    def written_by(self, thresholds: Iterable[float | None]) -> list[Step]:
        """Fragments and edges, whatever the threshold."""
        return [load_step(step_folder(self.container, name)) for name in ("fragments", "edges")]

    def table(self, threshold: float) -> Table:
        """The segment of each fragment, from disk, or, for a threshold that was not asked for
        before, from the edges."""
        if threshold not in self._tables:
            folder = step_folder(self.container, "edges")
            name, made_from = repr(float(threshold)), load_step(folder).digest
            if have_tables(self.container, (name,), made_from):
                self._tables[threshold] = open_table(self.container, name, made_from=made_from)
            else:
                self._tables[threshold] = Table(
                    self.places, segments_of(self.places, edge_pieces(folder), threshold)
                )
        return self._tables[threshold]

    def _table_in(self, threshold: float, other: Path) -> TableInput:
        """The table of a threshold on disk: beside the segmentation, else in another container."""
        edges = step_folder(self.container, "edges")
        name, made_from = repr(float(threshold)), load_step(edges).digest
        have = [c for c in (self.container, other) if have_tables(c, (name,), made_from)]
        if not have:
            write_tables(
                other,
                [threshold],
                places=self.places,
                edges=lambda: edge_pieces(edges),
                names=lambda one: repr(float(one)),
                made_from=made_from,
            )
        return TableInput(path=str((have or [other])[0].resolve()), name=name, made_from=made_from)


@dataclass(frozen=True, eq=False)
class FinalResults(Results):
    """The one segmentation of a decoder without thresholds; made_from: digest of what it is made
    from."""

    array: Array
    made_from: str

    def at(self, threshold: float | None) -> Segmented:
        """It, whatever the threshold."""
        return Segmented(self.array, self.made_from)


@dataclass(frozen=True, eq=False)
class ThresholdResults(Results):
    """A segmentation of its own at each threshold.

    array: of the foreground; steps: those that write segmentations, by the names of the arrays
    """

    container: Path
    array: Array
    steps: Mapping[str, Step]

    @property
    def foreground(self) -> Array:
        """What thresholds are compared with."""
        return self.array

    def at(self, threshold: float | None) -> Segmented:
        """Its segmentation."""
        assert threshold is not None, "there is one at each threshold"
        name = array_name(threshold)
        if name not in self.steps:
            there = ", ".join(each.removeprefix(f"{SEGMENTATION}/") for each in sorted(self.steps))
            raise ValueError(
                f"{self.container} holds no segmentation at threshold {threshold}, but at: "
                f"{there or 'none'}; name it in segment.thresholds, and run {typed('segment')} "
                f"again"
            )
        step = whole_step(self.steps[name].folder)
        array = open_array(self.container, name)
        return Segmented(array, step.digest, title=repr(float(threshold)))


def highest_id(segmentation: Array) -> int:
    """The number of segments, of a segmentation whose segments are named 1..n."""
    return max(int(segmentation.read(roi).max(initial=0)) for roi in pieces(segmentation.roi))


def pieces(roi: Roi) -> Iterator[Roi]:
    """`roi` in pieces that are small enough to be read at once."""
    none, shape = (0,) * roi.dims, [min(_BLOCK, n) for n in roi.shape]
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(none, none))
    return (block.write for block in grid)


def whole_step(folder: Path) -> Step:
    """A step that is whole.  Raises ValueError if it is missing, or blocks are not done."""
    if not (folder / "step.json").exists():
        raise ValueError(
            f"{folder} is missing; run {typed('segment')} again with the decoder of the config"
        )
    step = load_step(folder)
    undone = left(step)
    if undone:
        blocks = counted(len(step.grid), "block")
        raise ValueError(
            f"{undone} of {blocks} of {folder} are not done; run {typed('segment')} again"
        )
    return step


class OtherResults(ValueError):
    """A segmentation on disk is not what segmenting again would give; differences: in what, in
    words."""

    def __init__(self, message: str, differences: Sequence[str]) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


def refuse(path: Path, differences: Sequence[str], *, command: str = "segment") -> None:
    """Raises OtherResults if segmenting again, by the command that wrote it, would give something
    else, so that nobody takes the scores of one checkpoint for those of another."""
    if differences:
        raise OtherResults(
            f"{path} is not what {typed(command)} would give now: {'; '.join(differences)}; run "
            f"{typed(command)} again, or evaluate with what was asked for there",
            differences,
        )


def in_config_words(lines: Sequence[str], *, settings: str, context: str = "context") -> list[str]:
    """Differences by the names that the config has for them.

    settings: the field of config.segment that a job's `settings` are; context: that its context is
    """
    names = {
        "settings.": f"segment.{settings}.",
        "settings:": f"segment.{settings}:",
        "scores.": "segment.",
        "blocks:": "segment.block:",
        "context:": f"segment.{context}:",
        "neighborhood:": "offsets of affinities:",
        "mask: None there": "segment.use_mask: False there",
        "mask: another there": "segment.use_mask: True there",
        "affinities.": "affinities: ",
        "heads.": "head ",
        "neighborhoods.": "offsets of head ",
        # of the decoder instance
        "mask.inside:": "segment.decoder.inside:",
        "mask.known: None there": "segment.use_mask: False there",
        "mask.known: another there": "segment.use_mask: True there",
        "mask.source.": "where objects are: ",
        "mask.occupancy:": "where objects are: offsets:",
        **dict.fromkeys(
            (
                f"{where}{what}"
                for where in ("mask.known.", "mask.")
                for what in ("volume.", "arrays.", "")
            ),
            "what is known of the volume: ",
        ),
    }
    # `instance` gives what it reads to another decoder, whose steps are those of that one
    merged = next((line for line in lines if line.startswith("affinities.offsets:")), "")
    if ": None there" in merged or "there, None asked" in merged:
        return ["segment.decoder: another there"]
    named = []
    for line in lines:
        begin = next((name for name in names if line.startswith(name)), "")
        line = names.get(begin, "") + line.removeprefix(begin)
        if line.startswith("segment.use_mask"):
            line = line.replace("another asked", "True asked").replace("None asked", "False asked")
        named.append(line)
    return named
