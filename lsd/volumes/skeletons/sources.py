"""The skeletons of a volume of the config: of files, or known to who made the volume."""

from __future__ import annotations

import glob
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lsd.arrays.skeletons import Skeletons
from lsd.spec import Volume
from lsd.spec.kinds import behaviour
from lsd.spec.skeletons import GeneratedSkeletons, SkeletonFiles, SkeletonSource
from lsd.spec.user_paths import with_variables
from lsd.volumes.generated import path as synthetic_path
from lsd.volumes.reference import locate, way_out
from lsd.volumes.skeletons.files import check_file, read_skeletons, write_skeletons


class Source(ABC):
    """Where skeletons come from.  Made from its spec.

    Messages are about a volume, whose name whoever calls adds.
    """

    @abstractmethod
    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Refuses, without reading much, what could not be opened."""

    @abstractmethod
    def open(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> Skeletons:
        """The skeletons, in nm of the world.  voxel_size: of the volume, nm, z y x."""


class FilesSource(Source):
    """Files, sorted by name."""

    def __init__(self, spec: SkeletonFiles) -> None:
        self.spec = spec

    def check(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> None:
        """Whether the files are there, of a known format, and say or are given their unit."""
        unit, trust = self.spec.unit, self.spec.trust
        for file in self._files(data_root):
            check_file(file, unit=unit, voxel_size=voxel_size, trust=trust)

    def open(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> Skeletons:
        """All files as one value."""
        read = read_skeletons(
            *self._files(data_root),
            unit=self.spec.unit,
            voxel_size=voxel_size,
            trust=self.spec.trust,
        )
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

    def open(self, volume: Volume, *, voxel_size: Sequence[float], data_root: Path) -> Skeletons:
        """Made where they are not there yet."""
        assert volume.synthetic is not None, "checked when the volume was opened"
        file = synthetic_path(volume.synthetic, data_root).with_suffix(".skeletons.npz")
        if not file.exists():
            from lsd.synthetic import skeletons  # loads numba, which takes a second

            write_skeletons(skeletons(volume.synthetic), file)
        return read_skeletons(file)


def source_of(spec: SkeletonSource) -> Source:
    """What a source of skeletons does."""
    source: Source = behaviour(spec)
    return source
