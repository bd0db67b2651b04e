"""Contrast at several sizes of detail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from lsd import spec
from lsd.batches.augmentations.augmentation import RawAugmentation


def change_contrast(
    raw: NDArray[np.float32], gains: Sequence[float], widths: Sequence[int], *, in_xy: bool = False
) -> NDArray[np.float32]:
    """`raw` (z, y, x) with its details scaled, kept in [0, 1]; what is left of it after the last
    average stays as it is.

    gains:  one for each width: of the detail that this average takes away from the one before
    widths: voxels of the averages, one after the other
    in_xy:  sections apart
    """
    out, rest = np.zeros_like(raw), raw
    for gain, width in zip(gains, widths, strict=True):
        smooth = uniform_filter(rest, (1 if in_xy else width, width, width))
        out += np.float32(gain) * (rest - smooth)
        rest = smooth
    out += rest
    return out.clip(0, 1, out=out)


class ContrastAugmentation(RawAugmentation[spec.Contrast]):
    """Scales the details of raw by random gains."""

    def change(self, raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Raw with a gain drawn for each width."""
        settings = self.spec
        low, high = np.log(settings.gain)
        gains = np.exp(rng.uniform(low, high, size=len(settings.widths)))
        return change_contrast(raw, gains.tolist(), settings.widths, in_xy=settings.in_xy)
