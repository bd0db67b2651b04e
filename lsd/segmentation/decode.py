"""From affinities to fragments and the order in which they join, by the decoder of the config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Prediction, Segmentations
from lsd.spec import Segment


def decode(
    affs: NDArray[Any],
    neighborhood: Sequence[Sequence[int]],
    settings: Segment,
    *,
    mask: NDArray[Any] | None = None,
    first_section: int = 0,
) -> Segmentations:
    """Decode `affs` (c, z, y, x), floats in [0, 1] or uint8, by the config's `settings`; 2D drops
    z.  For decoders that read other heads: `decoder_of(settings).decode`.

    neighborhood:  an offset in voxels for each channel; those of a 2D network have no z, and
                   sections stay apart
    mask:          (z, y, x), 0 where there are to be no fragments
    first_section: z of the first section in the world, from which blank_sections are counted
    Raises ValueError if the decoder reads another head.
    """
    settings = settings.checked()
    decoder = decoder_of(settings)
    other_heads = [name for name in decoder.reads(settings) if name != settings.affinities]
    if other_heads:
        raise ValueError(
            f"decoder {settings.decoder.kind!r} reads {', '.join(other_heads)}, and there are "
            f"affinities alone; take another decoder, or call "
            f"lsd.segmentation.decoders.decoder.decoder_of(settings).decode"
        )
    offsets = tuple(tuple(int(step) for step in offset) for offset in neighborhood)
    heads = {settings.affinities: Prediction(affs, offsets)}
    return decoder.decode(heads, settings, mask=mask, first_section=first_section)
