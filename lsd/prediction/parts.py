"""The parts of a region that are worth predicting: of a volume all of it, of images those boxes
that they fill."""

from __future__ import annotations

from itertools import groupby

from funlib.geometry import Roi

from lsd.volumes.volume import OpenVolume


def parts(volume: OpenVolume, roi: Roi) -> list[Roi]:
    """Boxes that together hold all of `roi` that is in an image: sections one after another whose
    images are of one size are one box.  Of a volume, `roi` itself."""
    if volume.image_sizes is None:
        return [roi]
    images = volume.image_rois(roi)
    alike = groupby(
        enumerate(images), lambda place: (place[1].begin[0] - place[0], *_plane(place[1]))
    )
    boxes = []
    for _, group in alike:
        first, *others = (image for _, image in group)
        last = others[-1] if others else first
        boxes.append(first.union(last))
    return boxes


def _plane(image: Roi) -> tuple[int, ...]:
    return (*image.begin[1:], *image.shape[1:])
