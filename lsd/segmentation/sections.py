"""Decoding a region of a volume, as one or, where its sections are images, each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.arrays.offsets import Slices
from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.kernels.prediction import Decoded, Heads, Segmentations
from lsd.segmentation.kernels.sections import each_alone, placed
from lsd.segmentation.over_blocks.inputs import first_section
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
    first, images = first_section(roi.begin), volume.images_in(roi)
    if volume.image_sizes is None or not images:
        return decoder.decode(heads, settings, mask=mask, first_section=first)
    settings = settings_for(settings, volume.spec, calibrated=volume.calibrated)
    made = [
        decoder.decode_image(alone, settings, mask=inside, first_section=z)
        for alone, inside, z in each_alone(heads, mask, first, images)
    ]
    return OfImages(made, images, tuple(roi.shape))


@dataclass(frozen=True, eq=False)
class OfImages(Segmentations):
    """What a decoder made of each image; ids are numbered through.

    images: where each lies in the region; shape: of that, (z, y, x)
    """

    made: list[Segmentations]
    images: list[Slices]
    shape: tuple[int, ...]

    def parts(self, thresholds: Sequence[float]) -> Iterator[tuple[Decoded, tuple[float, ...]]]:
        """As of each image, of all together."""
        for alike in zip(*(image.parts(thresholds) for image in self.made), strict=True):
            yield self._joined([decoded for decoded, _ in alike]), alike[0][1]

    def segmentation(self, threshold: float) -> NDArray[np.uint64]:
        """Segments (z, y, x) at a threshold."""
        segments = [image.segmentation(threshold) for image in self.made]
        return placed(segments, self.images, self.shape)

    def _joined(self, of_images: Sequence[Decoded]) -> Decoded:
        last, edges = 0, list[NDArray[np.uint64]]()
        for image in of_images:
            edges.append(image.edges + np.uint64(last))
            last += int(image.fragments.max(initial=0))
        fragments = placed([image.fragments for image in of_images], self.images, self.shape)
        scores = np.concatenate([image.scores for image in of_images])
        return Decoded(fragments, np.concatenate(edges), scores)
