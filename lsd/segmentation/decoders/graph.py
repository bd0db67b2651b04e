"""Decoders that make fragments of each block and edges between them, of which tables of segments
follow:

    fragments -> edges -> tables -> segmentation

A step names the one that it is made from by the digest of all that this one depends on, so they are
asked for in this order, each when the one before is whole.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, step_folder
from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.on_disk.lists import SEGMENTATION, begun, forget_others, yet_to_run
from lsd.segmentation.on_disk.results import (
    FinalResults,
    JoinedResults,
    Results,
    in_config_words,
    refuse,
    whole_step,
)
from lsd.segmentation.on_disk.tables import FragmentPlaces, open_table, whole_tables, write_tables
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.over_blocks.fragments import FRAGMENTS, SIZE, UNCUT, FragmentsJob
from lsd.segmentation.over_blocks.inputs import Inputs, voxels_per_block
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.over_blocks.segments import SegmentsJob
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.volumes.array import open_array, text

# the threshold of decoders without thresholds, whose edges all join
ALL_EDGES = 0.0
# places of a table that are looked at once
_PIECE = 1 << 22


class GraphDecoder(DecoderKind):
    """Segments are fragments that edges join.

    settings_field: of config.segment, that the settings of its fragments are
    """

    pieces = "fragments"
    first_step = "fragments"
    settings_field: ClassVar[str]

    def __init__(self, spec: Any) -> None:
        super().__init__(spec)
        self.has_region_graph = self.has_thresholds

    @abstractmethod
    def fragments_job(self, inputs: Inputs) -> FragmentsJob:
        """How fragments of a block are made."""

    @abstractmethod
    def write_edges(self, inputs: Inputs, running: Running) -> Step:
        """Runs the steps that give edges, of which the last is called "edges"; fragments are
        whole."""

    def other_settings(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Settings by which edges on disk were made otherwise than is asked for now."""
        return []

    @abstractmethod
    def other_inputs(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """What edges on disk were made from that is another one now, where no setting differs."""

    def first(self, inputs: Inputs, container: Path) -> Step:
        """Fragments, and where faces cut them."""
        job = self.fragments_job(inputs)
        return Step("fragments", container, inputs.grid, job, (FRAGMENTS, UNCUT), SIZE)

    def write(self, inputs: Inputs, running: Running, thresholds: Sequence[float]) -> int:
        """Fragments, edges, and a table and a segmentation for each threshold."""
        fragments = running.step(self.first(inputs, running.container))
        running.levels(fragments)
        places = FragmentPlaces.of(read_ledger(fragments.folder).records["count"], inputs.apart)
        edges = self.write_edges(inputs, running)
        count = int(read_ledger(edges.folder).records["count"].sum())
        running.say(
            f"{counted(len(places), 'fragment')}, {counted(count, 'edge')} in {text(inputs.roi)}"
        )
        wanted: dict[str, float] = {repr(float(threshold)): threshold for threshold in thresholds}
        if not self.has_thresholds:
            wanted = {self.spec.kind: ALL_EDGES}
        self._write_segments(inputs, running, edges, places, list(wanted))
        for name, threshold in wanted.items():
            at_threshold = f" at threshold {threshold}" if self.has_thresholds else ""
            segments = count_segments(running.container, self._table(name))
            running.say(f"{counted(segments, 'segment')}{at_threshold}")
        return len(places)

    def results(self, inputs: Inputs, container: Path) -> Results:
        """Fragments and their tables, or the segmentation of a decoder without thresholds."""
        fragments = whole_step(step_folder(container, "fragments"))
        edges = whole_step(step_folder(container, "edges"))
        array, origin = open_array(container, FRAGMENTS), fragments.digest
        if not edges.is_older and origin not in edges.job.fingerprint().values():
            raise ValueError(
                f"{edges.folder} does not belong to {array.name}, it is from another run; segment "
                f"again"
            )
        differences = in_config_words(
            self.first(inputs, container).differs(fragments), settings=self.settings_field
        )
        differences += self.other_settings(inputs, container, edges)
        differences = differences or self.other_inputs(inputs, container, edges)
        refuse(container, list(dict.fromkeys(differences)))
        if self.has_thresholds:
            counts = read_ledger(fragments.folder).records["count"]
            places = FragmentPlaces.of(counts, voxels_per_block(fragments.grid))
            return JoinedResults(container, array, places, origin)
        return self._final(container, edges.digest)

    def _final(self, container: Path, edges: str) -> Results:
        """The one segmentation; edges: digest of those that it is made from."""
        name = self.array_name(None)
        steps = [step for step in begun(container) if name in step.arrays]
        if not steps or edges not in steps[-1].job.fingerprint().values():
            raise ValueError(
                f"{container} holds no {name} of its edges; run {typed('segment')} again"
            )
        step = whole_step(steps[-1].folder)
        return FinalResults(open_array(container, name), step.digest)

    def _table(self, segmentation: str) -> str:
        """The table that a segmentation is looked up in: tables are called after thresholds."""
        return segmentation if self.has_thresholds else repr(ALL_EDGES)

    def _write_segments(
        self,
        inputs: Inputs,
        running: Running,
        edges: Step,
        places: FragmentPlaces,
        names: Sequence[str],
    ) -> None:
        """Tables and segmentations that are not there yet; those of other thresholds stay."""
        container, made_from = edges.container, edges.digest
        removed = forget_others(container, made_from)
        if removed:
            running.say(f"removed, for they were made from other edges: {', '.join(removed)}")
        steps = yet_to_run(container, names)
        segmentations = {*names, *(name for step in steps for name in step.segmentations)}
        tables = {self._table(name) for name in segmentations}
        missing = [table for table in tables if not whole_tables(container, (table,), made_from)]
        if missing:
            write_tables(
                container,
                [float(table) for table in missing],
                places=places,
                edges=lambda: edge_pieces(edges.folder),
                names=lambda threshold: repr(float(threshold)),
                made_from=made_from,
            )
        for step in steps:
            arrays = {f"{SEGMENTATION}/{name}": self._table(name) for name in step.segmentations}
            running.step(segments_step(inputs, container, edges, arrays, name=step.step))
        running.levels_of(names)


def segments_step(
    inputs: Inputs, container: Path, edges: Step, arrays: Mapping[str, str], *, name: str
) -> Step:
    """Segmentations; arrays: their names, and those of the tables that they are looked up in;
    name: of the step."""
    job = SegmentsJob(
        fragments=inputs.own(container, FRAGMENTS),
        made_from=edges.digest,
        arrays=dict(arrays),
        apart=inputs.apart,
    )
    return Step(name, container, inputs.grid, job, arrays=tuple(arrays))


def count_segments(container: Path, name: str) -> int:
    """Segments in a table: each is named by one of its fragments."""
    table = open_table(container, name)
    return sum(
        int((table.segments[begin:end] == table.places.ids(begin, end)).sum())
        for begin, end in (
            (begin, min(begin + _PIECE, len(table.places)))
            for begin in range(0, len(table.places), _PIECE)
        )
    )
