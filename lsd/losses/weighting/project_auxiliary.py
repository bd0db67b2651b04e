"""Auxiliary gradients without what points against that of the target."""

from __future__ import annotations

import numpy as np

from lsd.losses.weighting.balancer import Factors, GradientBalancer, Orders


class ProjectAuxiliaries(GradientBalancer):
    """`spec.ProjectAuxiliary`: where g_i . g_t < 0 for an auxiliary task i and the target t,
    g_i <- g_i - (g_i . g_t / |g_t|^2) g_t; then the sum.

    The gradient of the target stays whole, and so do those of auxiliary tasks among each other.
    """

    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """The target's gradient counts as often as auxiliary ones lose it."""
        target = self.target
        factors = np.ones(len(products))
        if products[target, target] > 0:
            against = np.minimum(products[:, target], 0)
            factors[target] -= against.sum() / products[target, target]
        return factors
