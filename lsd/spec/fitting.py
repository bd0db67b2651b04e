"""What of a config has one value an axis, beside the axes of its network."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.spec.targets import Affinities, Descriptors, Target
from lsd.spec.variants import Variant
from lsd.spec.volumes import Dataset, Volume

# channels of descriptors
CHANNELS = {2: 6, 3: 10}


def of_variant(variant: Variant, dims: int) -> list[str]:
    """What heads cannot learn in `dims` axes, a line for each field.  In 2D, z is left out where it
    is given."""
    return [
        f"variant.stages.{index}.heads.{name}.target.{fault}"
        for index, stage in enumerate(variant.stages)
        for name, head in stage.heads.items()
        for fault in _of_target(head.target, dims)
    ]


def of_dataset(dataset: Dataset, dims: int) -> list[str]:
    """What volumes have too few axes for a network of `dims`, a line for each field."""
    size = dataset.voxel_size
    found = (
        [] if size is None or len(size) >= dims else [f"dataset.voxel_size: {_too_few(size, dims)}"]
    )
    for part in ("train", "validate", "test"):
        for index, volume in enumerate(getattr(dataset, part)):
            found += [f"dataset.{part}.{index}.{fault}" for fault in _of_volume(volume, dims)]
    return found


def _of_target(target: Target, dims: int) -> Iterator[str]:
    if isinstance(target, Affinities):
        short = [offset for offset in target.neighborhood if len(offset) < dims]
        if short:
            yield f"neighborhood: offset {_too_few(short[0], dims)}"
        elif not any(any(offset[-dims:]) for offset in target.neighborhood):
            yield (
                f"neighborhood: {target.neighborhood} has no offset within {dims} axes; add one in "
                f"y or x"
            )
    if isinstance(target, Descriptors):
        if isinstance(target.sigma, tuple) and len(target.sigma) < dims:
            yield f"sigma: {_too_few(target.sigma, dims)}, or one for all"
        digits = target.components or ""
        if len(set(digits)) < len(digits) or any(int(digit) >= CHANNELS[dims] for digit in digits):
            there = "".join(map(str, range(CHANNELS[dims])))
            yield (
                f"components: {digits!r} names channels of {dims}D by digits, each once; there "
                f"are: {there}"
            )


def _of_volume(volume: Volume, dims: int) -> Iterator[str]:
    for field in ("voxel_size", "offset"):
        values = getattr(volume, field)
        # of all arrays, or by their names
        for name, of_array in values.items() if isinstance(values, dict) else {"": values}.items():
            if of_array is not None and len(of_array) < dims:
                yield f"{field}{name and f'.{name}'}: {_too_few(of_array, dims)}"


def _too_few(values: tuple[float, ...], dims: int) -> str:
    return (
        f"{values} is of {len(values)} axes, the network of {dims}; give {' '.join('zyx'[-dims:])}"
    )
