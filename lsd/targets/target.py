"""What a head learns, whatever kind of target it is.

A kind of target is a spec, plain data in a config, and a class that does what the spec says, made
from it.  In a module of one's own:

    class Distance(Target):                           # lsd.spec.Target
        kind: Literal["distance"] = "distance"
        behaviour: ClassVar[str] = "my_module:DistanceTarget"
        scale: float = 50.0

    class DistanceTarget(TargetKind[Distance]):
        def channels(self, dims): return 1
        def compute(self, sample): return values, known

See `TargetKind` for all that a kind may say; channels and compute are all that it must.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

import numpy as np
import numpy.typing as npt
from funlib.geometry import Coordinate

from lsd import spec
from lsd.arrays.offsets import Offset, for_dims
from lsd.arrays.turning import Turn
from lsd.spec.answering import class_place, title_at
from lsd.spec.code import is_outside
from lsd.spec.kinds import behaviour
from lsd.targets.activation import Readout, Sigmoid
from lsd.targets.opinion import Opinion, of_affinities, of_voxels_around
from lsd.targets.storage import Storage

Array = npt.NDArray[Any]
Values = npt.NDArray[np.float32]
Known = npt.NDArray[np.bool_]
Settings = TypeVar("Settings", bound=spec.Target)


@dataclass(frozen=True)
class Sample:
    """What a target is computed from; arrays are z y x, in 2D y x, and of one shape.

    labels:     integers, 0 is background; of a target about the objects of another array
                (`lsd.spec.Target.objects`), that array
    voxel_size: nm, one an axis
    known:      voxels whose label is known, not 0; None: all.  Label 0 inside is background
    arrays:     other truth by name, those that the target asks for (`TargetKind.arrays`)
    device:     a torch device to compute on, for targets that can; None: the cores of this machine
    threads:    None: as many as this process has cores

    Raises ValueError if shapes differ.
    """

    labels: Array
    voxel_size: Sequence[float]
    known: Array | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)
    device: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        others = self.arrays if self.known is None else {"known": self.known, **self.arrays}
        for name, array in others.items():
            if array.shape != self.labels.shape:
                raise ValueError(
                    f"{name} has shape {array.shape}, labels {self.labels.shape}; crop both to the "
                    f"same region"
                )

    @property
    def dims(self) -> int:
        """2 or 3."""
        return self.labels.ndim

    @property
    def inside(self) -> Known:
        """True where the label is known, of the shape of labels."""
        if self.known is None:
            return np.ones(self.labels.shape, np.bool_)
        return np.asarray(self.known, np.bool_)

    def array(self, name: str) -> Array:
        """Further truth of this name.  Raises ValueError if it is not there."""
        if name not in self.arrays:
            raise ValueError(
                f"a target learns from the array {name!r}; this volume has: "
                f"{', '.join(self.arrays) or 'none'} (see Volume.arrays)"
            )
        return self.arrays[name]


class TargetKind(ABC, Generic[Settings]):
    """What a kind of target does; an instance is made from its spec, which is `self.spec`.

    activation: what becomes of the logits of a head that learns it; its range is that of the
                values of the target
    binary:     whether values are 0 or 1, so that both can be balanced
    is_foreground: whether it is one channel that is 1 on the objects that it is about, 0 elsewhere
    is_local:   whether the target of a voxel follows from labels within `context` and `partners`;
                not so of what looks at whole objects, wherever they go on

    dims is 2 or 3 everywhere: of the network, not of the volume.  What a kind cannot do in 2D or
    in 3D is said by its spec (`lsd.spec.Target.faults`), before anything runs.
    """

    activation: Readout = Sigmoid()
    binary: bool = False
    is_foreground: bool = False
    is_local: bool = True

    def __init__(self, settings: Settings) -> None:
        self.spec = settings

    @abstractmethod
    def channels(self, dims: int) -> int:
        """How many channels the values of a head have: the target, and what is predicted."""

    @abstractmethod
    def compute(self, sample: Sample) -> tuple[Values, Known]:
        """Target and where it is known: (c, z, y, x) float32 and bool, in 2D (c, y, x).

        Near the border of labels, where context is missing, values may be wrong; whoever needs
        them right crops `context` voxels.
        """

    def context(self, voxel_size: Sequence[float]) -> Coordinate:
        """Voxels of labels around a region, on each side, that its target depends on; none unless
        a kind says so.  voxel_size: nm, one an axis."""
        return Coordinate((0,) * len(voxel_size))

    @property
    def stride(self) -> int:
        """Voxels along each axis from one sample of the labels to the next: the target of a region
        is that of the whole where it begins at a multiple of so many.  1 unless a kind says so."""
        return 1

    def logit_channels(self, dims: int) -> int:
        """How many channels the network gives; as many as the values have unless a kind, whose
        activation makes others of them, says so."""
        return self.channels(dims)

    def partners(self, dims: int) -> tuple[Offset, ...]:
        """Offsets from a voxel to others whose logits its values are made of, in voxels; none
        unless a kind says so.

        Values are right where all of them lie inside the logits, and only those are kept: blocks of
        a prediction, and what a later stage reads, compute so much more around.
        """
        return ()

    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays (Volume.arrays), other than labels, that it is computed from: the one
        whose objects it is about, and others that a kind names."""
        objects = self.spec.objects()
        return () if objects is None else (objects,)

    def remarks(self, output: Sequence[int], voxel_size: Sequence[float] | None) -> list[str]:
        """What is strange, but not wrong, about learning it from outputs of that shape (voxels);
        voxel_size: nm, as many axes; None where nobody knows it."""
        return []

    @property
    def storage(self) -> Storage:
        """How predicted values lie on disk: 255 steps over the range of the activation."""
        return Storage(self.activation.low, self.activation.high)

    def attributes(self, dims: int, *, axes: int) -> dict[str, Any]:
        """What the attributes of a predicted array say beside where it is from; `axes` is that of
        the volume.  Of affinities, their neighborhood in voxels, an offset for each channel; of
        what says where objects are around a voxel, these offsets."""
        named = {
            "neighborhood": self.neighborhood(dims),
            "occupancy_offsets": self.occupancy_offsets(dims),
        }
        return {
            name: [[*(0,) * (axes - dims), *offset] for offset in offsets]
            for name, offsets in named.items()
            if offsets is not None
        }

    def neighborhood(self, dims: int) -> tuple[Offset, ...] | None:
        """Offsets of the channels, where it is affinities (`lsd.spec.Target.affinity_offsets`);
        None for any other target."""
        offsets = self.spec.affinity_offsets()
        return None if offsets is None else for_dims(offsets, dims)

    def occupancy_offsets(self, dims: int) -> tuple[Offset, ...] | None:
        """Offsets of the channels, where each says whether the voxel at its offset is of an object,
        whichever; None for any other target."""
        return None

    def channel_names(self, dims: int) -> tuple[str, ...]:
        """Names of the channels, by which a decoder may take one of them; () where they have
        none."""
        return ()

    @property
    def lowest(self) -> bool:
        """Whether the lowest of several opinions counts where predict.opinions="lowest", instead of
        the mean; so it is for affinities."""
        return self.spec.affinity_offsets() is not None

    def turned(self, turn: Turn) -> tuple[Opinion | None, ...]:
        """For each channel where a prediction of turned raw, turned back, holds it; None: nowhere.

        Affinities, and what is said of voxels around, are found by their offsets.  Unless a kind
        says so, any other channel stays what it is, as is right for all that knows no direction.
        """
        dims = len(turn.order)
        offsets, around = self.neighborhood(dims), self.occupancy_offsets(dims)
        if offsets is not None:
            return of_affinities(offsets, turn)
        if around is not None:
            return of_voxels_around(around, turn)
        return tuple(Opinion(channel, (0,) * dims) for channel in range(self.channels(dims)))

    def axis_keys(self, dims: int) -> Sequence[Hashable]:
        """One value an axis: only axes whose values are equal may change places in test-time
        augmentation."""
        return (None,) * dims


def target_kind(target: spec.Target) -> TargetKind[Any]:
    """What a target does, made from its spec.  Raises ValueError where its class cannot be
    imported, or has no activation."""
    kind = cast(TargetKind[Any], behaviour(target))
    if is_outside(target):
        _check_activation(target, kind)
    return kind


def check_of_labels(target: spec.Target) -> None:
    """ValueError for a target that is not computed from labels alone."""
    needed = target_kind(target).arrays()
    if needed:
        raise ValueError(
            f"target {target.kind!r} is computed from the array {needed[0]!r}, of which a "
            f"segmentation says nothing; compare a head that learns from labels, such as "
            f"descriptors"
        )


def channels(target: spec.Target, dims: int) -> int:
    """Channels of the target in 2D or 3D."""
    return target_kind(target).channels(dims)


def compute(
    target: spec.Target,
    labels: Array,
    *,
    known: Array | None = None,
    arrays: Mapping[str, Array] | None = None,
    voxel_size: Sequence[float],
    device: str | None = None,
    threads: int | None = None,
) -> tuple[Values, Known]:
    """The target of `labels` (z, y, x) and where it is known: (c, z, y, x) float32 and bool.

    known:   voxels whose label is known, not 0; None: all.  Label 0 inside is background
    arrays:  other voxel-wise truth by name, of the shape of labels
    device, threads: see `Sample`

    Near the border the target lacks context; crop `TargetKind.context` voxels where it matters.
    Raises ValueError if shapes differ, if an array is missing, or if the kind gives what it should
    not.
    """
    sample = Sample(labels, voxel_size, known, arrays or {}, device, threads)
    kind, objects = target_kind(target), target.objects()
    if objects is not None:
        sample = replace(sample, labels=sample.array(objects))
    values, valid = kind.compute(sample)
    wanted = (kind.channels(sample.dims), *labels.shape)
    title = title_at(target, kind, method="compute")
    if not (_is_array(values, wanted, np.float32) and _is_array(valid, wanted, np.bool_)):
        raise ValueError(
            f"{title} gives values {_described(values)}, known "
            f"{_described(valid)}; wanted: float32 and bool, both {wanted}, as labels are "
            f"{labels.shape} and its method channels gives {wanted[0]} in {sample.dims}D"
        )
    if is_outside(target):
        _check_range(kind, values[valid], title)
    return values, valid


def _is_array(value: object, shape: tuple[int, ...], dtype: npt.DTypeLike) -> bool:
    return isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.shape} {value.dtype}"
    return f"of type {type(value).__name__}"


def _check_activation(target: spec.Target, kind: TargetKind[Any]) -> None:
    """Raises ValueError where the class has, or an instance gets, a class or a name in the place of
    an activation."""
    activation = inspect.getattr_static(kind, "activation")
    if isinstance(activation, type):
        way_out = f"the class {activation.__name__}; write {activation.__name__}(), an instance"
    elif isinstance(activation, str):
        way_out = f"{activation!r}; write an instance of an activation, such as Sigmoid()"
    else:
        return
    title = f"target {target.kind!r}{class_place(type(kind))}"
    raise ValueError(f"{title}: its activation is {way_out}")


def _check_range(kind: TargetKind[Any], values: npt.NDArray[np.float32], title: str) -> None:
    low, high = kind.activation.low, kind.activation.high
    least, most = (float(values.min()), float(values.max())) if values.size else (low, high)
    if not low <= least <= most <= high:
        raise ValueError(
            f"{title} gives values in {least:g}..{most:g} where they are known, "
            f"and its activation {type(kind.activation).__name__} reaches {low:g}..{high:g}; scale "
            "the values, or give the target another activation"
        )
