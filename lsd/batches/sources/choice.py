"""Which volume a batch is from."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp
import numpy as np

from lsd.batches.keys import Provider, generator


class Choice(Provider):
    """Passes each request to one of the nodes before it, drawn with these weights."""

    def __init__(self, weights: Sequence[float]) -> None:
        self.chances = np.asarray(weights) / np.sum(weights)

    def setup(self) -> None:
        """Announces what the first of them has; all have the same."""
        for key, spec in self.get_upstream_providers()[0].spec.items():
            self.provides(key, spec)

    def provide(self, request: gp.BatchRequest) -> gp.Batch:
        """A batch of the node that is drawn."""
        index = generator(request).choice(len(self.chances), p=self.chances)
        return self.get_upstream_providers()[index].request_batch(request)
