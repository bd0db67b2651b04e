"""Images of their own, as sections of a volume: only what they fill of a region is predicted."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.prediction.array import predict_blocks
from lsd.prediction.predictor import Predictor
from lsd.volumes.intensity import signed
from lsd.volumes.volume import OpenVolume


def predict_images(predictor: Predictor, volume: OpenVolume, roi: Roi) -> dict[str, NDArray[Any]]:
    """Heads (c, z, y, x), float32, of a region of images; the lowest value where there is none."""
    whole = predictor.nothing(roi.shape)

    def put(part: Roi, heads: dict[str, NDArray[Any]]) -> None:
        for name, head in heads.items():
            whole[name][:, *(part - roi.begin).to_slices()] = head

    for box in boxes(volume, roi):
        plan = predictor.plan(box, voxel_size=volume.voxel_size)
        for _ in predict_blocks(
            predictor, plan, read=lambda part: signed(volume.read_raw(part)), write=put
        ):
            pass
    return whole


def boxes(volume: OpenVolume, roi: Roi) -> list[Roi]:
    """Boxes that together hold all of `roi` that is in an image: sections one after another whose
    images are of one size are one box."""
    images = volume.image_rois(roi)
    alike = groupby(
        enumerate(images), lambda place: (place[1].begin[0] - place[0], *_plane(place[1]))
    )
    together = []
    for _, group in alike:
        first, *others = (image for _, image in group)
        together.append(first.union(others[-1]) if others else first)
    return together


def _plane(image: Roi) -> tuple[int, ...]:
    return (*image.begin[1:], *image.shape[1:])
