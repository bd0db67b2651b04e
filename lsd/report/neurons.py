"""A row for each neuron: into how many segments it is cut, what else is in them, and what that
costs.

In evaluation_neurons.csv beside evaluation.json.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contingency import Contingency
from lsd.arrays.sums import sums
from lsd.evaluation.counting import no_objects_in_tables
from lsd.evaluation.partition import scored_rows
from lsd.evaluation.scores import Evaluation
from lsd.spec import Config, Evaluate
from lsd.spec.paths import evaluation_file
from lsd.system.atomic import replacing

_COLUMNS = {"object": "truth"}


@dataclass(frozen=True)
class Neuron:
    """An object of the truth.

    object:    its id, of a piece of the truth its number; voxels: that are scored
    label:     in the file, of a piece that of the whole; None: of a piece in a table of before,
               which did not say
    segments:  that have voxels of it, without segment 0
    largest:   the segment that has most of them, 0 where none has any
    share:     of its voxels that are in that segment
    precision: share of that segment's voxels that are of this object
    iou:       intersection over union of both
    split:     bits of the VOI split that it costs
    merge:     bits of the VOI merge that its voxels cost, by what else is in their segments
    """

    object: int
    label: int | None
    voxels: int
    segments: int
    largest: int
    share: float
    precision: float
    iou: float
    split: float
    merge: float

    @property
    def lost(self) -> float:
        """Bits of the VOI sum."""
        return self.split + self.merge

    @property
    def is_named(self) -> bool:
        """Whether its largest segment is mostly of it, and so may be called as it is."""
        return self.precision > 0.5


def neurons(
    table: Contingency, settings: Evaluate, labels: NDArray[np.uint64] | None = None
) -> list[Neuron]:
    """A row for each object of a table, what costs most first.

    settings: which objects are left out, and what segment 0 is; bits add up to the VOI of the table
    labels:   of pieces of the truth, by their numbers; None: objects are labels
    """
    counted = _counted(table, settings)
    objects, of_object = np.unique(counted.objects, return_inverse=True)
    segments, of_segment = np.unique(counted.segments, return_inverse=True)
    sizes, areas = (
        sums(place, counted.voxels, len(ids))
        for place, ids in ((of_object, objects), (of_segment, segments))
    )
    split, merge = _bits(counted, sizes[of_object], areas[of_segment], settings)
    lost_by_split, lost_by_merge = (
        np.bincount(of_object, bits, minlength=len(objects)) for bits in (split, merge)
    )
    is_segment = counted.segments > 0
    number = np.bincount(of_object[is_segment], minlength=len(objects))
    largest = _largest(of_object, np.where(is_segment, counted.voxels, -1), len(objects))
    rows = []
    for place, row in enumerate(largest.tolist()):
        found = bool(is_segment[row])
        shared, area = int(counted.voxels[row]) * found, int(areas[of_segment[row]])
        size, own = int(sizes[place]), int(objects[place])
        rows.append(
            Neuron(
                object=own,
                label=own if labels is None else int(labels[own]),
                voxels=size,
                segments=int(number[place]),
                largest=int(counted.segments[row]),
                share=shared / size,
                precision=shared / area if found else 0.0,
                iou=shared / (size + area - shared) if found else 0.0,
                split=float(lost_by_split[place]),
                merge=float(lost_by_merge[place]),
            )
        )
    return sorted(rows, key=lambda row: (-row.lost, row.object))


def write_neurons(config: Config, evaluation: Evaluation) -> Path | None:
    """Writes evaluation_neurons.csv; None where nothing was scored."""
    rows = {
        name: neurons(volume.table, config.evaluate, volume.labels)
        for name, volume in evaluation.volumes.items()
        if volume.table is not None
    }
    if not rows:
        return None
    path = neurons_file(config)
    with replacing(path) as staged, staged.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = [each.name for each in fields(Neuron)]
        writer.writerow(["volume", *(_COLUMNS.get(name, name) for name in names)])
        for volume, own in rows.items():
            for row in own:
                writer.writerow([volume, *(getattr(row, name) for name in names)])
    return path


def read_neurons(config: Config) -> Mapping[str, list[Neuron]]:
    """The rows of each volume, as `write_neurons` wrote them; none where there is no such file.

    config: that the run was evaluated with
    """
    path, found = neurons_file(config), dict[str, list[Neuron]]()
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for volume, row in _rows(csv.DictReader(file), in_pieces=config.evaluate.connected):
                found.setdefault(volume, []).append(row)
    return found


def neurons_file(config: Config) -> Path:
    """Where the rows are."""
    scores = evaluation_file(config)
    return scores.with_name(f"{scores.stem}_neurons.csv")


def _rows(lines: csv.DictReader[str], *, in_pieces: bool) -> Iterator[tuple[str, Neuron]]:
    """in_pieces: objects are pieces of labels; tables of before did not say of which."""
    types = {
        each.name: int if each.type == "int" else float
        for each in fields(Neuron)
        if each.name != "label"
    }
    for line in lines:
        values = {name: kind(line[_COLUMNS.get(name, name)]) for name, kind in types.items()}
        label = line.get("label", None if in_pieces else line["truth"])
        own = None if label is None else int(label)
        yield line["volume"], Neuron(**values, label=own)  # type: ignore[arg-type]


def _counted(table: Contingency, settings: Evaluate) -> Contingency:
    """Without what is not scored, and without the background of a metric that has one."""
    used = scored_rows(table, ignore=no_objects_in_tables(settings), background=settings.background)
    return Contingency(table.segments[used], table.objects[used], table.voxels[used])


def _bits(
    table: Contingency,
    in_object: NDArray[np.int64],
    in_segment: NDArray[np.int64],
    settings: Evaluate,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each row adds to the VOI split and merge."""
    is_single = (table.segments == 0) & (settings.background == "singletons")
    cell = np.where(is_single, 1, table.voxels)
    segment = np.where(is_single, 1, in_segment)
    weight = table.voxels / max(int(table.voxels.sum()), 1)
    return weight * np.log2(in_object / cell), weight * np.log2(segment / cell)


def _largest(places: NDArray[np.int64], voxels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The row of each place that has most voxels, the first of several."""
    order = np.lexsort((np.arange(len(places)), -voxels, places))
    _, first = np.unique(places[order], return_index=True)
    assert len(first) == count, "each place has a row"
    return order[first]
