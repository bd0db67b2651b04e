"""A row for each neuron, in a page."""

from __future__ import annotations

from collections.abc import Sequence

from lsd.report.neurons import Neuron
from lsd.report.page.document import paragraph
from lsd.report.page.tables import Cell, Content, table

# rows that a page shows: all are in evaluation_neurons.csv
ROWS = 100
COLUMNS = {
    "neuron": "Id of the neuron in the truth (of a truth that was relabelled into pieces, of the "
    "piece).",
    "voxels": "Voxels of it that are scored.",
    "segments": "Segments that hold any of them, without segment 0.",
    "largest": "The segment that holds most of them.",
    "share": "Share of its voxels that are in that segment; 1 is perfect.",
    "precision": "Share of that segment's scored voxels that are of this neuron; 1 is perfect.",
    "IoU": "Intersection over union of the neuron and that segment.",
    "split": "Bits of the VOI split that its voxels cost; those of all neurons add up to it.",
    "merge": "Bits of the VOI merge that its voxels cost, by what else is in their segments.",
}


def neurons_table(rows: Sequence[Neuron], *, volume: str) -> str:
    """The neurons that cost most, to be sorted by any column."""
    cells: list[list[Content]] = [
        [
            Cell(row.object, text=str(row.object)),
            Cell(row.voxels, text=f"{row.voxels:,}"),
            Cell(row.segments),
            Cell(row.largest, text=str(row.largest)),
            *(Cell(v) for v in (row.share, row.precision, row.iou, row.split, row.merge)),
        ]
        for row in rows[:ROWS]
    ]
    left = len(rows) - len(cells)
    more = f"{left} more, which cost less, are in evaluation_neurons.csv." if left > 0 else ""
    name = f"neurons of {volume}"
    return table(list(COLUMNS), cells, sortable=True, name=name) + paragraph(more, note=True)
