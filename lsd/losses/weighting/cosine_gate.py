"""Auxiliary gradients count by how far they agree with that of the target."""

from __future__ import annotations

import numpy as np

from lsd.losses.weighting.balancer import Factors, GradientBalancer, Orders


class GateByCosine(GradientBalancer):
    """`spec.CosineGate`: the gradient of an auxiliary task i times max(0, cos(g_i, g_t)), g_t that
    of the target; then the sum.

    Where one of the two is 0, the cosine counts as 0.
    Source: Du et al. 2018, weighted version.
    """

    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """1 for the target, the cosine or 0 for the others."""
        lengths = np.sqrt(np.diagonal(products))
        both = lengths * lengths[self.target]
        cosines = np.divide(products[:, self.target], both, out=np.zeros_like(both), where=both > 0)
        factors: Factors = np.maximum(cosines, 0)
        factors[self.target] = 1
        return factors
