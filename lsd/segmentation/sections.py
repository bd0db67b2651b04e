"""Decoding a region of a volume, as one or, where its sections are images, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.kernels.prediction import Decoded, Heads, Segmentations
from lsd.segmentation.kernels.sections import after, sections
from lsd.spec import Segment, Volume
from lsd.volumes.volume import OpenVolume, needs_nm


def settings_for(settings: Segment, volume: Volume, *, calibrated: bool = True) -> Segment:
    """The settings with which a volume is segmented: objects of images hang together in the plane
    alone.

    calibrated: whether the volume has a voxel size
    Raises ValueError where the config wants something else of images, or a length without one.
    """
    if settings.objects.split and not calibrated:
        raise ValueError(needs_nm("segment.objects.split"))
    if volume.images is None or settings.objects.connectivity in (4, 8):
        return settings
    if settings.objects.connectivity is not None:
        raise ValueError(
            f"segment.objects.connectivity={settings.objects.connectivity} joins voxels of several "
            f"sections, which are images that have nothing to do with each other; take 4 or 8"
        )
    return settings.derive(objects={"connectivity": 4})


def decode_volume(
    decoder: DecoderKind,
    volume: OpenVolume,
    heads: Heads,
    settings: Segment,
    *,
    roi: Roi,
    mask: NDArray[Any] | None,
) -> Segmentations:
    """What a decoder makes of the heads of a region of a volume; roi: that region, voxels; other
    arguments as of `DecoderKind.decode`."""
    first = int(roi.begin[0])
    if volume.image_sizes is None:
        return decoder.decode(heads, settings, mask=mask, first_section=first)
    settings = settings_for(settings, volume.spec, calibrated=volume.calibrated)
    made = []
    for section, inside, z in sections(heads, mask, first):
        images = volume.images_in(Roi((z, *roi.begin[1:]), (1, *roi.shape[1:])))
        made.append(
            decoder.decode_section(section, settings, images=images, mask=inside, first_section=z)
        )
    return OfImages(made)


@dataclass(frozen=True, eq=False)
class OfImages(Segmentations):
    """What a decoder made of each image; ids are numbered through."""

    images: list[Segmentations]

    def parts(self, thresholds: Sequence[float]) -> Iterator[tuple[Decoded, tuple[float, ...]]]:
        """As of each image, of all together."""
        for alike in zip(*(image.parts(thresholds) for image in self.images), strict=True):
            yield _joined([decoded for decoded, _ in alike]), alike[0][1]

    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold."""
        segments = [Decoded.final(image.segmentation(threshold)) for image in self.images]
        return _joined(segments).fragments


def _joined(images: Sequence[Decoded]) -> Decoded:
    last, fragments, edges = 0, list[NDArray[np.uint64]](), list[NDArray[np.uint64]]()
    for image in images:
        fragments.append(after(image.fragments, last))
        edges.append(image.edges + np.uint64(last))
        last += int(image.fragments.max(initial=0))
    scores = np.concatenate([image.scores for image in images])
    return Decoded(np.concatenate(fragments), np.concatenate(edges), scores)
