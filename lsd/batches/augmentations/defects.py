"""Sections that went wrong: missing, of low contrast, stained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from lsd import spec
from lsd.batches.augmentations.augmentation import RawAugmentation

Sections = NDArray[np.float32]


def spoil(raw: Sections, defects: spec.Defects, rng: np.random.Generator) -> Sections:
    """`raw` (z, y, x) in [0, 1] with some sections spoilt, at most one defect each.

    A raw of one section, as 2D networks read it, never goes missing: nothing would be left to learn
    from.
    """
    out = np.array(raw, order="C")
    for section, chance in zip(out, rng.random(len(out)), strict=True):
        missing = defects.missing if len(out) > 1 else 0.0
        if chance < missing:
            section[:] = 0
        elif chance < missing + defects.low_contrast:
            section[:] = (section - section.mean()) * np.float32(
                defects.contrast_scale
            ) + section.mean()
        elif chance < missing + defects.low_contrast + defects.stained:
            section *= 1 - stain(section.shape, rng)
    return out


def stain(shape: tuple[int, ...], rng: np.random.Generator) -> Sections:
    """Darkness (y, x) in [0, 1] of a soft blot: smooth noise that reaches over about a sixth of the
    section."""
    coarse = rng.normal(size=(8, 8))
    smooth = zoom(coarse, [size / 8 for size in shape], order=3, mode="nearest", grid_mode=True)
    return np.asarray(np.clip(smooth.astype(np.float32) - 1, 0, 1))


class DefectsAugmentation(RawAugmentation[spec.Defects]):
    """Spoils random sections of raw."""

    def change(self, raw: Sections, rng: np.random.Generator) -> Sections:
        """Raw with sections drawn to be spoilt."""
        return spoil(raw, self.spec, rng)
