"""A row for each neuron, in a page."""

from __future__ import annotations

from collections.abc import Sequence

from lsd.report.neurons import Neuron
from lsd.report.page.document import paragraph
from lsd.report.page.tables import Cell, Content, table

# rows that a page shows: all are in a table beside it
ROWS = 100
_UNTOLD = (
    "{file} is of an earlier version, which did not say what labels of the file "
    "these pieces are of; evaluate again to have them."
)
COLUMNS = {
    "neuron": "Id of the neuron in the truth (of a truth that was relabelled into pieces, of the "
    "piece).",
    "label": "Label in the file that the piece is of, as error sites name it.",
    "voxels": "Voxels of it that are scored.",
    "segments": "Segments that hold any of them, without segment 0.",
    "largest": "The segment that holds most of them.",
    "share": "Share of its voxels that are in that segment; 1 is perfect.",
    "precision": "Share of that segment's scored voxels that are of this neuron; 1 is perfect.",
    "IoU": "Intersection over union of the neuron and that segment.",
    "split": "Bits of the VOI split that its voxels cost; those of all neurons add up to it.",
    "merge": "Bits of the VOI merge that its voxels cost, by what else is in their segments.",
}


def columns(*, in_pieces: bool) -> dict[str, str]:
    """What the columns of a table are.

    in_pieces: rows are of pieces of the truth, whose numbers are no labels of the file
    """
    return {name: what for name, what in COLUMNS.items() if in_pieces or name != "label"}


def neurons_table(rows: Sequence[Neuron], *, volume: str, in_pieces: bool, file: str) -> str:
    """The neurons that cost most, to be sorted by any column.

    in_pieces: see `columns`;  file: that holds all rows
    """
    is_told = in_pieces and all(row.label is not None for row in rows)
    cells: list[list[Content]] = [
        [
            Cell(row.object, text=str(row.object)),
            *([Cell(row.label, text=str(row.label))] if is_told else []),
            Cell(row.voxels, text=f"{row.voxels:,}"),
            Cell(row.segments),
            Cell(row.largest, text=str(row.largest)),
            *(Cell(v) for v in (row.share, row.precision, row.iou, row.split, row.merge)),
        ]
        for row in rows[:ROWS]
    ]
    left = len(rows) - len(cells)
    more = f"{left} more, which cost less, are in {file}." if left > 0 else ""
    name, header = f"neurons of {volume}", list(columns(in_pieces=is_told))
    shown = table(header, cells, sortable=True, name=name) + paragraph(more, note=True)
    return shown + paragraph(
        _UNTOLD.format(file=file) if in_pieces and not is_told else "", note=True
    )
