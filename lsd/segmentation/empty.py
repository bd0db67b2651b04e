"""Why a volume was segmented into nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from lsd.segmentation.decoders.decoder import DecoderKind, PredictedValues
from lsd.segmentation.on_disk.results import pieces
from lsd.segmentation.over_blocks.inputs import OpenMask
from lsd.segmentation.predicted import PredictedHead
from lsd.spec import Segment


def why_no_segments(
    heads: Mapping[str, PredictedHead],
    decoder: DecoderKind,
    settings: Segment,
    *,
    mask: OpenMask | None,
) -> str:
    """Why the decoder makes no segment of these heads, in a few words with the way out.

    mask: where there may be segments; None: everywhere
    """
    low, high, strongest, voxels = np.inf, -np.inf, 0.0, 0
    first = next(iter(heads.values())).array
    for roi in pieces(first.roi):
        predictions = {name: head.read(roi) for name, head in heads.items()}
        in_mask = np.ones(roi.shape, np.bool_) if mask is None else mask.read_known(roi)
        voxels += int(np.count_nonzero(in_mask))
        for prediction in predictions.values():
            values = prediction.values
            ends = replace(prediction, values=np.stack([values.min(), values.max()])).predicted
            low, high = min(low, float(ends[0])), max(high, float(ends[1]))
        strength = decoder.strength(predictions, settings) * in_mask
        strongest = max(strongest, float(strength.max(initial=0)))
    if not voxels:
        return "the mask is empty there; unset segment.use_mask, or correct labels_mask"
    return decoder.why_nothing(PredictedValues(low, high, strongest, first.dtype), settings)
