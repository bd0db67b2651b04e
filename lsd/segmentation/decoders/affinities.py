"""What decoders that read the affinities of the config have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lsd.segmentation.decoders.decoder import PredictedValues
from lsd.segmentation.kernels.prediction import Heads, Offsets, Prediction
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.spec import Segment
from lsd.volumes.inputs import ArrayInput


def affinity_head(heads: Heads, settings: Segment) -> Prediction:
    """Those that segment.affinities names.  Raises ValueError where they are not there."""
    if settings.affinities not in heads:
        raise ValueError(
            f"segment.affinities names {settings.affinities!r}; there are: {', '.join(heads)}"
        )
    return heads[settings.affinities]


def head_offsets(affs: Prediction) -> Offsets:
    """An offset for each channel.  Raises ValueError where there are none."""
    if affs.neighborhood is None:
        raise ValueError("the head holds no affinities: its channels have no offsets")
    return affs.neighborhood


def affinity_fields(inputs: Inputs) -> dict[str, Any]:
    """The fields of a job that reads affinities, `OnAffinities`."""
    head = inputs.heads[inputs.settings.affinities]
    return {"affinities": head.array, "neighborhood": head.neighborhood}


def recorded_affinities(record: Mapping[str, Any]) -> HeadInput:
    """The head that such a job read, from its record."""
    neighborhood = tuple(tuple(offset) for offset in record["neighborhood"])
    return HeadInput(ArrayInput.model_validate(record["affinities"]), neighborhood)


def why_nothing(values: PredictedValues) -> tuple[str, str]:
    """Why nothing came out where that lies in the affinities themselves, "" where it does not; and
    in words where they lie."""
    if values.high == 0:
        cause = (
            "all affinities are 0: nothing was predicted there, or nothing like what the network "
            "was trained on"
        )
    elif values.dtype == "uint8" and values.high <= 1 / 255 + 1e-9:
        cause = (
            "affinities are uint8 and none is above 1, so all are 1/255 or less; where 1 means one "
            "neuron, store 255 instead"
        )
    else:
        cause = ""
    return cause, f"affinities lie in {values.low:.3g}..{values.high:.3g}"
