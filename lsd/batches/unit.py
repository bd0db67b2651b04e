"""Raw as augmentation expects it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.batches.keys import RawFilter


def unit(raw: NDArray[Any]) -> NDArray[np.float32]:
    """`raw` as float32 in [0, 1], contiguous: uint8 counts 0..255, anything else is there
    already."""
    if raw.dtype == np.uint8:
        return np.asarray(np.divide(raw, np.float32(255), dtype=np.float32))
    return np.ascontiguousarray(raw, dtype=np.float32)


def unit_node() -> RawFilter:
    """A node that scales raw that is still uint8; nothing is drawn."""
    return RawFilter(lambda raw, rng: unit(raw))
