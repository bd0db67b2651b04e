"""Decoding a region of a volume, as one or, where its sections are images, each by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.segmentation.decoders.decoder import DecoderKind
from lsd.segmentation.kernels.prediction import Decoded, Heads
from lsd.segmentation.kernels.sections import after, sections
from lsd.spec import Segment
from lsd.volumes.volume import OpenVolume


def decode_volume(
    decoder: DecoderKind,
    volume: OpenVolume,
    heads: Heads,
    settings: Segment,
    *,
    mask: NDArray[Any] | None,
    first_section: int,
) -> Decoded:
    """What a decoder makes of the heads of a region of a volume; other arguments as of
    `DecoderKind.decode`."""
    if volume.image_sizes is None:
        return decoder.decode(heads, settings, mask=mask, first_section=first_section)
    last, images = 0, list[Decoded]()
    for section, inside, z in sections(heads, mask, first_section):
        one = decoder.decode(section, settings, mask=inside, first_section=z)
        images.append(Decoded(after(one.fragments, last), one.edges + np.uint64(last), one.scores))
        last += int(one.fragments.max(initial=0))
    return Decoded(
        np.concatenate([image.fragments for image in images]),
        np.concatenate([image.edges for image in images]),
        np.concatenate([image.scores for image in images]),
    )
