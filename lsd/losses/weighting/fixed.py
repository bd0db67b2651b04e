"""Losses are added up."""

from __future__ import annotations

import numpy as np

from lsd.losses.weighting.balancer import Balancer, Factors, Orders


class FixedSum(Balancer):
    """`spec.Fixed`: the sum of the losses, each times the fixed weight of its head (MtLSD of
    Sheridan et al. 2022: all 1)."""

    def factors(self, products: Factors, *, orders: Orders) -> Factors:
        """Each counts as it is."""
        return np.ones(len(products))
