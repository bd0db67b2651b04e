"""The volumes that batches are made from, opened and looked at before the first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from funlib.geometry import Coordinate, Roi

from lsd.batches.heads import extras
from lsd.batches.sources.chunk_memory import budget, warn_of_large
from lsd.batches.sources.location import Location, Places, truth
from lsd.spec import Dataset, Head
from lsd.system.memory import available
from lsd.volumes.further import read_further
from lsd.volumes.images.checks import check_use
from lsd.volumes.raw_checks import check_raw
from lsd.volumes.units import agree
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)


def open_training(
    dataset: Dataset, *, data_root: Path, heads: Mapping[str, Head], dims: int
) -> list[OpenVolume]:
    """The training volumes, each with all that these heads learn from.

    data_root: folder that relative paths start from; dims: axes of the network
    """
    volumes = [
        open_volume(volume, name=name, data_root=data_root)
        for name, volume in dataset.part("train").items()
    ]
    if not volumes:
        raise ValueError("dataset.train is empty; name at least one volume with labels to train on")
    for volume in volumes:
        if volume.roi.dims != 3:
            raise ValueError(
                f"training volume {volume.name!r} has {volume.roi.dims} axes, wanted: z, y and x; "
                f"store a plane as one "
                "section, (1, y, x)"
            )
        check_use(volume, heads, dims=dims)
        truth(volume)
        check_extras(volume, heads)
        if volume.calibrated != volumes[0].calibrated:
            has, lacks = sorted((volume, volumes[0]), key=lambda volume: not volume.calibrated)
            raise ValueError(
                f"training volume {has.name!r} has a voxel size and {lacks.name!r} has none; a "
                f"network learns one: give both one, or neither"
            )
        if not agree(volume.voxel_size, volumes[0].voxel_size):
            raise ValueError(
                f"training volumes {volumes[0].name!r} and {volume.name!r} have voxel sizes "
                f"{volumes[0].voxel_size} and "
                f"{volume.voxel_size} nm; a network learns one: train on volumes of one voxel size"
            )
    return volumes


def check_extras(volume: OpenVolume, heads: Mapping[str, Head]) -> None:
    """Raises ValueError where a volume lacks an array, other than labels, that a head learns from,
    or it cannot be read, or has several channels."""
    for name in extras(heads):
        read_further(volume, name, Roi(volume.roi.begin, (1,) * volume.roi.dims))


def chunk_memory(volumes: Sequence[OpenVolume], processes: int) -> int:
    """Bytes of chunks that each of so many processes keeps; says so where large chunks need more
    than there is."""
    size = budget(volumes, processes=processes, free=available())
    warn_of_large(volumes, size)
    return size


def find_places(
    volumes: Sequence[OpenVolume], locations: Sequence[Location]
) -> dict[str, Places | None]:
    """Where samples may lie, by volume.  Raises ValueError for raw or truth that nothing can be
    learnt from."""
    for volume in volumes:
        check_raw(volume)
    return {location.volume.name: location.find_places() for location in locations}


def check_size(
    volumes: Sequence[OpenVolume], wanted: Coordinate, small: Literal["pad", "refuse"]
) -> None:
    """Says which volumes have less raw than a sample; raises ValueError for the first of them where
    they are refused."""
    for volume in volumes:
        smallest = volume.least_shape
        if any(has < needs for has, needs in zip(smallest, wanted, strict=True)):
            covered, needed = ("x".join(map(str, shape)) for shape in (smallest, wanted))
            raw = "raw" if volume.image_sizes is None else "images"
            problem = (
                f"training volume {volume.name!r} has {raw} of {covered} voxels, a sample takes "
                f"{needed}"
            )
            if small == "refuse":
                raise ValueError(
                    f"{problem}; take a smaller network.train_shape, or continue raw by "
                    f"reflection, train.small=pad"
                )
            log.warning(
                "%s: what lies beyond is its reflection; a smaller network.train_shape needs less "
                "of it",
                problem,
            )
