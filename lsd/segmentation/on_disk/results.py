"""What segmentation left on disk, read by regions, and whether it is what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import tile
from lsd.blockwise.on_disk.step import Step, load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.segmentation.on_disk.tables import (
    FragmentPlaces,
    Table,
    have_tables,
    open_table,
    segments_of,
)
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.volumes.array import Array

# voxels an axis that are read at once
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Results:
    """A segmented volume.

    array:     fragments, or, of a decoder without thresholds, the segmentation itself
    places:    the fragments; None where array is the segmentation
    made_from: digest of what array is made from
    """

    container: Path
    array: Array
    places: FragmentPlaces | None
    made_from: str
    _tables: dict[float, Table] = field(default_factory=dict)

    def table(self, threshold: float) -> Table:
        """The segment of each fragment, from disk, or, for a threshold that was not asked for
        before, from the edges."""
        assert self.places is not None, "the decoder has no thresholds: nothing is left to join"
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

    def read(self, roi: Roi, threshold: float | None) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold, of all the world 0 where there are none; None:
        fragments."""
        fragments = self.array.read(roi, beyond="zero").astype(np.uint64, copy=False)
        return (
            fragments
            if threshold is None or self.places is None
            else self.table(threshold).look_up(fragments)
        )


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


def refuse(path: Path, differences: Sequence[str]) -> None:
    """Raises OtherResults if segmenting again would give something else, so that nobody takes the
    scores of one checkpoint for those of another."""
    if differences:
        raise OtherResults(
            f"{path} is not what {typed('segment')} would give now: {'; '.join(differences)}; run "
            f"{typed('segment')} again, or evaluate with what was asked for there",
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
        "mask.volume.": "what is known of the volume: ",
        "mask.arrays.": "what is known of the volume: ",
        "mask.": "what is known of the volume: ",
    }
    named = []
    for line in lines:
        begin = next((name for name in names if line.startswith(name)), "")
        line = names.get(begin, "") + line.removeprefix(begin)
        if line.startswith("segment.use_mask"):
            line = line.replace("another asked", "True asked").replace("None asked", "False asked")
        named.append(line)
    return named
