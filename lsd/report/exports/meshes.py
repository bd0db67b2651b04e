"""Surfaces of segments, block by block, where a precomputed segmentation shows them.

mesh/info            of what kind they are
mesh/<id>:0:<block>  the part of a surface in a block: the number of vertices (uint32), vertices
                     (float32 x y z, nm), triangles (uint32, indices of three vertices)
mesh/<id>:0          which parts a surface has
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.blockwise.on_disk.grid import Block, tile
from lsd.blockwise.on_disk.job import Job
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.output import Output
from lsd.blockwise.on_disk.step import Step
from lsd.report.exports.exporter import ExportedVolume, Exporter, remove_other
from lsd.report.exports.precomputed import written_below
from lsd.report.images import ImageInput, level_of
from lsd.spec.exports import Meshes
from lsd.system.atomic import replacing, write_text
from lsd.volumes.levels import Factor
from lsd.volumes.precomputed import note_in_info
from lsd.volumes.volume import needs_nm

# rows: a segment that has a surface in the block
MESHED = np.dtype([("id", "<u8")])
# voxels whose surfaces are made at once, along each axis
_BLOCK = 128
_FOLDER = "mesh"


class MeshExport(Exporter[Meshes]):
    """A folder `mesh` in that of the precomputed segmentation, which is written, too."""

    def write(self, volume: ExportedVolume) -> list[Path]:
        """Surfaces of all segments."""
        image = volume.segmentation
        if image.array.roi.dims != 3:
            raise ValueError("surfaces are of volumes, and this one is a plane; leave meshes out")
        if not image.array.calibrated:
            raise ValueError(f"volume {volume.name!r}: {needs_nm('how exact surfaces are')}")
        check_installed()
        folder = written_below(volume)
        job = MeshJob(image=image.as_input(), factor=self.spec.factor, error=self.spec.error)
        step = _step(folder / _FOLDER, job, level_of(image.array, job.factor, "labels").roi)
        remove_other(step)
        volume.running.run(step)
        _write_manifests(step)
        note_in_info(folder, {"mesh": _FOLDER})
        return [step.container]


class MeshJob(Job):
    """Surfaces in each block; see `MeshFunction`.

    factor: voxels that are one before; error: nm that simplified surfaces may be off
    """

    image: ImageInput
    factor: Factor
    error: float

    def open(self, container: Path, worker: int) -> MeshFunction:
        """Ready to be called."""
        return MeshFunction(self, container)


class MeshFunction:
    """Writes the surfaces in each block; rows: whose there are."""

    def __init__(self, job: MeshJob, container: Path) -> None:
        self.level, self.error = level_of(job.image.open(), job.factor, "labels"), job.error
        self.container = container

    def read(self, block: Block) -> tuple[Roi, NDArray[np.uint64]]:
        """A voxel more than the block at its end, since surfaces lie between voxels; and one before
        the volume, where surfaces are closed."""
        corners = zip(block.write.begin, self.level.roi.begin, strict=True)
        before = Coordinate(int(begin == first) for begin, first in corners)
        roi = block.write.grow(before, Coordinate((1,) * before.dims))
        return roi, self.level.read(roi, beyond="zero").astype(np.uint64, copy=False)

    def compute(self, block: Block, source: tuple[Roi, NDArray[np.uint64]]) -> Output:
        """Each surface is a file, replaced whole."""
        roi, labels = source
        x_y_z = np.array(self.level.voxel_size[::-1])
        begin = np.array([int(n) for n in reversed(roi.begin)])
        surfaces = surfaces_of(labels, voxel_size=self.level.voxel_size, error=self.error)
        for segment, (vertices, triangles) in surfaces.items():
            parts = (
                np.array([len(vertices)], "<u4"),
                (vertices + begin * x_y_z).astype("<f4"),
                triangles.astype("<u4"),
            )
            with replacing(self.container / f"{segment}:0:{block.index}") as staged:
                staged.write_bytes(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        return Output(rows=np.array(sorted(surfaces), np.uint64).view(MESHED))


def surfaces_of(
    labels: NDArray[np.uint64], *, voxel_size: tuple[float, ...], error: float
) -> dict[int, tuple[NDArray[np.float64], NDArray[np.uint32]]]:
    """Vertices (n, 3) x y z, nm from the begin of the array, and triangles (m, 3) of each label's
    surface, open where the array ends.

    voxel_size: nm, z y x; error: nm that a surface may be off where it is simplified
    """
    import zmesh

    mesher = zmesh.Mesher(tuple(reversed(voxel_size)))
    # of x y z, x fastest
    mesher.mesh(labels.T)
    made = {}
    for label in mesher.ids():
        mesh = mesher.get(
            label, normals=False, reduction_factor=100, max_error=error, voxel_centered=True
        )
        mesher.erase(label)
        if len(mesh.faces):
            made[int(label)] = (np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces))
    return made


def check_installed() -> None:
    """ValueError where surfaces cannot be made here."""
    try:
        import zmesh  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "surfaces are made by zmesh, which is not installed: pip install zmesh, or "
            "lsd-framework[meshes]"
        ) from error


def _step(container: Path, job: MeshJob, roi: Roi) -> Step:
    none = (0,) * roi.dims
    shape = [min(n, _BLOCK) for n in roi.shape]
    grid = tile(roi, shape, step=(1,) * roi.dims, context=(none, none))
    return Step("meshes", container, grid, job, rows=MESHED)


def _write_manifests(step: Step) -> None:
    """Which blocks hold a part of each surface."""
    parts: dict[int, list[int]] = {}
    for records, rows in read_ledger(step.folder).rows(MESHED, alone=True):
        owners = np.repeat(records["index"], records["count"].astype(np.int64))
        for segment, block in zip(rows["id"].tolist(), owners.tolist(), strict=True):
            parts.setdefault(segment, []).append(block)
    for segment, blocks in parts.items():
        fragments: dict[str, Any] = {"fragments": [f"{segment}:0:{n}" for n in sorted(blocks)]}
        _keep(step.container / f"{segment}:0", json.dumps(fragments))
    _keep(step.container / "info", json.dumps({"@type": "neuroglancer_legacy_mesh"}))


def _keep(file: Path, text: str) -> None:
    if not file.exists() or file.read_text() != text:
        write_text(file, text, durable=False)
