"""What a volume's segmentation consists of: its steps, one made from another.

    fragments -> contacts -> edges -> segmentation     where regions grow over the whole volume
    fragments -> edges -> segmentation                 where they grow in blocks
    mutex                                              with the mutex decoder

A step names the one that it is made from by the digest of all that this one depends on, so they are
asked for in this order, each when the one before is whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from funlib.geometry import Roi

from lsd.arrays.offsets import reach
from lsd.blockwise.on_disk.grid import Grid, tile
from lsd.blockwise.on_disk.step import Step, digest
from lsd.segmentation.blocks import (
    EDGE,
    FRAGMENTS,
    MUTEX,
    SIZE,
    UNCUT,
    EdgesJob,
    FragmentsJob,
    MutexJob,
    SegmentsJob,
    blocks,
    edge_context,
    voxels,
)
from lsd.segmentation.whole import CONTACT, ContactsJob, WholeJob
from lsd.spec import Segment
from lsd.volumes.inputs import ArrayInput, OwnArray, VolumeInput


@dataclass(frozen=True)
class Segmented:
    """What the steps of a volume are made from.

    roi: of the affinities; neighborhood: an offset for each of their channels; mask: where there
         may be segments
    """

    settings: Segment
    roi: Roi
    affinities: ArrayInput
    neighborhood: Sequence[Sequence[int]]
    mask: VolumeInput | None

    @property
    def grid(self) -> Grid:
        """Its blocks."""
        return blocks(self.roi, self.settings)

    def first(self, container: Path) -> Step:
        """The step that all others are made from."""
        return (
            self.mutex(container) if self.settings.decoder == "mutex" else self.fragments(container)
        )

    def mutex(self, container: Path) -> Step:
        """Segments, of one block that is the whole volume."""
        job = MutexJob(**self._read(), settings=self.settings.mutex, mask=self.mask)
        return Step("mutex", container, self._one(), job, arrays=(MUTEX,))

    def fragments(self, container: Path) -> Step:
        """Fragments, and where faces cut them."""
        settings = self.settings.fragments
        job = FragmentsJob(
            **self._read(), settings=settings, mask=self.mask, apart=voxels(self.grid)
        )
        return Step("fragments", container, self.grid, job, (FRAGMENTS, UNCUT), SIZE)

    def edges(self, container: Path) -> Step:
        """Edges and scores, by each block for itself; fragments are whole."""
        job = EdgesJob(
            **self._read(),
            fragments=self._own(container, FRAGMENTS),
            made_from=digest(self.fragments(container).depends_on()),
            scores=self.settings.scores,
            apart=voxels(self.grid),
        )
        return Step(
            "edges",
            container,
            self._around(edge_context(self.settings, self.roi.dims)),
            job,
            rows=EDGE,
        )

    def contacts(self, container: Path) -> Step:
        """What blocks say of their fragments; fragments are whole."""
        every = self.settings.scoring == "mean_all"
        far = reach(self.neighborhood) if every else (1,) * self.roi.dims
        job = ContactsJob(
            **self._read(),
            fragments=self._own(container, FRAGMENTS),
            uncut=self._own(container, UNCUT),
            made_from=digest(self.fragments(container).depends_on()),
            scoring=cast(Literal["mean", "mean_all"], self.settings.scoring),
        )
        return Step(
            "contacts",
            container,
            self._around((0,) * (self.roi.dims - len(far)) + far),
            job,
            rows=CONTACT,
        )

    def whole_edges(self, container: Path, contacts: Step) -> Step:
        """Edges and scores of the whole volume, in one block; contacts are whole."""
        job = WholeJob(
            made_from=digest(contacts.depends_on()),
            fragments=digest(self.fragments(container).depends_on()),
            scores=self.settings.scores,
            apart=voxels(self.grid),
        )
        return Step("edges", container, self._one(), job, rows=EDGE)

    def segments(
        self, container: Path, edges: Step, arrays: Mapping[str, str], *, name: str = "segmentation"
    ) -> Step:
        """Segmentations; arrays: their names, and those of the tables that they are looked up
        in."""
        job = SegmentsJob(
            fragments=self._own(container, FRAGMENTS),
            made_from=digest(edges.depends_on()),
            arrays=dict(arrays),
            apart=voxels(self.grid),
        )
        return Step(name, container, self.grid, job, arrays=tuple(arrays))

    def _read(self) -> dict[str, Any]:
        return {"affinities": self.affinities, "neighborhood": self.neighborhood}

    def _own(self, container: Path, name: str) -> OwnArray:
        return OwnArray.of(container, name, revision=self.settings.revision)

    def _one(self) -> Grid:
        none = (0,) * self.roi.dims
        return tile(self.roi, self.roi.shape, step=(1,) * self.roi.dims, context=(none, none))

    def _around(self, context: tuple[int, ...]) -> Grid:
        return tile(
            self.roi, self.grid.compute_shape, step=(1,) * self.roi.dims, context=(context, context)
        )
