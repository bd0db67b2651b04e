"""Gaussian noise."""

from __future__ import annotations

import gunpowder as gp
import numpy as np
from numpy.typing import NDArray

from lsd import spec
from lsd.training.nodes.keys import RAW, Filter, array, generator


def add_noise(raw: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """`raw` with independent normal noise of standard deviation `sigma`, kept in [0, 1]."""
    noise = rng.standard_normal(raw.shape, dtype=np.float32)
    noise *= np.float32(sigma)
    noise += raw
    return noise.clip(0, 1, out=noise)


class Noise(Filter):
    """Adds noise of a random strength to raw."""

    def __init__(self, noise: spec.Noise) -> None:
        self.noise = noise

    def prepare(self, request: gp.BatchRequest) -> gp.BatchRequest:
        """Needs raw."""
        return gp.BatchRequest({RAW: request[RAW].copy()})

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Changes raw alone."""
        rng, given = generator(request), batch[RAW]
        changed = gp.Batch()
        changed[RAW] = array(add_noise(given.data, rng.uniform(*self.noise.sigma), rng), given.spec.roi)
        return changed
