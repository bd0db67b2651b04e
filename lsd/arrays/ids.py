"""Ids as every array function takes them: whole numbers, whatever the type, byte order and memory
order they come in."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

AXES = {2: "2D", 3: "3D"}


def ids(values: npt.ArrayLike, name: str, *, dims: tuple[int, ...] = ()) -> npt.NDArray[Any]:
    """`values` as an array of whole numbers >= 0 in this machine's byte order; False and True are 0
    and 1.  Never changed.

    name: what messages call them; dims: how many axes they may have, empty: any number
    Raises ValueError for fractions, negative numbers and another number of axes.
    """
    array = _as_written(values)
    if dims and array.ndim not in dims:
        allowed = " or ".join(AXES[n] for n in dims)
        raise ValueError(
            f"{name}: ids are {allowed} whole numbers, got {array.ndim}D {array.dtype} of shape "
            f"{array.shape}; "
            "give one array, without channels"
        )
    if array.dtype == np.bool_:
        return array.view(np.uint8)
    if array.size == 0 and array.dtype.kind == "f":
        # numpy's dtype of an empty list
        return array.astype(np.uint64)
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: ids must be whole numbers, and the dtype is {array.dtype}; allowed: integers "
            "and bool; use .astype(np.uint64) where all of them are whole"
        )
    if array.dtype.kind == "i" and array.size and array.min() < 0:
        raise ValueError(
            f"{name}: ids are 0 (background) or positive, got {array.min()}; set what is unknown "
            f"to 0 and mask it out"
        )
    return native(array)


def native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in this machine's byte order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _as_written(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """`values` as an array; a list of whole numbers of which some need uint64 is one of them."""
    array = np.asarray(values)
    if isinstance(values, np.ndarray) or array.dtype.kind != "f" or not array.size:
        return array
    # numpy takes a list of small and of large numbers for floats, in which large ids are one
    numbers = np.asarray(values, dtype=object)
    whole = all(isinstance(number, Integral) and int(number) >= 0 for number in numbers.flat)
    return numbers.astype(np.uint64) if whole else array


def set_voxels(
    mask: npt.ArrayLike | None, shape: tuple[int, ...], *, of: str = "labels"
) -> npt.NDArray[np.bool_] | None:
    """Where a mask is set, bool of `shape`; None of None.  Raises ValueError where it has another
    shape, or is no numbers."""
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.shape != shape:
        raise ValueError(
            f"mask has shape {array.shape}, {of} {shape}; they must agree: crop both to the same "
            f"region"
        )
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"mask has dtype {array.dtype}; allowed: bool, or numbers, of which 0 is outside"
        )
    return array.astype(np.bool_)
