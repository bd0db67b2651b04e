"""A second look at what was labelled, once deformation has settled what the output holds."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp

from lsd.training.nodes.keys import KNOWN, LABELS, Filter
from lsd.training.nodes.location import middle

TRIES = 50


class Reject(Filter):
    """Asks again until at least `min_masked` of the output, in the middle of the labels, is known.

    Location has looked at the undeformed box already, so this is rare.  Raises ValueError after TRIES batches.
    """

    def __init__(self, *, output: Sequence[int], min_masked: float) -> None:
        self.output, self.min_masked = tuple(output), min_masked

    def provide(self, request: gp.BatchRequest) -> gp.Batch:
        """The first batch that has enough."""
        for _ in range(TRIES):
            batch = self.get_upstream_provider().request_batch(request.copy())
            known = batch[KNOWN].crop(middle(request[LABELS].roi, self.output)).data
            if known.mean() >= self.min_masked:
                return batch
            request = request.copy()
        raise ValueError(
            f"{TRIES} deformed batches had less than {self.min_masked:.0%} of the output {self.output} labelled; "
            "lower train.min_masked, network.train_shape or the elastic augmentation of the dataset"
        )
