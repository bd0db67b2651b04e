"""Which mistakes of a prediction change what is connected, voxel by voxel."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lsd.arrays.arguments import explaining_calls
from lsd.arrays.ids import ids, set_voxels
from lsd.losses.kernels.articulation import articulation_vertices
from lsd.losses.kernels.rows import DIFFERING, Runs, runs_of, voxels_of_runs

Criterion = Literal["joint", "individual"]


@explaining_calls
def critical(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    connectivity: int,
    criterion: Criterion = "joint",
    mask: ArrayLike | None = None,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Voxels whose mistakes split an object or lose it, and voxels whose mistakes join objects or
    make one up: (splits, merges), two bool masks of the shape of `truth`.

    truth:        labels (z, y, x) or (y, x), any integers >= 0; 0 is background
    prediction:   bool mask of the foreground, of the same shape
    connectivity: of all that is connected here: 6, 18 or 26 in 3D, 4 or 8 in 2D
    criterion:    "joint": all mistakes are removed from an object at once, and a connected group of
                  them is critical unless it touches exactly one connected part of what remains.
                  "individual": each group is removed by itself, and is critical if the object then
                  has more parts than before, or none.  A ring that is cut twice is split for
                  "joint" alone
    mask:         voxels that are known, not 0; None: all.  The others belong to neither side

    Splits are mistakes of the objects of the truth; merges are the same of the connected components
    of the prediction.  Two objects that touch without background between them are merged without a
    wrong voxel; `lsd.losses.supervoxel_edges.critical_edges` sees that, and this function does not.
    Raises ValueError for shapes that differ, labels that are no ids, a prediction that is no mask,
    and for a connectivity or criterion that does not exist.
    Source: Grim et al. 2025, arXiv 2501.01022.

    >>> import numpy
    >>> from lsd.losses.supervoxel import critical
    >>> splits, merges = critical([[5, 5, 5, 0, 6]], numpy.array([[1, 0, 1, 1, 1]]), connectivity=4)
    >>> splits.tolist(), merges.tolist()
    ([[False, True, False, False, False]], [[False, False, False, True, False]])
    """
    labels = ids(truth, "truth", dims=(2, 3))
    predicted = _mask(prediction, labels.shape)
    _check_rule(labels.ndim, connectivity, criterion)
    known = set_voxels(mask, labels.shape, of="the truth")
    if known is not None:
        labels, predicted = np.where(known, labels, 0), predicted & known
    splits = _critical(labels, ~predicted, connectivity, criterion)
    return splits, _critical(predicted.view(np.uint8), labels == 0, connectivity, criterion)


def _mask(prediction: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    array = np.asarray(prediction)
    if array.dtype.kind not in "biu":
        raise ValueError(
            f"prediction has dtype {array.dtype}; wanted: a mask, bool or integers of which 0 is "
            "background; compare it with a threshold, as in prediction > 0.5"
        )
    if array.shape != shape:
        raise ValueError(
            f"prediction has shape {array.shape}, truth {shape}; crop both to the same region"
        )
    return array.astype(np.bool_, copy=False)


def _check_rule(dims: int, connectivity: int, criterion: str) -> None:
    allowed = DIFFERING[dims]
    if connectivity not in allowed:
        raise ValueError(
            f"connectivity {connectivity} does not exist in {dims}D; allowed: "
            f"{', '.join(map(str, allowed))}"
        )
    if criterion not in get_args(Criterion):
        raise ValueError(
            f"criterion {criterion!r} is unknown; allowed: {', '.join(get_args(Criterion))}"
        )


def _critical(
    objects: NDArray[Any], mistaken: NDArray[np.bool_], connectivity: int, criterion: Criterion
) -> NDArray[np.bool_]:
    """Mistaken voxels of objects whose group is critical."""
    runs = runs_of(objects, mistaken, connectivity)
    groups = _joint(runs) if criterion == "joint" else _individual(runs)
    return voxels_of_runs(runs, runs.mistaken & groups[runs.roots], objects.shape)


def _individual(runs: Runs) -> NDArray[np.bool_]:
    """By the first run of each group: whether it is critical by itself."""
    touches = np.zeros(len(runs.roots), np.bool_)
    pairs = runs.roots[runs.contacts]
    touches[pairs[:, 0]] = True
    return ~touches | articulation_vertices(len(runs.roots), pairs)


def _joint(runs: Runs) -> NDArray[np.bool_]:
    """By the first run of each group: whether the number of parts that it touches is not one."""
    return np.asarray(_not_one(runs.roots, runs.contacts))


@numba.njit(cache=True, nogil=True)
def _not_one(roots, contacts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    touched, several = np.full(len(roots), -1, np.int32), np.zeros(len(roots), np.bool_)
    for i in range(len(contacts)):
        group, part = roots[contacts[i, 0]], roots[contacts[i, 1]]
        if touched[group] == -1:
            touched[group] = part
        elif touched[group] != part:
            several[group] = True
    return several | (touched == -1)
