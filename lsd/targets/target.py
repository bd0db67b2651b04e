"""Any target: how many channels it has, the context it needs, and its computation from labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

import cc3d
import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.offsets import for_dims, reach
from lsd.targets import windows
from lsd.targets.affinities import affinities
from lsd.targets.boundary import boundary
from lsd.targets.descriptors import coarse, count, descriptors, scale

Array = npt.NDArray[Any]
Known = npt.NDArray[np.bool_]


def channels(target: spec.Target, dims: int) -> int:
    """Channels of the target in 2D or 3D."""
    match target:
        case spec.Affinities():
            return len(for_dims(target.neighborhood, dims))
        case spec.Descriptors():
            return count(dims, target.components)
        case spec.Boundary() | spec.Mask():
            return 1
        case _:
            assert_never(target)


def context(target: spec.Target, voxel_size: Sequence[float]) -> Coordinate:
    """Voxels of labels that the target of a region depends on, beyond the region on each side;
    voxel_size in nm.

    With downsampled descriptors it is a multiple of the factor, so that a region aligned to it
    stays so.
    """
    dims = len(voxel_size)
    match target:
        case spec.Affinities():
            return Coordinate(reach(for_dims(target.neighborhood, dims)))
        case spec.Descriptors():
            return _window(target, voxel_size)
        case spec.Boundary():
            return Coordinate((target.width,) * dims)
        case spec.Mask():
            return Coordinate((0,) * dims)
        case _:
            assert_never(target)


def compute(
    target: spec.Target,
    labels: Array,
    *,
    known: Array | None = None,
    arrays: Mapping[str, Array] | None = None,
    voxel_size: Sequence[float],
    device: str | None = None,
    threads: int | None = None,
) -> tuple[npt.NDArray[np.float32], Known]:
    """The target of `labels` (z, y, x) and where it is known: (c, z, y, x) float32 and bool.

    known:   voxels whose label is known, not 0; None: all.  Label 0 inside is background
    arrays:  other voxel-wise truth by name, of the shape of labels, for Mask targets
    device, threads: where descriptors are computed, see there

    Near the border the target lacks context; crop `context` voxels where it matters.
    Raises ValueError if shapes differ, or if an array is missing.
    """
    _check_shapes(labels, {"known": known} if known is not None else {}, arrays or {})
    inside = np.ones(labels.shape, np.bool_) if known is None else known.astype(np.bool_)
    match target:
        case spec.Affinities():
            return affinities(labels, for_dims(target.neighborhood, labels.ndim), mask=known)
        case spec.Descriptors():
            values = _descriptors(target, labels, voxel_size, device, threads)
            trained = inside & (labels != 0) if target.background == "ignore" else inside
            return values, np.broadcast_to(trained, values.shape)
        case spec.Boundary():
            return boundary(labels, width=target.width, mask=known)
        case spec.Mask():
            return (_array(target.array, arrays or {}) != 0)[np.newaxis].astype(np.float32), inside[
                np.newaxis
            ]
        case _:
            assert_never(target)


def remarks(target: spec.Target, output: Sequence[int], voxel_size: Sequence[float]) -> list[str]:
    """What is strange, but not wrong, about learning it from outputs of that shape (voxels);
    voxel_size in nm, as many axes."""
    if not isinstance(target, spec.Descriptors):
        return []
    dims = len(output)
    at = scale(
        dims, voxel_size, _sigma(target, dims), downsample=target.downsample, mode=target.mode
    )
    return list(dict.fromkeys(coarse((1,) * (3 - dims) + tuple(output), at, what="output")))


def _descriptors(
    target: spec.Descriptors,
    labels: Array,
    voxel_size: Sequence[float],
    device: str | None,
    threads: int | None,
) -> npt.NDArray[np.float32]:
    pieces = (
        cc3d.connected_components(labels, connectivity=26 if labels.ndim == 3 else 8)
        if target.connected
        else labels
    )
    return descriptors(
        pieces,
        voxel_size=voxel_size,
        sigma=_sigma(target, labels.ndim),
        downsample=target.downsample,
        components=target.components,
        mode=target.mode,
        device=device,
        threads=threads,
    )


def _sigma(target: spec.Descriptors, dims: int) -> tuple[float, ...]:
    """One value an axis; in 2D a sigma for z y x loses its z."""
    return (
        (target.sigma,) * dims if isinstance(target.sigma, (int, float)) else target.sigma[-dims:]
    )


def _window(target: spec.Descriptors, voxel_size: Sequence[float]) -> Coordinate:
    factor = target.downsample
    cells = [
        windows.radius(sigma / (size * factor), target.mode)
        for sigma, size in zip(_sigma(target, len(voxel_size)), voxel_size, strict=True)
    ]
    # a voxel has the statistics of its cell, which begins up to factor - 1 before it
    return Coordinate(factor * cell + (factor if factor > 1 else 0) for cell in cells)


def _array(name: str, arrays: Mapping[str, Array]) -> Array:
    if name not in arrays:
        raise ValueError(
            f"a target learns from the array {name!r}; this volume has: "
            f"{', '.join(arrays) or 'none'} (see Volume.arrays)"
        )
    return arrays[name]


def _check_shapes(labels: Array, *others: Mapping[str, Array]) -> None:
    for name, array in ((name, array) for group in others for name, array in group.items()):
        if array.shape != labels.shape:
            raise ValueError(
                f"{name} has shape {array.shape}, labels {labels.shape}; crop both to the same "
                f"region"
            )
