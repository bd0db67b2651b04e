"""How a run trains, validates and predicts."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lsd.spec.base import (
    NonNegative,
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
from lsd.spec.hosts import Hosts, LaunchCommand, check_launch
from lsd.spec.modes import Mode, Plain
from lsd.spec.sampling import AroundObjects

Precision = Literal["auto", "fp32", "bf16", "fp16"]
Device = Annotated[str, AfterValidator(lambda name: _device(name))]
Decay = Annotated[float, Field(ge=0, lt=1)]
Thresholds = Annotated[tuple[Probability, ...], Several, Field(min_length=1)]
Names = Annotated[tuple[str, ...], Several]
_IN_BLOCKS = NoEffect("the blocks that follow from it are part of every fingerprint")
_TOLD = NoEffect("it is about what is shown of a training, not about its steps")
_BEGINS = NoEffect("it decides whether to begin or to go on")


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
    final:  fraction of the learning rate that is left once all iterations are done
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
    mode:          what training does beside one step after another, by name or as a value, e.g.
                   forkmerge
    clip:          largest norm of the gradient; None: not clipped
    ema:           decay of the averaged weights that are validated and predicted with, e.g. 0.999;
                   None: none
    precision:     fp32, bf16 or fp16 (with a gradient scaler) inside the network; weights stay
                   fp32.  auto: bf16 where the device has its arithmetic built in, else fp32, so
                   other machines may give other numbers
    channels_last: memory layout with channels last, which is faster on many processors
    compile:       torch.compile the network
    device:        auto (cuda, else mps, else cpu), cpu, cuda, cuda:1 ..
    devices:       processes that share every batch, each with a GPU of its own (or with its part of
                   the cores): so many on each machine; more change no result, but for rounding
    hosts:         machines that training is sent to, through Slurm, LSF or a command of your own
    seed:          everything random follows from it and the iteration
    workers:       processes that make batches, for each of `devices`; 0: those themselves
    threads:       of the CPU inside the network; None: one for each core.  The last bits of a
                   result depend on it
    checkpoint_every: iterations between checkpoints
    keep:          how many checkpoints are kept (the best and the latest always)
    log_every:     iterations between scalars in tensorboard; 0: never
    snapshot_every: iterations between pictures in tensorboard; 0: never
    validate_every: iterations between validations; 0: never
    init:          stage name -> checkpoint to start from: continues from its weights (fine-tuning)
    frozen:        stages that are not trained; their weights come from init
    min_masked:    this fraction of each sample's output is labelled, at least; any such place is as
                   likely as another
    sampling:      None: samples lie anywhere that is labelled enough; AroundObjects(...): around
                   objects
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
    # not written where it is the usual one: configs of before had no such field
    mode: Annotated[Mode, Field(exclude_if=lambda kind: kind == Plain())] = Plain()
    clip: PositiveFloat | None = None
    ema: Decay | None = None
    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    device: Device = "auto"
    devices: Positive = 1
    hosts: Hosts = Hosts()
    threads: Positive | None = None
    seed: NonNegative = 0
    workers: Annotated[NonNegative, NoEffect("a batch follows from seed and number")] = 2
    min_masked: Probability = 0.5
    # not written where there is none: configs of before had no such field
    sampling: Annotated[
        AroundObjects | None, Field(exclude_if=lambda sampling: sampling is None)
    ] = None
    changed_data: Annotated[Literal["refuse", "accept"], _BEGINS] = "refuse"
    small: Annotated[Literal["pad", "refuse"], _BEGINS] = "pad"
    checkpoint_every: Annotated[
        Positive, NoEffect("a run that goes on from a checkpoint is as if it had not been stopped")
    ] = 1000
    keep: Annotated[Positive, NoEffect("the best and the latest are kept always")] = 3
    log_every: Annotated[NonNegative, _TOLD] = 10
    snapshot_every: Annotated[NonNegative, _TOLD] = 1000
    validate_every: NonNegative = 0
    init: dict[str, str] = {}
    frozen: Names = ()

    @model_validator(mode="after")
    def _shares_devices(self) -> Train:
        if self.devices > 1 and (self.device == "mps" or ":" in self.device):
            raise ValueError(
                f"device={self.device!r} is one device, and devices={self.devices} processes need "
                "one each; take device=cuda (which takes cuda:0, cuda:1 ..), auto or cpu"
            )
        return self

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
    launch: LaunchCommand | None = None
    options: str = ""
    host: str | None = None
    timeout: PositiveFloat = 3600.0
    retries: NonNegative = 2

    @model_validator(mode="before")
    @classmethod
    def _is_no_number(cls, given: object) -> object:
        if isinstance(given, int) and not isinstance(given, bool):
            raise ValueError(
                f"got {given}, wanted several fields by name; the number of processes is .count, "
                f"as in segment.workers.count={given}"
            )
        return given

    @model_validator(mode="after")
    def _launches_a_worker(self) -> Workers:
        check_launch(self.launch)
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
    precision, channels_last, compile, device: as in training; blocks of several precisions are not
                 mixed, so "auto" is settled where the run begins, if its workers are there
    threads:     of the CPU inside the network; None: one for each core, of workers one each.
                 The last bits of a prediction depend on it, so blocks of several are not mixed
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

    @property
    def is_own_checkpoint(self) -> bool:
        """Whether the run predicts with what it trained; a checkpoint that is named by its path has
        a variant and a network of its own."""
        return self.checkpoint in ("best", "latest")


__all__ = [
    "Precision",
    "Predict",
    "Schedule",
    "Thresholds",
    "Train",
    "Workers",
]
