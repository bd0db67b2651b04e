"""Skeletons made from labels, where nobody traced them; with kimimaro, an extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from lsd.arrays.ids import ids
from lsd.arrays.skeletons import Skeletons

# of TEASAR, as kimimaro suggests them for neurons in electron microscopy
_SCALE, _CONSTANT_NM = 1.5, 300.0


def skeletons_of(
    labels: ArrayLike,
    *,
    voxel_size: Sequence[float],
    offset: Sequence[float] = (0.0, 0.0, 0.0),
    scale: float = _SCALE,
    constant: float = _CONSTANT_NM,
    min_size: int = 1000,
    threads: int = 1,
) -> Skeletons:
    """Skeletons of `labels` (z, y, x), each with the id of its label; nodes lie in the middle of
    voxels of it, a voxel apart.

    voxel_size, offset: nm, z y x; offset: where the array begins
    scale, constant: what a path covers is within scale * (distance to the boundary) + constant nm
    min_size: voxels that a label must have
    Raises ValueError where kimimaro is not installed.  Source: Sato et al. 2000 (TEASAR).
    """
    check_installed()
    import kimimaro  # an extra, and slow to load

    array = ids(labels, "labels", dims=(3,))
    made = kimimaro.skeletonize(
        array,
        teasar_params={"scale": scale, "const": constant},
        anisotropy=tuple(map(float, voxel_size)),
        dust_threshold=min_size,
        parallel=threads,
        progress=False,
    )
    # kimimaro gives the corner of each voxel
    middle = np.asarray(offset) + np.asarray(voxel_size, np.float64) / 2
    return _as_one({int(label): skeleton for label, skeleton in made.items()}, middle)


def check_installed() -> None:
    """Raises ValueError where there is nothing that makes skeletons."""
    if importlib.util.find_spec("kimimaro") is None:
        raise ValueError(
            "skeletons are made from labels by kimimaro, which is not installed: pip install "
            "kimimaro, or lsd-framework[skeletons]"
        )


def _as_one(made: dict[int, Any], shift: Any) -> Skeletons:
    """Skeletons by label, vertices z y x and pairs of their indices, as one value."""
    ordered = sorted(made.items())
    counts = [len(skeleton.vertices) for _, skeleton in ordered]
    first = np.cumsum([1, *counts])
    positions = [np.asarray(skeleton.vertices, np.float64) + shift for _, skeleton in ordered]
    edges = [
        np.asarray(skeleton.edges, np.int64).reshape(-1, 2) + begin
        for (_, skeleton), begin in zip(ordered, first, strict=False)
    ]
    labels = np.array([label for label, _ in ordered], np.uint64)
    return Skeletons(
        np.arange(1, first[-1]),
        np.repeat(labels, counts),
        np.concatenate([np.zeros((0, 3)), *positions]),
        np.concatenate([np.zeros((0, 2), np.int64), *edges]),
    )
