"""Gaussian noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.batches.augmentations.augmentation import RawAugmentation


def add_noise(
    raw: NDArray[np.float32], sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """`raw` with independent normal noise of standard deviation `sigma`, kept in [0, 1]."""
    noise = rng.standard_normal(raw.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    noise += raw
    return noise.clip(0, 1, out=noise)


class NoiseAugmentation(RawAugmentation[spec.Noise]):
    """Adds noise of a random strength to raw."""

    def change(self, raw: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Raw with noise of a strength that is drawn."""
        return add_noise(raw, rng.uniform(*self.spec.sigma), rng)
