"""Raw as augmentation expects it."""

from __future__ import annotations

from typing import Any

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd.training.nodes.keys import RAW, Filter, array


def unit(raw: NDArray[Any]) -> NDArray[np.float32]:
    """`raw` as float32 in [0, 1], contiguous: uint8 counts 0..255, anything else is there already."""
    if raw.dtype == np.uint8:
        return np.asarray(np.divide(raw, np.float32(255), dtype=np.float32))
    return np.ascontiguousarray(raw, dtype=np.float32)


class Unit(Filter):
    """Scales raw that is still uint8."""

    def prepare(self, request: gp.BatchRequest) -> gp.BatchRequest:
        """Needs raw."""
        return gp.BatchRequest({RAW: request[RAW].copy()})

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Changes raw alone."""
        scaled = gp.Batch()
        scaled[RAW] = array(unit(batch[RAW].data), batch[RAW].spec.roi)
        return scaled
