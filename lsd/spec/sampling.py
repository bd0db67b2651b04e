"""Where in a volume the samples lie that a network is trained on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lsd.spec.base import NonNegative, Probability, Spec


class AroundObjects(Spec):
    """Samples lie around objects of the truth, and some of them away from objects; for a network
    that sees windows around located objects.

    A sample holds its object whole, where that is no larger than the output, else any part of it.

    jitter:    how far a sample is moved from there at most, as a share of the output along each
               axis: located points are no centres
    negatives: share of the samples that lie away from objects, so that a network learns to say
               nothing there
    fires:     an array of the volumes (Volume.arrays) that holds what an earlier network took for
               objects.  Half of the negatives then lie around those of them that the truth does not
               have.  None: there is no such network yet
    min_size:  objects of fewer voxels are passed over: crumbs of the truth
    """

    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    negatives: Probability = 0.2
    fires: Annotated[str, Field(min_length=1)] | None = None
    min_size: NonNegative = 0


__all__ = ["AroundObjects"]
