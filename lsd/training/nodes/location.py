"""Where in a volume a batch lies."""

from __future__ import annotations

from collections.abc import Sequence

import gunpowder as gp
import numpy as np
from funlib.geometry import Coordinate, Roi

from lsd.training.nodes.keys import LABELS, Filter, array, generator
from lsd.volumes.volume import OpenVolume

TRIES = 200


class Location(Filter):
    """Moves each request to a random place of the volume where the output is sufficiently labelled.

    output:     shape of the network's output, which lies in the middle of the labels that are requested
    min_masked: fraction of it that must be known; some voxel of it must carry a label as well
    Raises ValueError, naming the volume, where there is no such place or none was found in TRIES draws.
    """

    def __init__(self, volume: OpenVolume, *, output: Sequence[int], min_masked: float) -> None:
        self.volume, self.output, self.min_masked = volume, Coordinate(output), min_masked
        self.low, self.high = begins(truth(volume), self.output, min_masked=min_masked, name=volume.name)

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws the place."""
        begin = self._draw(generator(request))
        shift = begin - middle(request[LABELS].roi, self.output).begin
        for _, wanted in request.items():
            wanted.roi = wanted.roi + shift

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """The arrays, as if read where the request was."""
        moved = gp.Batch()
        for key, wanted in request.items():
            moved[key] = array(batch[key].data, wanted.roi)
        return moved

    def _draw(self, rng: np.random.Generator) -> Coordinate:
        for _ in range(TRIES):
            begin = Coordinate(rng.integers(self.low, self.high, endpoint=True).tolist())
            if self._suits(Roi(begin, self.output)):
                return begin
        raise ValueError(
            f"volume {self.volume.name!r}: none of {TRIES} random places has {self.min_masked:.0%} of the output "
            f"{tuple(self.output)} labelled; lower train.min_masked or network.train_shape, or leave the volume out"
        )

    def _suits(self, roi: Roi) -> bool:
        inside = roi.intersect(truth(self.volume))
        needed = max(self.min_masked * roi.size, 1)
        if inside.empty or inside.size < needed:  # spares reading
            return False
        labels, known = self.volume.read_truth(inside)
        return bool(known.sum() >= needed and labels[known].any())


def middle(roi: Roi, shape: Sequence[int]) -> Roi:
    """The box of this shape in the middle of `roi`."""
    return Roi(roi.begin + (roi.shape - Coordinate(shape)) / 2, shape)


def truth(volume: OpenVolume) -> Roi:
    """Where the volume has labels.  Raises ValueError if it has none."""
    if volume.truth_roi is None or volume.truth_roi.empty:
        raise ValueError(f"volume {volume.name!r} has no labels to train on; set its labels=, or leave it out of dataset.train")
    return volume.truth_roi


def begins(truth: Roi, output: Coordinate, *, min_masked: float, name: str) -> tuple[Coordinate, Coordinate]:
    """First and last begin of an output that may hold min_masked of labelled voxels, axis by axis.

    Raises ValueError if the truth is too small for any.
    """
    most = np.prod(np.minimum(truth.shape, output) / np.asarray(output))
    if most < min_masked:
        raise ValueError(
            f"volume {name!r}: at most {most:.1%} of an output {tuple(output)} can be labelled, since its truth is "
            f"{tuple(truth.shape)} voxels, and train.min_masked asks for {min_masked:.0%}; lower it, or network.train_shape"
        )
    least = Coordinate(max(1, int(np.ceil(size * min_masked))) for size in output)
    return truth.begin - output + least, truth.end - least
