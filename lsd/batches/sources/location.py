"""Where in a volume a batch lies."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Sequence

import gunpowder as gp
import numpy as np
from funlib.geometry import Coordinate, Roi
from numpy.typing import NDArray

from lsd.batches.keys import LABELS, Filter, array, generator
from lsd.batches.sources.image_places import ImagePlaces
from lsd.batches.sources.object_places import ObjectBoxes, ObjectPlaces
from lsd.batches.sources.places import PlaceIndex
from lsd.spec import AroundObjects
from lsd.volumes.label_checks import check_labels
from lsd.volumes.volume import OpenVolume

log = logging.getLogger(__name__)

# draws before all places that suit are looked up: where most suit, nothing needs to be known of the
# rest
TRIES = 200
# of so many draws, so many must suit where a volume is to be drawn from as it is
PROBES, ENOUGH = 8, 2
# what is known of where samples may lie, for other processes
Places = PlaceIndex | ObjectBoxes


class Location(Filter):
    """Moves each request to a random place of the volume where the output is sufficiently labelled,
    each as likely.

    output:     shape of the network's output, which lies in the middle of the labels that are
                requested
    min_masked: fraction of it that must be known; some voxel of it must carry a label as well, but
                for images (see `ImagePlaces`)
    places:     all that suit, where they are known; what is drawn is the same without, and slower
                where they are rare
    sampling:   where to draw, None: anywhere (see `ObjectPlaces`)
    Raises ValueError, naming the volume, where there is no such place.
    """

    def __init__(
        self,
        volume: OpenVolume,
        *,
        output: Sequence[int],
        min_masked: float,
        places: Places | None = None,
        sampling: AroundObjects | None = None,
    ) -> None:
        self.volume, self.output, self.min_masked = volume, Coordinate(output), min_masked
        self.places = places if isinstance(places, PlaceIndex) else None
        self.images: ImagePlaces | None = None
        self.objects: ObjectPlaces | None = None
        if volume.image_sizes is not None:
            _refuse_sampling(volume, sampling)
            self.images = ImagePlaces(
                volume, output=self.output, truth=truth(volume), min_masked=min_masked
            )
            return
        self.low, self.high = begins(
            truth(volume), self.output, min_masked=min_masked, name=volume.name
        )
        self.needed = math.ceil(max(min_masked * math.prod(self.output), 1))
        if sampling is not None:
            self.objects = ObjectPlaces(
                volume,
                sampling,
                output=self.output,
                low=self.low,
                high=self.high,
                needed=self.needed,
                boxes=places if isinstance(places, ObjectBoxes) else None,
            )

    def find_places(self) -> Places | None:
        """The places that suit, None where they are so many that none need be known.  Raises
        ValueError if there are none."""
        if self.objects is not None:
            return self.objects.find()
        if self.places is None and self.images is None:
            rng = np.random.default_rng(0)
            suit = (begin for begin in self._anywhere(rng, PROBES) if self._suits(begin))
            if len(list(itertools.islice(suit, ENOUGH))) < ENOUGH:
                self._look()
        return self.places

    def prepare(self, request: gp.BatchRequest) -> None:
        """Draws where the sample lies, and moves the request there."""
        begin = self._draw(generator(request))
        shift = begin - middle(request[LABELS].roi, self.output).begin
        for _, wanted in request.items():
            wanted.roi = wanted.roi + shift

    def process(self, batch: gp.Batch, request: gp.BatchRequest) -> gp.Batch:
        """Moves the arrays back to where they were requested."""
        moved = gp.Batch()
        for key, wanted in request.items():
            moved[key] = array(batch[key].data, wanted.roi)
        return moved

    def _draw(self, rng: np.random.Generator) -> Coordinate:
        drawn = self.images or self.objects
        if drawn is not None:
            return drawn.draw(rng)
        if self.places is not None and self.places.whole:
            first = self.places.first(self.volume, self._anywhere(rng, TRIES))
            return first or self.places.draw(self.volume, rng)
        for begin in itertools.chain.from_iterable(self._anywhere(rng, 1) for _ in range(TRIES)):
            if self._suits(begin):
                return Coordinate(begin.tolist())
        return (self.places or self._look()).draw(self.volume, rng)

    def _anywhere(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Begins (count, 3); many at once are those that would be drawn one by one."""
        return rng.integers(self.low, self.high, size=(count, 3), endpoint=True)

    def _suits(self, begin: NDArray[np.int64]) -> bool:
        inside = Roi(begin.tolist(), self.output).intersect(truth(self.volume))
        if inside.empty or inside.size < self.needed:  # spares reading
            return False
        labels, known = self.volume.read_truth(inside)
        return bool(known.sum() >= self.needed and labels[known].any())

    def _look(self) -> PlaceIndex:
        log.info("volume %r: little of it is labelled; looking for where it is", self.volume.name)
        self.places = PlaceIndex.of(
            self.volume, output=self.output, needed=self.needed, low=self.low, high=self.high
        )
        if not self.places.whole:
            log.warning(
                "volume %r is too large to be searched for labels as a whole: places are drawn "
                "from the parts of it that were "
                "looked at; set its region= to where labels are",
                self.volume.name,
            )
        if not self.places.count:
            raise ValueError(self._nowhere(self.places))
        return self.places

    def _nowhere(self, places: PlaceIndex) -> str:
        check_labels(self.volume)  # says so where there are none at all
        best, size = places.best(self.volume), "x".join(map(str, self.output))
        return (
            f"volume {self.volume.name!r}: no output of {size} voxels with a label in it is known "
            f"to {self.min_masked:.4g} or "
            f"more, as train.min_masked asks; the best is to {best:.4g}: lower train.min_masked, "
            f"take a smaller "
            "network.train_shape, or set the volume's region= to where its labels are"
        )


def _refuse_sampling(images: OpenVolume, sampling: AroundObjects | None) -> None:
    if sampling is not None:
        raise ValueError(
            f"volume {images.name!r} is of images, which are drawn each as likely as another; "
            f"train.sampling is for volumes: leave it out"
        )


def middle(roi: Roi, shape: Sequence[int]) -> Roi:
    """The box of this shape in the middle of `roi`."""
    return Roi(roi.begin + (roi.shape - Coordinate(shape)) / 2, shape)


def truth(volume: OpenVolume) -> Roi:
    """Where the volume has labels.  Raises ValueError if it has none."""
    if volume.truth_roi is None or volume.truth_roi.empty:
        raise ValueError(
            f"volume {volume.name!r} has no labels to train on; set its labels=, or leave it out "
            f"of dataset.train"
        )
    return volume.truth_roi


def begins(
    truth: Roi, output: Coordinate, *, min_masked: float, name: str
) -> tuple[Coordinate, Coordinate]:
    """First and last begin of an output that may hold min_masked of labelled voxels, axis by axis.

    Raises ValueError if the truth is too small for any.
    """
    most = np.prod(np.minimum(truth.shape, output) / np.asarray(output))
    if most < min_masked:
        raise ValueError(
            f"volume {name!r}: at most {most:.1%} of an output {tuple(output)} can be labelled, "
            f"since its truth is "
            f"{tuple(truth.shape)} voxels, and train.min_masked asks for {min_masked:.0%}; lower "
            f"it, or network.train_shape"
        )
    least = Coordinate(max(1, int(np.ceil(size * min_masked))) for size in output)
    return truth.begin - output + least, truth.end - least
