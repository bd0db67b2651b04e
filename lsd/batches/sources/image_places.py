"""Where in images of their own a batch lies: any image is as likely as another, and any place in
it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.volumes.known_voxels import hides_truth
from lsd.volumes.volume import OpenVolume

# draws before it is said that nothing suits
TRIES = 1000


class ImagePlaces:
    """Places of outputs in the images of a volume.

    An output lies within an image, or the image, where it is smaller along an axis, within the
    output.  Images without any label are drawn like others: what is background is learnt from them.

    output:     shape of the network's output, (1, y, x)
    truth:      the part of the volume that may be used
    min_masked: fraction that must be known of what an output can hold of its image
    """

    def __init__(
        self, volume: OpenVolume, *, output: Sequence[int], truth: Roi, min_masked: float
    ) -> None:
        self.volume, self.output, self.min_masked = volume, Coordinate(output), min_masked
        self.images = volume.image_rois(truth)
        self._is_all_known = not hides_truth(volume)

    def draw(self, rng: np.random.Generator) -> Coordinate:
        """The begin of an output.  Raises ValueError where of many none is known enough."""
        for _ in range(TRIES):
            image = self.images[int(rng.integers(len(self.images)))]
            ends = np.array([image.begin, image.end - self.output])
            begin = Coordinate(rng.integers(ends.min(axis=0), ends.max(axis=0), endpoint=True))
            if self._is_all_known or self._suits(begin, image):
                return begin
        raise ValueError(
            f"volume {self.volume.name!r}: in {TRIES} places of its images less than "
            f"{self.min_masked:.4g} was known of what they hold, as train.min_masked asks; lower "
            f"it, or correct labels_mask or unknown"
        )

    def _suits(self, begin: Coordinate, image: Roi) -> bool:
        inside = Roi(begin, self.output).intersect(image)
        known = self.volume.read_known(inside)
        return bool(known.sum() >= max(1, math.ceil(self.min_masked * inside.size)))


def least_known(volumes: Sequence[OpenVolume], output: Sequence[int], min_masked: float) -> float:
    """The fraction that must be known of any output: min_masked, and less of it where an image is
    smaller than the output."""
    shares = [1.0]
    for volume in volumes:
        if volume.image_sizes is not None:
            held = np.minimum(volume.image_sizes, np.asarray(output)[1:]).prod(axis=1)
            shares.append(float(held.min() / math.prod(output)))
    return min_masked * min(shares)
