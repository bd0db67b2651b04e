"""The skeletons of a volume of the config: of files, known to who made the volume, or made of its
labels."""

from __future__ import annotations

import glob
import hashlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.skeletons import Skeletons
from lsd.spec import Volume
from lsd.spec.kinds import behaviour
from lsd.spec.skeletons import (
    GeneratedSkeletons,
    SkeletonFiles,
    SkeletonsOfLabels,
    SkeletonSource,
)
from lsd.spec.user_paths import with_variables
from lsd.volumes.array import Array
from lsd.volumes.consistency import value_for
from lsd.volumes.generated import path as synthetic_path
from lsd.volumes.reference import locate, way_out
from lsd.volumes.skeletons.files import check_file, read_skeletons, write_skeletons
from lsd.volumes.skeletons.from_labels import check_installed, skeletons_of
from lsd.volumes.state import address, content
from lsd.volumes.units import lengths

log = logging.getLogger(__name__)

# of what is made of labels: raised when the same labels give other skeletons than before
VERSION = 2


class Opened(Protocol):
    """What is asked of a `lsd.volumes.volume.OpenVolume`, which knows this module."""

    @property
    def name(self) -> str:
        """Of the volume."""

    @property
    def spec(self) -> Volume:
        """What the config says."""

    @property
    def raw(self) -> Array:
        """Its image."""

    @property
    def labels(self) -> Array | None:
        """Its truth."""

    @property
    def labels_mask(self) -> Array | None:
        """Where that is known."""

    @property
    def roi(self) -> Roi:
        """The part that may be used, voxels."""

    @property
    def voxel_size(self) -> tuple[float, ...]:
        """Of what is read, nm, z y x."""

    def read_truth(self, roi: Roi) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Labels, and where they are known."""


class Source(ABC):
    """Where skeletons come from.  Made from its spec.

    Messages are about a volume, whose name whoever calls adds.
    """

    @abstractmethod
    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Refuses, without reading much, what could not be opened."""

    @abstractmethod
    def open(self, volume: Opened, *, data_root: Path) -> Skeletons:
        """The skeletons, in nm of the world."""


class FilesSource(Source):
    """Files, sorted by name."""

    def __init__(self, spec: SkeletonFiles) -> None:
        self.spec = spec

    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Whether the files are there, of a known format, and say or are given their unit."""
        unit, trust = self.spec.unit, self.spec.trust
        for file in self._files(data_root):
            check_file(file, unit=unit, voxel_size=voxel_size, trust=trust)

    def open(self, volume: Opened, *, data_root: Path) -> Skeletons:
        """All files as one value."""
        # voxels are those of the files, however many are read as one
        scale = volume.spec.scale or (1,) * len(volume.voxel_size)
        size = [nm / n for nm, n in zip(volume.voxel_size, scale, strict=True)]
        files, unit, trust = self._files(data_root), self.spec.unit, self.spec.trust
        read = read_skeletons(*files, unit=unit, voxel_size=size, trust=trust)
        if self.spec.offset is None:
            return read
        return replace(read, positions=read.positions + np.asarray(self.spec.offset))

    def _files(self, root: Path) -> list[Path]:
        file = locate(self.spec.path, root=root)
        if file.exists():
            return [file]
        pattern = with_variables(self.spec.path)
        files = [root / name for name in sorted(glob.glob(pattern, root_dir=root, recursive=True))]
        if not files:
            raise ValueError(f"skeletons: no file is or matches {file}{way_out(file, root=root)}")
        return files


class GeneratedSource(Source):
    """The center lines that a synthetic volume was grown along, kept beside it."""

    def __init__(self, spec: GeneratedSkeletons) -> None:
        self.spec = spec

    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Whether the volume is synthetic."""
        if volume.synthetic is None:
            raise ValueError(
                "skeletons='generated' are those of a synthetic volume, and this one is read from "
                "disk; name files, skeletons='neurons.nml'"
            )

    def open(self, volume: Opened, *, data_root: Path) -> Skeletons:
        """Made where they are not there yet."""
        synthetic = volume.spec.synthetic
        assert synthetic is not None, "checked when the volume was opened"
        file = synthetic_path(synthetic, data_root).with_suffix(".skeletons.npz")
        if not file.exists():
            from lsd.synthetic import skeletons  # loads numba, which takes a second

            _write(skeletons(synthetic), file)
        made = read_skeletons(file)
        # they begin with the volume, which the config may have put elsewhere
        offset = value_for(volume.spec.offset, "raw")
        return (
            made if offset is None else replace(made, positions=made.positions + np.asarray(offset))
        )


class LabelsSource(Source):
    """Made of the labels of the volume, once, and kept in the data root."""

    def __init__(self, spec: SkeletonsOfLabels) -> None:
        self.spec = spec

    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Whether the volume has labels, and there is what makes skeletons."""
        if volume.labels is None:
            raise ValueError(
                "skeletons='labels' are made of the labels of the volume, and it has none; name "
                "labels, or files of skeletons"
            )
        check_installed()

    def open(self, volume: Opened, *, data_root: Path) -> Skeletons:
        """Made where they are not there yet for these labels."""
        file = data_root / f"skeletons_{volume.name}_{self._digest(volume)}.npz"
        if not file.exists():
            log.info("volume %r: making skeletons of its labels, kept as %s", volume.name, file)
            _write(self._made(volume), file)
        return read_skeletons(file)

    def _made(self, volume: Opened) -> Skeletons:
        labels, known = volume.read_truth(volume.roi)
        return skeletons_of(
            np.where(known, labels, np.uint64(0)),
            voxel_size=volume.voxel_size,
            offset=lengths(volume.roi.begin, volume.voxel_size, volume.raw.remainder),
            scale=self.spec.scale,
            constant=self.spec.constant,
            min_size=self.spec.min_size,
        )

    def _digest(self, volume: Opened) -> str:
        """Of all that they are made of."""
        roi, spec = volume.roi, volume.spec
        arrays = [array for array in (volume.labels, volume.labels_mask) if array is not None]
        # raw says where labels are known: by what of it is finite, and by where its images end
        masks = spec.invalid == "mask" and volume.raw.dtype.kind == "f"
        if masks or volume.raw.image_sizes is not None:
            arrays.append(volume.raw)
        states = [_state(array, volume) for array in arrays]
        remainder = tuple(map(str, volume.raw.remainder))
        box = [tuple(roi.begin), tuple(roi.shape), volume.voxel_size, remainder]
        said = [spec.unknown, masks, spec.names_by_image]
        words = [self.spec.model_dump_json(), str(said), str(box), *states]
        return hashlib.sha256("\n".join([str(VERSION), *words]).encode()).hexdigest()[:12]


def _state(array: Array, volume: Opened) -> str:
    """What tells an array from another.  A revision says nothing of arrays in other places, and
    neither of them in which order its axes are read."""
    layout = array.layout
    lies = f"{tuple(layout.offset)} {layout.disk} {layout.extent}"
    if volume.spec.revision is None:
        inside = layout.slices(array.roi.intersect(volume.roi))
        return f"{lies} {content(array.source, inside)}"
    place = address(array.source.path.resolve(), array.source.name)
    return f"{lies} {place} {volume.spec.revision}"


def _write(made: Skeletons, file: Path) -> None:
    try:
        write_skeletons(made, file)
    except OSError as error:
        raise ValueError(
            f"skeletons that are made are kept in the data root, and {file} cannot be written: "
            f"{error.strerror or error}; set data_root (or $LSD_DATA) to a folder that can be"
        ) from error


def open_skeletons(volume: Opened, *, data_root: Path) -> Skeletons:
    """The skeletons that the spec of a volume names.  Raises ValueError, beginning with the name of
    the volume, where they cannot be read."""
    assert volume.spec.skeletons is not None, "the volume names some"
    try:
        return source_of(volume.spec.skeletons).open(volume, data_root=data_root)
    except ValueError as error:
        raise ValueError(f"volume {volume.name!r}: {error}") from error


def source_of(spec: SkeletonSource) -> Source:
    """What a source of skeletons does."""
    source: Source = behaviour(spec)
    return source
