"""A second look at what was labelled, once deformation has settled what the output holds."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import gunpowder as gp

from lsd.batches.keys import KNOWN, LABELS, Filter
from lsd.batches.sources.location import middle

log = logging.getLogger(__name__)

TRIES = 50


class Reject(Filter):
    """Asks again until at least `min_masked` of the output, in the middle of the labels, is known.

    Location has looked at the undeformed box already, so this is rare.  Of TRIES batches none of
    which has enough, it takes the one that has most, and says so once: what a place holds once it
    is deformed is chance, and chance ends no training.
    """

    def __init__(self, *, output: Sequence[int], min_masked: float) -> None:
        self.output, self.min_masked = tuple(output), min_masked
        self._told = False

    def provide(self, request: gp.BatchRequest) -> gp.Batch:
        """The first batch that has enough labelled voxels."""
        best, most = None, -1.0
        for _ in range(TRIES):
            batch = self.get_upstream_provider().request_batch(request.copy())
            known = float(batch[KNOWN].crop(middle(request[LABELS].roi, self.output)).data.mean())
            if known >= self.min_masked:
                return batch
            if known > most:
                best, most = batch, known
            request = request.copy()
        self._tell(most)
        return best

    def _tell(self, most: float) -> None:
        if not self._told:
            log.warning(
                "%d deformed batches had less than %.0f%% of the output %s labelled, as "
                "train.min_masked asks; the best of "
                "them, with %.0f%%, is taken, and so from now on: lower train.min_masked, "
                "network.train_shape or the elastic "
                "augmentation of the dataset, which is faster as well",
                TRIES,
                100 * self.min_masked,
                "x".join(map(str, self.output)),
                100 * most,
            )
            self._told = True
