"""Raw as everything after it sees it, float32 in 0..1, and as networks see it, in -1..1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.spec.volumes import RawRange


def check_range(dtype: np.dtype[Any], raw_range: RawRange | None) -> None:
    """ValueError if raw of this dtype cannot be scaled to 0..1 by `raw_range`."""
    if raw_range is None and dtype != np.uint8:
        usual = (
            (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) if dtype.kind in "iu" else (0, 1)
        )
        raise ValueError(
            f"raw is {dtype}; only uint8 is known to mean 0..255: give the values that stand for "
            f"black and white, "
            f"as in raw_range={usual}, or the two swapped if membranes are bright"
        )
    if raw_range is not None and raw_range[0] == raw_range[1]:
        raise ValueError(
            f"raw_range {raw_range} is a single value; give the values that stand for black and "
            f"white"
        )


def to_unit(raw: NDArray[Any], raw_range: RawRange | None) -> NDArray[np.float32]:
    """Raw scaled so that `raw_range` (default 0..255) becomes 0..1, float32; values outside it are
    clipped.

    A range from a high to a low value inverts the contrast.
    """
    if raw_range is None:
        unit: NDArray[np.float32] = np.divide(raw, np.float32(255), dtype=np.float32)
        return unit
    low, high = raw_range
    # float32 holds 16-bit integers exactly, not 32-bit ones
    wide: type[np.floating[Any]] = (
        np.float32 if raw.dtype.itemsize <= 2 or raw.dtype == np.float32 else np.float64
    )
    scaled: NDArray[Any] = (raw.astype(wide) - wide(low)) / wide(high - low)
    return np.clip(scaled, 0, 1, out=scaled).astype(np.float32, copy=False)


def signed(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raw in 0..1 as networks are given it, in -1..1; the array itself is changed."""
    unit *= 2
    unit -= 1
    return unit


def first_not_finite(raw: NDArray[Any]) -> tuple[int, ...] | None:
    """Index of the first NaN or inf, None where all is finite."""
    if raw.dtype.kind != "f" or np.isfinite(raw).all():
        return None
    return tuple(int(i) for i in np.argwhere(~np.isfinite(raw))[0])


def masked(raw: NDArray[Any], low: float) -> NDArray[Any]:
    """`raw` with NaN and inf replaced by `low`."""
    return np.where(np.isfinite(raw), raw, raw.dtype.type(low)) if raw.dtype.kind == "f" else raw
