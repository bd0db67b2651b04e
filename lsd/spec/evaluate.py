"""How segmentations are compared with the truth."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lsd.spec.base import Id, NonNegative, OfEachAxis, Probability, Region, Several, Shape, Spec
from lsd.spec.effect import NoEffect
from lsd.spec.kinds import Kind
from lsd.spec.run import Workers

# thresholds of the intersection over union that means of scores of objects are over
IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


class Metric(Kind):
    """How a segmentation is scored; see `lsd.evaluation.metric` for what a kind of it says.

    knows_background: whether label 0, of the truth and of the segmentation, is background and no
                      label like others.  Then its voxels count, and `Evaluate.ignore` and
                      `background` cannot say otherwise
    """

    default: ClassVar[str] = "voi"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "metric"
    knows_background: ClassVar[bool] = False


class Voi(Metric):
    """Variation of information and Rand errors; the VOI sum is what is lowest at the best
    threshold."""

    kind: Literal["voi"] = "voi"
    behaviour: ClassVar[str] = "lsd.evaluation.voi:VoiMetric"


class ObjectDetection(Metric):
    """Which objects were found: how many segments and objects overlap enough, and by how much.

    objective: the number that is best where it is highest, by which validation and thresholds go.
               "accuracy": TP / (TP + FP + FN), which stardist and cellpose call average precision;
               "ranked": average precision of COCO, of segments ranked by their size; "precision",
               "recall", "f1"; "pq", "sq": panoptic and segmentation quality; "aji": aggregated
               Jaccard index; "best_dice": symmetric best Dice
    iou:       the intersection over union from which on a segment is taken for an object (of all
               but the last two objectives); None: the mean of the objective over 0.5, 0.55, ..
               0.95
    min_size:  objects of the truth with fewer voxels are left out, with their voxels
    """

    kind: Literal["objects"] = "objects"
    behaviour: ClassVar[str] = "lsd.evaluation.objects:ObjectsMetric"
    knows_background: ClassVar[bool] = True
    objective: Literal[
        "accuracy", "ranked", "precision", "recall", "f1", "sq", "pq", "aji", "best_dice"
    ] = "accuracy"
    iou: Probability | None = 0.5
    min_size: NonNegative = 0


class Benchmark(Metric):
    """What benchmarks of somas and other large objects report, side by side: average precision of
    segments ranked by their size, Dice and Jaccard of the foreground, VOI and Rand errors.

    objective: the number that is best at 1 ("ap": the mean over IoUs of 0.5, 0.55, .. 0.95, "ap50",
               "ap75", "dice", "jaccard") or at 0 ("voi", "arand")
    min_size:  objects of the truth with fewer voxels are left out, with their voxels
    """

    kind: Literal["benchmark"] = "benchmark"
    behaviour: ClassVar[str] = "lsd.evaluation.benchmark:BenchmarkMetric"
    knows_background: ClassVar[bool] = True
    objective: Literal["ap", "ap50", "ap75", "dice", "jaccard", "voi", "arand"] = "ap"
    min_size: NonNegative = 0


class ForegroundOverlap(Metric):
    """Masks: how much of the voxels of all objects lies in segments, whichever.

    objective: the number that is best where it is highest: "iou" (Jaccard index), "dice",
               "accuracy" of all voxels, "precision" or "recall" of voxels
    """

    kind: Literal["foreground"] = "foreground"
    behaviour: ClassVar[str] = "lsd.evaluation.foreground:ForegroundMetric"
    knows_background: ClassVar[bool] = True
    objective: Literal["iou", "dice", "accuracy", "precision", "recall"] = "iou"


class Evaluate(Spec):
    """Scoring against the truth.

    of:          what is scored: the "segmentation" that `segment` makes, or the objects that
                 `objects` makes at located points ("objects"), which have no thresholds
    metric:      what is computed, by name; "voi": variation of information and Rand errors;
                 "objects": which objects were found; "foreground": masks; "benchmark": what
                 benchmarks of somas report of all three
    ignore:      truth labels left out.  To "objects", "foreground" and "benchmark", 0 is the
                 background, whose voxels count though it is named here: what is not known is
                 outside of a mask, or an unknown label of the volume
    background:  label 0 of the segmentation: one "label" like others, "ignore"d, or every voxel a
                 "singleton"; "objects", "foreground" and "benchmark" take it for background
    use_mask:    score only where it is known what is there, as with segment.use_mask
    connected:   relabel the truth into connected components inside the region first
    tolerance:   thresholds whose objective (the VOI sum) on validation is above the best by no more
                 than this fraction are as good, and the one that joins least is picked, the lowest
                 score or the highest value of an object: chance decides between them, and a wrong
                 merge is dearer than a split
    sites:       how many of the worst splits, and how many of the worst merges of each volume are
                 told with their places; 0: none, which spares a second look at the volume
    heads:       of these, how far what is predicted is a probability: the expected calibration
                 error, and accuracy, IoU and Dice at each threshold of the head, against what it
                 learns, which must be 0 or 1
    region:      part of each volume to score; empty: all of it
    block:       voxels that are counted at once
    workers:     processes that count
    """

    # neither is written where it is the usual one: configs and scores of before had no such field
    of: Annotated[
        Literal["segmentation", "objects"], Field(exclude_if=lambda of: of == "segmentation")
    ] = "segmentation"
    metric: Annotated[Metric, Field(exclude_if=lambda metric: metric == Voi())] = Voi()
    ignore: Annotated[tuple[Id, ...], Several] = (0,)
    background: Literal["label", "ignore", "singletons"] = "label"
    use_mask: bool = True
    connected: bool = False
    tolerance: Probability = 0.0
    # neither is written where it is the usual one: scores of before had no such fields
    sites: Annotated[
        NonNegative,
        NoEffect("they are told beside the scores"),
        Field(exclude_if=lambda sites: sites == 50),
    ] = 50
    heads: Annotated[tuple[str, ...], Several, Field(exclude_if=lambda heads: not heads)] = ()
    region: Region = ()
    block: Annotated[
        Shape, OfEachAxis, NoEffect("counts of blocks add up to those of the volume")
    ] = (256, 256, 256)
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()

    @property
    def left_out(self) -> tuple[int, ...]:
        """Labels of the truth whose voxels are not counted: those that are ignored, but for the
        background of a metric that knows it."""
        return tuple(label for label in self.ignore if label or not self.metric.knows_background)

    @model_validator(mode="after")
    def _background_is_known(self) -> Evaluate:
        if self.metric.knows_background and self.background != "label":
            raise ValueError(
                f"background={self.background!r} says what label 0 of the segmentation is, which "
                f"the metric {self.metric.kind!r} takes for background; leave it out"
            )
        return self
