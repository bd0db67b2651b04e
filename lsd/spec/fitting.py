"""What of a config has one value an axis, beside the axes of its network."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.spec.base import too_few
from lsd.spec.variants import Variant
from lsd.spec.volumes import Dataset, Volume


def of_variant(variant: Variant, dims: int) -> list[str]:
    """What heads cannot learn in `dims` axes, a line for each field.  In 2D, z is left out where it
    is given."""
    return [
        f"head {name!r}: {field}.{fault}"
        for name, head in variant.heads().items()
        for field, kind in (("target", head.target), ("loss", head.loss))
        for fault in kind.faults(dims)
    ]


def of_dataset(dataset: Dataset, dims: int) -> list[str]:
    """What volumes have too few axes for a network of `dims`, a line for each field."""
    size = dataset.voxel_size
    faults = (
        [] if size is None or len(size) >= dims else [f"dataset.voxel_size: {too_few(size, dims)}"]
    )
    for part in ("train", "validate", "test"):
        for name, volume in zip(dataset.names(part), getattr(dataset, part), strict=True):
            faults += [f"volume {name!r}: {fault}" for fault in _of_volume(volume, dims)]
    return faults


def _of_volume(volume: Volume, dims: int) -> Iterator[str]:
    for field in ("voxel_size", "offset", "scale"):
        values = getattr(volume, field)
        # of all arrays, or by their names
        for name, of_array in values.items() if isinstance(values, dict) else {"": values}.items():
            if of_array is not None and len(of_array) < dims:
                yield f"{field}{name and f'.{name}'}: {too_few(of_array, dims)}"
