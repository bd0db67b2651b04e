"""Brightness and contrast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.batches.augmentations.augmentation import RawAugmentation
from lsd.batches.compiled import compiled


def change_intensity(
    raw: NDArray[np.float32], scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`raw` (z, y, x) as (raw - mean) * scale + mean + shift, kept in [0, 1].

    scale, shift: one for every section, with the section's own mean; or of length 1, for the whole.
    """
    out = np.ascontiguousarray(raw)
    out = out.copy() if out is raw else out
    _change(out.reshape(len(scale), -1), scale, shift)
    return out


@compiled
def _change(
    rows: NDArray[np.float32], scale: NDArray[np.float32], shift: NDArray[np.float32]
) -> None:
    for row, factor, offset in zip(rows, scale, shift):  # noqa: B905  (numba knows no strict)
        total = 0.0  # float64: millions of float32 summed in float32 would lose the small ones
        for i in range(row.size):
            total += row[i]
        mean = np.float32(total / row.size)
        offset += mean - mean * factor
        for i in range(row.size):
            row[i] = min(max(row[i] * factor + offset, np.float32(0)), np.float32(1))


class IntensityAugmentation(RawAugmentation[spec.Intensity]):
    """Changes raw by a random scale and shift, drawn for each section or once."""

    def change(self, raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Raw with a scale and a shift that are drawn."""
        count = len(raw) if self.spec.per_section else 1
        scale, shift = (
            rng.uniform(*bounds, size=count).astype(np.float32)
            for bounds in (self.spec.scale, self.spec.shift)
        )
        return change_intensity(raw, scale, shift)
