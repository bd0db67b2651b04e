"""What a score of validation is measured with, as a value: only scores of equal yardsticks may be
compared.

As with a job over blocks (`lsd.blockwise.on_disk.job`), the fields are all that scoring is given,
its record in checkpoints and validation.json, and what is compared, at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer

from lsd.segmentation.predicted import is_decoded
from lsd.segmentation.threshold import BLOCKS, beside, scoring_settings, without
from lsd.spec import Evaluate, Precision, Predict, Segment, Spec, Stage
from lsd.spec.base import PositiveFloat, Region, Shape
from lsd.spec.run import Thresholds
from lsd.spec.skeletons import AnySkeletons
from lsd.volumes.inputs import Box, VolumeInput

# to be raised whenever the same settings would give other scores
VERSION = 1


class BlockSize(Spec):
    """How large blocks of a prediction are; see `Predict`.

    Blocks of a same-padded network with little context are not quite the whole, so it matters.
    """

    memory: PositiveFloat
    shape: Shape | None

    @classmethod
    def of(cls, settings: Predict) -> BlockSize:
        """That of these settings."""
        return cls(memory=settings.memory, shape=settings.shape)


class Yardstick(Spec):
    """All that the score of given weights depends on.

    volumes:   by name, as they are on disk
    predicted: the part of each that is predicted, (begin, shape) in voxels of the world
    precision: that the network computes in: never "auto"
    """

    version: int = VERSION
    volumes: dict[str, VolumeInput]
    predicted: tuple[Box, ...]
    precision: Precision
    predict: BlockSize

    def record(self) -> dict[str, Any]:
        """The value as JSON, as it stands in checkpoints and in validation.json."""
        record: dict[str, Any] = json.loads(self.model_dump_json())
        return record

    @field_serializer("volumes")
    def _volumes(self, volumes: Mapping[str, VolumeInput]) -> dict[str, Any]:
        return {
            name: {
                "spec": volume.volume.model_dump(mode="json"),
                **{array: state.model_dump(mode="json") for array, state in volume.arrays.items()},
            }
            for name, volume in volumes.items()
        }


class SkeletonsInput(Spec):
    """Skeletons that a metric is against; content: tells them from others of the same source."""

    source: AnySkeletons
    content: str


class SegmentationYardstick(Yardstick):
    """Of a stage that is decoded, and scored by a metric.

    score: name of the metric
    skeletons: of each volume, where the metric is against them
    """

    score: str
    segment: Segment
    thresholds: Thresholds
    evaluate: Evaluate
    # not written where there are none: scores of before had no such field
    skeletons: Annotated[
        dict[str, SkeletonsInput], Field(exclude_if=lambda skeletons: not skeletons)
    ] = {}

    @field_serializer("segment")
    def _segment(self, segment: Segment) -> dict[str, Any]:
        # a volume is segmented whole, so blocks change nothing
        return without(scoring_settings(segment), BLOCKS)

    @field_serializer("evaluate")
    def _evaluate(self, evaluate: Evaluate) -> dict[str, Any]:
        return without(evaluate.model_dump(mode="json"), beside(evaluate))


class ScoredRegion(Spec):
    """What of a volume is scored; see `Evaluate`."""

    region: Region


class LossYardstick(Yardstick):
    """Of a stage that is scored by its loss."""

    # 2: targets are those of training near borders, too
    version: int = VERSION + 1
    score: Literal["loss"] = "loss"
    evaluate: ScoredRegion


def yardstick(
    stage: Stage,
    *,
    volumes: Mapping[str, VolumeInput],
    predicted: Sequence[Box],
    precision: Precision,
    predict: Predict,
    segment: Segment,
    evaluate: Evaluate,
    skeletons: Mapping[str, SkeletonsInput],
    dims: int,
    by_loss: bool = False,
) -> SegmentationYardstick | LossYardstick:
    """Of a stage: by its loss where that is wanted, or it does not give what the decoder reads;
    dims: axes of the network.
    skeletons: those that a metric is against, by the name of the volume."""
    inputs = {
        "volumes": dict(volumes),
        "predicted": tuple(predicted),
        "precision": precision,
        "predict": BlockSize.of(predict),
    }
    if by_loss or not is_decoded(segment, stage.heads, dims=dims):
        # 3: objects of other arrays go on beyond borders, too; the rest is as it was
        of_arrays = any(head.target.objects() is not None for head in stage.heads.values())
        version = {"version": VERSION + 2} if of_arrays else {}
        return LossYardstick(**inputs, **version, evaluate=ScoredRegion(region=evaluate.region))
    return SegmentationYardstick(
        **inputs,
        score=evaluate.metric.kind,
        segment=segment,
        thresholds=segment.thresholds,
        evaluate=evaluate,
        skeletons=dict(skeletons),
    )
