"""How a run trains, validates, predicts, segments and evaluates."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lsd.spec.base import (
    Id,
    NonNegative,
    OfEachAxis,
    PerAxis,
    Positive,
    PositiveFloat,
    Probability,
    Region,
    Several,
    Shape,
    Spec,
)
from lsd.spec.effect import NoEffect
from lsd.spec.names import Word

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Annotated[str, AfterValidator(lambda name: _device(name))]
Decay = Annotated[float, Field(ge=0, lt=1)]
Thresholds = Annotated[tuple[Probability, ...], Several, Field(min_length=1)]
Names = Annotated[tuple[str, ...], Several]
_IN_BLOCKS = NoEffect("the blocks that follow from it are part of every fingerprint")
_QUANTILE = re.compile(r"hist_quant_([1-9][05])(_max)?")


def _scoring(name: str) -> str:
    if name not in ("mean", "mean_all", "size_difference") and not _QUANTILE.fullmatch(name):
        raise ValueError(
            f"scoring {name!r} is unknown; allowed: mean, mean_all, hist_quant_10, hist_quant_15 "
            f".. hist_quant_95, these "
            "with _max, size_difference"
        )
    return name


def _device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise ValueError(
            f"device {name!r} is unknown; allowed: auto, cpu, mps, cuda, cuda:0, cuda:1 .."
        )
    return name


def _named_none(value: object) -> object:
    """None, as a command line reads the word, is the choice of that name."""
    return "none" if value is None else value


class Schedule(Spec):
    """Learning rate over a stage.

    kind:   after the warm-up: "constant", or down to `final` of it by "cosine" or "linear"
    warmup: iterations over which it rises linearly from 0
    final:  fraction of the learning rate that is left at the last iteration
    """

    kind: Literal["constant", "cosine", "linear"] = "constant"
    warmup: NonNegative = 0
    final: Probability = 0.0


class Train(Spec):
    """Training of every stage in turn.

    iterations:    of each stage
    batch_size:    samples in a batch
    accumulate:    batches summed up for one step
    learning_rate, betas, weight_decay: of Adam (AdamW where weight_decay > 0)
    schedule:      how the learning rate changes over a stage
    clip:          largest norm of the gradient; None: not clipped
    ema:           decay of the averaged weights that are validated and predicted with, e.g. 0.999;
                   None: none
    precision:     fp32, bf16 or fp16 (with a gradient scaler) inside the network; weights stay
                   fp32.  auto: bf16 where the device has its arithmetic built in, else fp32, so
                   other machines may give other numbers
    channels_last: memory layout with channels last, which is faster on many processors
    compile:       torch.compile the network
    device:        auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 ..
    seed:          everything random follows from it and the iteration
    workers:       processes that make batches; 0: this one
    threads:       of the CPU inside the network; None: torch's choice.  Part of what a result
                   depends on
    checkpoint_every: iterations between checkpoints
    keep:          how many checkpoints are kept (the best and the latest always)
    log_every:     iterations between scalars in tensorboard; 0: never
    snapshot_every: iterations between pictures in tensorboard; 0: never
    validate_every: iterations between validations; 0: never
    init:          stage name -> checkpoint to start from: continues from its weights (fine-tuning)
    frozen:        stages that are not trained; their weights come from init
    min_masked:    this fraction of each sample's output is labelled, at least; any such place is as
                   likely as another
    changed_data:  where training data were changed since a run began: refuse to go on, or accept
                   them as they are now
    small:         where a volume has less raw than enters the network: pad it (by reflection) or
                   refuse
    """

    iterations: NonNegative = 400_000
    batch_size: Positive = 1
    accumulate: Positive = 1
    learning_rate: PositiveFloat = 5e-5
    betas: tuple[Decay, Decay] = (0.95, 0.999)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Schedule = Schedule()
    clip: PositiveFloat | None = None
    ema: Decay | None = None
    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    device: Device = "auto"
    threads: Positive | None = None
    seed: NonNegative = 0
    workers: NonNegative = 2
    min_masked: Probability = 0.5
    changed_data: Literal["refuse", "accept"] = "refuse"
    small: Literal["pad", "refuse"] = "pad"
    checkpoint_every: Positive = 1000
    keep: Positive = 3
    log_every: NonNegative = 10
    snapshot_every: NonNegative = 1000
    validate_every: NonNegative = 0
    init: dict[str, str] = {}
    frozen: Names = ()

    @model_validator(mode="after")
    def _frozen_stages_have_weights(self) -> Train:
        without = [stage for stage in self.frozen if stage not in self.init]
        if without:
            raise ValueError(
                f"frozen stage {without[0]!r} has no weights; name its checkpoint in train.init"
            )
        return self


class Workers(Spec):
    """Who does the blocks of a step.

    count:   processes; 0: this one, without a scheduler
    launch:  None: on this machine; "slurm" or "lsf": through sbatch or bsub; else a shell command
             that starts a worker and lasts as long as it does: {command} is the worker's command
             line, {quoted} the same as one word, {options}, {name}, {log}, {worker} its number
    options: for the scheduler, e.g. "--partition=gpu --gres=gpu:1 --cpus-per-task=4 --mem=32G"
    host:    name or address of this machine that workers elsewhere connect to; None: found out
    timeout: seconds a block may take before its worker is killed
    retries: how often a block that failed is tried again
    """

    count: NonNegative = 0
    launch: Annotated[str, Field(min_length=1)] | None = None
    options: str = ""
    host: str | None = None
    timeout: PositiveFloat = 3600.0
    retries: NonNegative = 2

    @model_validator(mode="after")
    def _launches_a_worker(self) -> Workers:
        preset = self.launch in (None, "slurm", "lsf")
        if not preset and not any(name in str(self.launch) for name in ("{command}", "{quoted}")):
            raise ValueError(
                f"launch {self.launch!r} starts no worker; allowed: slurm, lsf, or a command with "
                f"{{command}} or {{quoted}}, "
                "e.g. 'ssh node{worker} {quoted}'"
            )
        return self


class Predict(Spec):
    """From raw to heads on disk.

    checkpoint:  "best", "latest", or a path
    volumes:     names of volumes, or parts of the dataset ("validate", "test")
    region:      part of each volume to predict; empty: the volume's own region
    heads:       which to write; empty: those of the last stage
    dtype:       uint8 (0..255 for 0..1) or float32
    augment:     test-time augmentation: passes over "flips", or over flips and "transposes" (8 and
                 16, or 48, passes)
    opinions:    what the passes say of an affinity becomes their "mean", or the "lowest": joined
                 only where all of them agree; of other heads always the mean
    memory:      GB a block may take where the network has no predict_shape
    shape:       input of one block in voxels, instead of either
    small:       where a volume is smaller than one input: pad it (by reflection) or refuse
    levels:      how many of an image pyramid are written of each head; 1: level 0 alone
    precision, channels_last, compile, device: as in training
    threads:     of the CPU inside the network; None: torch's choice, of workers one each.  Part of
                 what a result depends on
    workers:     of super_predicter_daisy.py and `lsd predict --workers`; count 0: one for each GPU,
                 without any one for each core (and one thread each)
    """

    checkpoint: Annotated[
        str, NoEffect("the sha256 of the file that it names says what it holds")
    ] = "best"
    volumes: Annotated[
        Names, Field(min_length=1), NoEffect("it chooses among volumes and changes none")
    ] = ("validate", "test")
    region: Annotated[Region, _IN_BLOCKS] = ()
    heads: Names = ()
    dtype: Literal["uint8", "float32"] = "uint8"
    augment: Annotated[Literal["none", "flips", "transposes"], BeforeValidator(_named_none)] = (
        "none"
    )
    opinions: Literal["mean", "lowest"] = "mean"
    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    device: Device = "auto"
    threads: Positive | None = None
    memory: Annotated[PositiveFloat, _IN_BLOCKS] = 4.0
    shape: Annotated[Annotated[Shape, PerAxis] | None, _IN_BLOCKS] = None
    small: Annotated[Literal["pad", "refuse"], NoEffect("it decides whether to begin")] = "pad"
    levels: Annotated[Positive, NoEffect("they are made from level 0, by a step of their own")] = 1
    workers: Annotated[Workers, NoEffect("who does the blocks changes no value")] = Workers()


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
    blank_sections:    z of sections to leave 0
    """

    in_xy: bool = False
    threshold: Probability = 0.5
    min_seed_distance: Positive = 10
    boundaries: Literal["nearest", "affinity"] = "nearest"
    foreground_only: bool = False
    filter_fragments: Probability = 0.0
    epsilon_agglomerate: Probability = 0.0
    min_size: NonNegative = 0
    blank_sections: Annotated[tuple[NonNegative, ...], Several] = ()


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


class Segment(Spec):
    """From affinities to segmentations, one for each threshold.

    affinities: the head that holds them
    decoder:    "watershed" (fragments, then agglomeration) or "mutex"
    fragments:  of the watershed decoder
    mutex:      of the mutex decoder
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
    thresholds: scores (0..1) up to which fragments are joined
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
    decoder: Literal["watershed", "mutex"] = "watershed"
    fragments: Fragments = Fragments()
    mutex: Mutex = Mutex()
    scoring: Annotated[str, AfterValidator(_scoring)] = "mean"
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
        wanted = f"wants scoring 'mean' or 'mean_all', got {self.scoring!r}"
        if self.caution and not self.scoring.startswith("mean"):
            raise ValueError(f"caution {self.caution} {wanted}; set scoring=mean, or caution=0")
        if self.agglomeration == "whole" and not self.scoring.startswith("mean"):
            raise ValueError(
                f"agglomeration 'whole' {wanted}; set scoring=mean, or agglomeration=blocks"
            )
        return self

    @property
    def grown(self) -> Literal["whole", "blocks"]:
        """Where regions grow: what agglomeration "auto" stands for."""
        return (
            "whole"
            if self.agglomeration != "blocks" and self.scoring.startswith("mean")
            else "blocks"
        )

    @property
    def scores(self) -> dict[str, Any]:
        """What the scores of edges follow from, beside affinities and fragments."""
        return {
            "scoring": self.scoring,
            "caution": self.caution,
            "cautious_above": self.cautious_above,
        }


class Evaluate(Spec):
    """Scoring against the truth.

    ignore:      truth labels left out
    background:  label 0 of the segmentation: one "label" like others, "ignore"d, or every voxel a
                 "singleton"
    use_mask:    score only where it is known what is there, as with segment.use_mask
    connected:   relabel the truth into connected components inside the region first
    tolerance:   thresholds whose VOI sum on validation is above the best by no more than this
                 fraction are as good, and the lowest of them is picked: chance decides between
                 them, and a wrong merge is dearer than a split
    region:      part of each volume to score; empty: all of it
    block:       voxels that are counted at once
    workers:     processes that count
    """

    ignore: Annotated[tuple[Id, ...], Several] = (0,)
    background: Literal["label", "ignore", "singletons"] = "label"
    use_mask: bool = True
    connected: bool = False
    tolerance: Probability = 0.0
    region: Region = ()
    block: Annotated[Shape, OfEachAxis] = (256, 256, 256)
    workers: Workers = Workers()


__all__ = [
    "Evaluate",
    "Fragments",
    "Mutex",
    "Precision",
    "Predict",
    "Schedule",
    "Segment",
    "Thresholds",
    "Train",
    "Workers",
]
