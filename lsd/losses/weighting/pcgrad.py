"""Gradients of tasks without what points against each other."""

from __future__ import annotations

import numpy as np

from lsd.losses.weighting.balancer import Factors, GradientBalancer, Orders


class ProjectConflicts(GradientBalancer):
    """`spec.PCGrad`: for each task i, over the others j in its order: where g_i . g_j < 0,
    g_i <- g_i - (g_i . g_j / |g_j|^2) g_j; then the sum.

    g_j is the gradient as it was, g_i what the visits before left of it.
    Source: Yu et al. 2020, algorithm 1.
    """

    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """Every g_i stays a sum of the gradients as they were, so their products suffice."""
        tasks = len(products)
        # of each g_i (rows), how often it holds each of the gradients as they were
        holds = np.eye(tasks)
        for i in range(tasks):
            for j in orders[i]:
                product = holds[i] @ products[:, j]
                if product < 0 < products[j, j]:
                    holds[i, j] -= product / products[j, j]
        factors: Factors = holds.sum(axis=0)
        return factors
