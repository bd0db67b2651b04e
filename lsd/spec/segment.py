"""How affinities, or what else a network predicts, become segmentations."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from lsd.spec.base import (
    NonNegative,
    NonNegativeFloat,
    OfEachAxis,
    Positive,
    Probability,
    Several,
    Shape,
    Spec,
    Whole,
)
from lsd.spec.decoders import Decoder, Watershed
from lsd.spec.names import Word
from lsd.spec.run import Thresholds, Workers
from lsd.spec.scoring import Mean, Scoring


class Fragments(Spec):
    """Supervoxels by watershed; see lsd.segmentation.fragments.

    in_xy:             every section on its own (serial sections)
    threshold:         mean affinity (0..1) above which a voxel is inside
    min_seed_distance: size of the maximum filter, voxels
    boundaries:        what is not inside goes to the "nearest" fragment (the paper), or along the
                       highest "affinity"
    foreground_only:   leave boundaries 0 instead of flooding them
    filter_fragments:  drop fragments whose mean affinity is lower
    epsilon_agglomerate: merge up to this score at once; 0: do not
    min_size:          drop fragments of fewer voxels
    blank_sections:    z of sections to leave 0, in voxels of the world
    """

    in_xy: bool = False
    threshold: Probability = 0.5
    min_seed_distance: Positive = 10
    boundaries: Literal["nearest", "affinity"] = "nearest"
    foreground_only: bool = False
    filter_fragments: Probability = 0.0
    epsilon_agglomerate: Probability = 0.0
    min_size: NonNegative = 0
    blank_sections: Annotated[tuple[Whole, ...], Several] = ()


class Mutex(Spec):
    """Mutex watershed on the affinities of the head: offsets of length 1 attract, longer ones
    repel.

    bias:    added to (affinity - 0.5) of attractive and of repulsive edges
    stride:  every n-th repulsive edge an axis is used, voxels
    min_size: drop segments of fewer voxels
    """

    bias: tuple[float, float] = (-0.2, -0.2)
    stride: Annotated[Shape, OfEachAxis] = (1, 1, 1)
    min_size: NonNegative = 0


class Objects(Spec):
    """How objects are made of voxels that are inside; see lsd.segmentation.objects.

    connectivity: which voxels hang together: 6, 18 or 26 neighbours in 3D, 4 or 8 in 2D; of a 3D
                  volume, 4 and 8 take every section on its own.  None: by faces, 6 or 4
    min_size:     drop objects of fewer voxels
    fill_holes:   background that one object closes in, by faces, becomes part of it; what touches
                  the border of the volume or of the mask, or a second object, does not
    split:        nm; what hangs together by a neck that is nowhere farther than this from its
                  border is parted there, into the parts that are.  0: nothing is parted
    """

    connectivity: Literal[4, 6, 8, 18, 26] | None = None
    min_size: NonNegative = 0
    fill_holes: bool = False
    split: NonNegativeFloat = 0.0


class Scores(Spec):
    """What the scores of edges follow from, beside affinities and fragments; see `Segment`."""

    scoring: Scoring
    caution: Annotated[float, Field(ge=0)]
    cautious_above: Positive


class Segment(Spec):
    """From affinities to segmentations, one for each threshold.

    affinities: the head that holds them
    decoder:    "watershed" (fragments, then agglomeration), "doubting" (the same, with doubts of
                descriptors), "mutex", "components", "consensus", "interior" and "instance" of
                objects, or one of a module that Config.imports names
    fragments:  of the watershed decoder
    mutex:      of the mutex decoder
    objects:    of decoders that take what lies above a threshold for objects
    scoring:    how an edge is scored: "mean", or a quantile "hist_quant_10", "hist_quant_15" ..
                "hist_quant_95" (75 is the paper's), with "_max" where a contact starts as its
                highest affinity alone; "mean_all": over all offsets of the head, far ones too;
                "size_difference": of the regions, without a look at affinities (a control)
    caution:    with a mean: the affinity between two regions counts (cautious_above / voxels of the
                smaller) ** caution where that is below 1: a wrong join of two large neurons is
                dear.  0: sizes do not count
    cautious_above: voxels up to which a region joins as readily as a small one
    agglomeration: regions grow over the "whole" volume in one process, from what all blocks say of
                their fragments (a mean; about 160 bytes of memory for each two that touch), or in
                "blocks", each with its edge_context.  "auto": over the whole with a mean
    thresholds: scores (0..1) up to which fragments are joined; of decoders of objects values (0..1
                over the range of the head) from which on a voxel is inside
    use_mask:   no fragments where it is not known what is there: outside labels_mask and region,
                where labels are `unknown`, and where raw is not finite (invalid="mask")
    block:      voxels that are segmented at once; the last axes of it in 2D.  A volume no larger
                than one is segmented whole
    context:    voxels around a block that its fragments are computed with
    edge_context: voxels around a block that its edges are scored with where regions grow in blocks
    revision:   names the state of the prediction, and of what was segmented from it.  Without one,
                chunks that were changed in place are noticed by their sizes and times; with one
                they are not looked at, which spares a look at each of many millions, and whoever
                changes one gives it another name
    levels:     how many of an image pyramid are written of fragments and segmentations; 1: level 0
                alone
    workers:    processes that do the blocks
    """

    affinities: Word = "affs"
    decoder: Decoder = Watershed()
    fragments: Fragments = Fragments()
    mutex: Mutex = Mutex()
    # not written where it is the usual one: configs and results of before had no such field
    objects: Annotated[Objects, Field(exclude_if=lambda objects: objects == Objects())] = Objects()
    scoring: Scoring = Mean()
    caution: Annotated[float, Field(ge=0)] = 0.0
    cautious_above: Positive = 3000
    agglomeration: Literal["auto", "whole", "blocks"] = "auto"
    thresholds: Thresholds = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    use_mask: bool = False
    block: Annotated[Shape, OfEachAxis] = (256, 256, 256)
    context: Annotated[tuple[NonNegative, ...], OfEachAxis] = (32, 32, 32)
    edge_context: Annotated[tuple[NonNegative, ...], OfEachAxis] = (64, 64, 64)
    revision: Annotated[str, Field(min_length=1)] | None = None
    levels: Positive = 1
    workers: Workers = Workers()

    @model_validator(mode="after")
    def _wants_a_mean(self) -> Segment:
        means = " or ".join(repr(name) for name, kind in Scoring.kinds().items() if kind.is_mean)
        wanted = f"wants scoring {means}, got {self.scoring.to_name() or self.scoring.kind!r}"
        if self.caution and not self.scoring.is_mean:
            raise ValueError(f"caution {self.caution} {wanted}; set scoring=mean, or caution=0")
        if self.agglomeration == "whole" and not self.scoring.is_mean:
            raise ValueError(
                f"agglomeration 'whole' {wanted}; set scoring=mean, or agglomeration=blocks"
            )
        return self

    @property
    def grown(self) -> Literal["whole", "blocks"]:
        """Where regions grow: what agglomeration "auto" stands for."""
        return "whole" if self.agglomeration != "blocks" and self.scoring.is_mean else "blocks"

    @property
    def scores(self) -> dict[str, Any]:
        """What the scores of edges follow from, beside affinities and fragments: the fields of
        `Scores`."""
        return {name: getattr(self, name) for name in Scores.model_fields}


__all__ = ["Fragments", "Mutex", "Objects", "Scores", "Segment"]
