"""How segmentations are compared with the truth."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from lsd.spec.base import (
    Id,
    NonNegative,
    NonNegativeFloat,
    OfEachAxis,
    Probability,
    Region,
    Several,
    Shape,
    Spec,
)
from lsd.spec.effect import NoEffect
from lsd.spec.kinds import Kind
from lsd.spec.run import Workers

# what may be scored, and against what
Scored = Literal["segmentation", "objects"]
Against = Literal["labels", "skeletons"]
# thresholds of the intersection over union that means of scores of objects are over
IOUS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


class Metric(Kind):
    """How a segmentation is scored; see `lsd.evaluation.metric` for what a kind of it says.

    against: what of a volume it is scored against, its "labels" or its "skeletons"
    knows_background: whether the metric itself says what label 0 of the truth and of the
                      segmentation is.  Then its voxels count, and `Evaluate.ignore` and
                      `background` cannot say otherwise
    """

    default: ClassVar[str] = "voi"
    by_name: ClassVar[bool] = True
    noun: ClassVar[str] = "metric"
    against: ClassVar[Against] = "labels"
    knows_background: ClassVar[bool] = False

    @property
    def has_background(self) -> bool:
        """Whether label 0 is background to it, which is no object and no segment, and not a label
        like others; so it is to all that know it, unless a kind says otherwise."""
        return self.knows_background

    @property
    def left_out_at_boundaries(self) -> float | None:
        """Distance from a boundary of the truth, nm, within which its voxels are not compared;
        None: all are."""
        return None


class Voi(Metric):
    """Variation of information and Rand errors; the VOI sum is what is lowest at the best
    threshold."""

    kind: Literal["voi"] = "voi"
    behaviour: ClassVar[str] = "lsd.evaluation.metrics.voi:VoiMetric"


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
    behaviour: ClassVar[str] = "lsd.evaluation.metrics.objects:ObjectsMetric"
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
    behaviour: ClassVar[str] = "lsd.evaluation.metrics.benchmark:BenchmarkMetric"
    knows_background: ClassVar[bool] = True
    objective: Literal["ap", "ap50", "ap75", "dice", "jaccard", "voi", "arand"] = "ap"
    min_size: NonNegative = 0


class ForegroundOverlap(Metric):
    """Masks: how much of the voxels of all objects lies in segments, whichever.

    objective: the number that is best where it is highest: "iou" (Jaccard index), "dice",
               "accuracy" of all voxels, "precision" or "recall" of voxels
    """

    kind: Literal["foreground"] = "foreground"
    behaviour: ClassVar[str] = "lsd.evaluation.metrics.foreground:ForegroundMetric"
    knows_background: ClassVar[bool] = True
    objective: Literal["iou", "dice", "accuracy", "precision", "recall"] = "iou"


class Cremi(Metric):
    """The score of cremi.org, as its own program computes it: the root of VOI sum * adapted Rand
    error, of truth that is not near a boundary.  The score decides.

    boundary: voxels of the truth within this distance of another label in the same section are left
              out, nm; 0 leaves out those that touch one
    Label 0 of the truth is a label like others.  Of the segmentation, it is one label to the VOI,
    and to the Rand error single voxels.
    """

    kind: Literal["cremi"] = "cremi"
    behaviour: ClassVar[str] = "lsd.evaluation.metrics.cremi:CremiMetric"
    knows_background: ClassVar[bool] = True
    boundary: NonNegativeFloat = 25.0

    @property
    def has_background(self) -> bool:
        """Label 0 is a label."""
        return False

    @property
    def left_out_at_boundaries(self) -> float | None:
        """nm."""
        return self.boundary


class Nerl(Metric):
    """Normalized expected run length along the skeletons of a volume, which is best at 1; see
    `lsd.evaluation.skeletons.expected_run_length`.

    tolerance:    a skeleton lies in a segment, as far as merges go, if more nodes of it do so
    tolerance_nm: the same as a length of it; where both are given, it lies in what has more of both
    """

    kind: Literal["nerl"] = "nerl"
    behaviour: ClassVar[str] = "lsd.evaluation.along_skeletons.traced:NerlMetric"
    against: ClassVar[Against] = "skeletons"
    tolerance: NonNegative = 0
    tolerance_nm: NonNegativeFloat | None = None


class Mcm(Metric):
    """Min-cut metric along the skeletons of a volume: the cuts and joins that would repair a
    segmentation, which is best at 0; see
    `lsd.evaluation.mincut.min_cut_metric`."""

    kind: Literal["mcm"] = "mcm"
    behaviour: ClassVar[str] = "lsd.evaluation.along_skeletons.traced:McmMetric"
    against: ClassVar[Against] = "skeletons"


class SkeletonScores(Spec):
    """What is told of a volume that has skeletons.

    tolerances:    numbers of nodes; there is a run length for each.  One stray node makes two
                   neurons of a segment, so that dense skeletons need some
    tolerances_nm: the same as lengths, which do not depend on how densely nodes lie; nm
    runs:          correct edges of a skeleton within one "segment" are one run, or each piece of
                   them that is "connected"
    outside:       nodes outside of what is scored are left out with their edges ("crop"), or lie on
                   background ("omit")
    min_cut:       whether edits are counted, where segmentation left a region graph
    """

    tolerances: Annotated[tuple[NonNegative, ...], Several] = (0, 5, 50)
    tolerances_nm: Annotated[tuple[NonNegativeFloat, ...], Several] = (500.0,)
    runs: Literal["segment", "connected"] = "segment"
    outside: Literal["crop", "omit"] = "crop"
    min_cut: bool = True


class Evaluate(Spec):
    """Scoring against the truth.

    of:          what is scored: the "segmentation" that `segment` makes, or the objects that
                 `objects` makes at located points ("objects"), which have no thresholds
    metric:      what is computed, by name; "voi": variation of information and Rand errors;
                 "objects": which objects were found; "foreground": masks; "benchmark": what
                 benchmarks of somas report of all three; "cremi": the score of cremi.org; "nerl"
                 and "mcm": run lengths and edits, along the skeletons of volumes
    skeletons:   what is told of volumes that have skeletons, beside the metric
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
                 learns, which must be 0 or 1; not in volumes without the labels that it learns from
    region:      part of each volume to score; empty: all of it
    block:       voxels that are counted at once
    workers:     processes that count
    """

    # not written where they are the usual ones: configs and scores of before had no such fields
    of: Annotated[Scored, Field(exclude_if=lambda of: of == "segmentation")] = "segmentation"
    metric: Annotated[Metric, Field(exclude_if=lambda metric: metric == Voi())] = Voi()
    skeletons: Annotated[
        SkeletonScores, Field(exclude_if=lambda skeletons: skeletons == SkeletonScores())
    ] = SkeletonScores()
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

    @model_validator(mode="after")
    def _boundaries_are_of_labels(self) -> Evaluate:
        if self.connected and self.metric.left_out_at_boundaries is not None:
            raise ValueError(
                f"connected=True makes new labels of the truth, whose boundaries the metric "
                f"{self.metric.kind!r} would leave out; it compares labels as they are: leave it "
                "out"
            )
        return self
