"""The region graph of a volume: what its fragments are, and what is between those that touch.

graph_fragments: as the table of segments has it, of each fragment, and the segment that it is of
graph_edges:     u v score faces contact_um2 z_nm y_nm x_nm; u and v join where score <= threshold;
                 a place is the middle of the contact, nan where the two do not touch; without a
                 voxel size there is no contact, and places are z y x, in voxels
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.contacts import CONTACT, contacts, numbers, together
from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.objects.over_blocks import rows_of
from lsd.report.exports.exporter import ExportedVolume, Exporter
from lsd.report.exports.segments import measure, segment_columns, write_tables
from lsd.report.images import Image, ImageInput
from lsd.segmentation.over_blocks.fragments import FRAGMENTS
from lsd.spec.exports import RegionGraph
from lsd.volumes.array import Array
from lsd.volumes.units import lengths

if TYPE_CHECKING:
    import networkx

# voxels that are looked at at once, along each axis
_BLOCK = {2: 1024, 3: 128}


class RegionGraphExport(Exporter[RegionGraph]):
    """graph_fragments and graph_edges, as CSV and Parquet; about 150 bytes of memory an edge."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """Fragments ascend; edges stand in the order in which they were found."""
        nodes = fragment_columns(volume)
        touching = contacts_of(volume, fragments_of(volume))
        return [
            *write_tables(volume, "graph_fragments", lambda: [nodes]),
            *write_tables(volume, "graph_edges", lambda: edge_columns(volume, touching)),
        ]


def fragments_of(volume: ExportedVolume) -> Image:
    """The fragments of a volume.  Raises ValueError where its segments are not made of any."""
    if volume.results.fragments is None:
        raise ValueError(
            f"volume {volume.name!r} has no region graph: segments of the "
            f"{volume.config.segment.decoder.kind} decoder are not joined of fragments"
        )
    return volume.image(FRAGMENTS)


def fragment_columns(volume: ExportedVolume) -> dict[str, NDArray[Any]]:
    """The table of fragments."""
    image = fragments_of(volume)
    table = measure(volume, image)
    segments = volume.results.at(volume.threshold).segments(table.id)
    return {**segment_columns(table, image.array), "segment": segments}


class Touching:
    """What is between fragments, to be looked up by pairs of them; rows: of CONTACT, ascending."""

    def __init__(self, rows: NDArray[np.void]) -> None:
        self.rows = rows
        self.ids = np.unique(np.concatenate([rows["u"], rows["v"]]))
        self.keys = self._keys(rows)

    def of(self, ends: Mapping[str, NDArray[np.uint64]]) -> NDArray[np.void]:
        """The row of each pair u < v, of zeros where it does not touch."""
        found = np.zeros(len(ends["u"]), CONTACT)
        if not len(self.rows):
            return found
        wanted = self._keys(ends)
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        same = self.keys[place] == wanted
        found[same] = self.rows[place[same]]
        return found

    def _keys(self, pairs: Any) -> NDArray[np.int64]:
        """A number for each pair, ascending with it; -1 where one of the two touches nothing."""
        ones, others = (np.searchsorted(self.ids, pairs[end]) for end in ("u", "v"))
        known = np.ones(len(ones), np.bool_)
        for place, end in ((ones, "u"), (others, "v")):
            known &= self.ids[np.minimum(place, len(self.ids) - 1)] == pairs[end]
        return np.where(known, ones * len(self.ids) + others, -1)


def edge_columns(volume: ExportedVolume, touching: Touching) -> Iterator[dict[str, NDArray[Any]]]:
    """The table of edges, in pieces."""
    nothing = np.empty(0, [("u", "<u8"), ("v", "<u8"), ("score", "<f4")])
    yield _columns(nothing, touching, volume.results.array)
    for edges in volume.results.edges() or ():
        yield _columns(edges, touching, volume.results.array)


class ContactsJob(Job):
    """What is between the fragments of each block; see `ContactsFunction`."""

    fragments: ImageInput

    def open(self, container: Path, worker: int) -> ContactsFunction:
        """Ready to be called."""
        return ContactsFunction(self)


class ContactsFunction:
    """Rows: the contacts of the ids of each block, also over its lower faces."""

    def __init__(self, job: ContactsJob) -> None:
        self.array = job.fragments.open()

    def read(self, block: Block) -> NDArray[np.uint64]:
        """Ids of the block and a voxel before it."""
        ids = self.array.read(block.read.intersect(self.array.roi))
        return ids.astype(np.uint64, copy=False)

    def compute(self, block: Block, source: NDArray[np.uint64]) -> Output:
        """Each face belongs to the block of its later voxel."""
        begin = block.read.intersect(self.array.roi).begin
        inside = (block.write - begin).to_slices()
        return Output(rows=contacts(source, inside=inside, begin=begin - self.array.roi.begin))


def contacts_of(volume: ExportedVolume, image: Image) -> Touching:
    """What is between the ids of an image, found block by block."""
    roi = image.array.roi
    shape = [min(n, _BLOCK[roi.dims]) for n in roi.shape]
    one, none = (1,) * roi.dims, (0,) * roi.dims
    grid = tile(roi, shape, step=one, context=(one, none))
    job = ContactsJob(fragments=image.as_input())
    step = volume.running.run(Step("contacts", volume.folder / "tables", grid, job, rows=CONTACT))
    return Touching(together(rows_of(step.folder, CONTACT)))


def _columns(edges: NDArray[Any], touching: Touching, array: Array) -> dict[str, NDArray[Any]]:
    """The table of some edges."""
    u, v = edges["u"], edges["v"]
    ends = {"u": np.minimum(u, v), "v": np.maximum(u, v)}
    rows = touching.of(ends)
    dims = array.roi.dims
    faces, sums = (numbers(rows, what)[:, -dims:] for what in ("faces", "sum"))
    size = np.array(array.voxel_size)
    count = faces.sum(axis=1)
    with np.errstate(invalid="ignore"):
        middle = sums / count[:, None] / 2 * size
    place = middle + np.array(lengths(array.roi.begin, array.voxel_size, array.remainder))
    columns = {**ends, "score": edges["score"], "faces": count}
    if not array.calibrated:
        return {**columns, **dict(zip("zyx"[-dims:], place.T, strict=True))}
    across = np.prod(size) / size
    contact = (
        {"contact_um2": faces @ across / 1e6} if dims == 3 else {"contact_um": faces @ across / 1e3}
    )
    places = dict(zip(("z_nm", "y_nm", "x_nm")[-dims:], place.T, strict=True))
    return {**columns, **contact, **places}


def networkx_graph(volume: ExportedVolume) -> networkx.Graph:
    """The region graph: nodes are fragments, with the columns of graph_fragments as attributes,
    edges have those of graph_edges.  Raises ValueError where networkx is not installed."""
    try:
        import networkx
    except ImportError as error:
        raise ValueError(
            "graphs are made by networkx, which is not installed: pip install networkx"
        ) from error
    graph = networkx.Graph()
    for (fragment,), attributes in _rows(fragment_columns(volume), 1):
        graph.add_node(fragment, **attributes)
    touching = contacts_of(volume, fragments_of(volume))
    for piece in edge_columns(volume, touching):
        for ends, attributes in _rows(piece, 2):
            graph.add_edge(*ends, **attributes)
    return graph


def _rows(
    columns: Mapping[str, NDArray[Any]], keys: int
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Of each row the values of the first columns, and the others by name, as Python's numbers."""
    names = list(columns)[keys:]
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        yield row[:keys], dict(zip(names, row[keys:], strict=True))
