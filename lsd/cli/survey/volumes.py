"""The volumes that a command works on: how large they are, and what of them is labelled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from funlib.geometry import Roi

from lsd.cli.survey.words import amount, times
from lsd.spec import Config, Region, Volume
from lsd.spec.paths import data_root
from lsd.spec.plurals import counted
from lsd.volumes import generated
from lsd.volumes.array import text
from lsd.volumes.region import within
from lsd.volumes.scale import whole_within
from lsd.volumes.volume import OpenVolume, open_volume


@dataclass(frozen=True)
class Surveyed:
    """A volume.  opened: None for a synthetic one that is not made yet; roi: the part that may be
    used, voxels; voxel_size: nm"""

    spec: Volume
    opened: OpenVolume | None
    roi: Roi
    voxel_size: tuple[float, ...]

    @property
    def calibrated_size(self) -> tuple[float, ...] | None:
        """Voxel size; None where nobody knows it."""
        known = self.opened is None or self.opened.calibrated
        return self.voxel_size if known else None

    def part(self, region: Region) -> Roi:
        """The voxels of raw that lie in a region of the config.  ValueError if it reaches
        beyond."""
        if self.opened is not None:
            return self.opened.part(region, self.opened.raw.roi)
        return _to_be_made(self.spec, region)

    def __str__(self) -> str:
        where = f"{text(self.roi)}, voxels of {times(self.voxel_size)} nm"
        if self.opened is None:
            return f"{where}, synthetic, all of it labelled; it would be made first"
        raw, sizes = self.opened.raw, self.opened.image_sizes
        if not self.opened.calibrated:
            where = f"{text(self.roi)}, no voxel size"
        if sizes is not None:
            where = f"{where}, {counted(len(sizes), 'image')}"
        if self.spec.scale is not None:
            where = f"{where}, read at scale {times(self.spec.scale)} from {raw.name}"
        held = amount(math.prod(raw.roi.shape) * raw.dtype.itemsize)
        return f"{where}, raw {raw.dtype} of {times(raw.shape)} ({held}), {_labelled(self.opened)}"


def surveyed(config: Config, names: tuple[str, ...]) -> dict[str, Surveyed]:
    """The volumes that `names` mean.  Raises ValueError for one that is missing or does not fit, as
    the command would."""
    return {name: _look(config, name, spec) for name, spec in config.dataset.named(names).items()}


def listed(volumes: Mapping[str, Surveyed], *, title: str = "volumes") -> Iterator[str]:
    """A line for each."""
    yield f"{title}:{'' if volumes else ' none'}"
    for name, volume in volumes.items():
        yield f"  {name}: {volume}"


def _look(config: Config, name: str, spec: Volume) -> Surveyed:
    root, made = data_root(config), spec.synthetic
    if made is not None and not generated.path(made, root).exists():
        roi, scale = _to_be_made(spec, ()), spec.scale or (1,) * len(made.shape)
        size = tuple(nm * f for nm, f in zip(made.voxel_size, scale, strict=True))
        return Surveyed(spec, None, roi, size)
    opened = open_volume(spec, name=name, data_root=root)
    return Surveyed(spec, opened, opened.roi, opened.voxel_size)


def _to_be_made(spec: Volume, region: Region) -> Roi:
    """What of a synthetic volume that is not made yet will lie in a region."""
    assert spec.synthetic is not None, "what is not opened is not made yet"
    shape = spec.synthetic.shape
    file_roi = Roi((0,) * len(shape), shape)
    return whole_within(within(region, file_roi), file_roi, spec.scale)


def _labelled(volume: OpenVolume) -> str:
    if volume.labels is None:
        return "no labels"
    rules = [
        *(["where labels_mask is set"] if volume.labels_mask is not None else []),
        *([f"but for label {volume.spec.unknown}"] if volume.spec.unknown is not None else []),
        *(["where raw is finite"] if volume.spec.invalid == "mask" else []),
    ]
    part = "all of it" if volume.labels.roi == volume.raw.roi else text(volume.labels.roi)
    arrays = f"; further arrays: {', '.join(volume.arrays)}" if volume.arrays else ""
    return f"labelled: {part}{''.join(f', {rule}' for rule in rules)}{arrays}"
