"""Arrays on disk as what a block function depends on: how to open them, and what tells their
content from another.

A job (`lsd.blockwise.on_disk.job`) that holds such a value can open its arrays and no others, and
the value is part of the job's fingerprint.  So whatever a block reads is in the fingerprint,
because there is no other way to read it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any, NoReturn

from funlib.geometry import Coordinate, Roi

from lsd.spec import Spec, Volume
from lsd.spec.effect import NoEffect, Wording
from lsd.volumes.array import Array, open_array
from lsd.volumes.state import address, content
from lsd.volumes.units import Remainder
from lsd.volumes.volume import OpenVolume, open_volume

Box = tuple[tuple[int, ...], tuple[int, ...]]


class ArrayState(Spec):
    """What an array holds in the part that is read.

    place:   for messages; layout: its axes, voxel size and place in the world, dtype: of its voxels
    read:    the part that is looked at, (begin, shape) in voxels of the world
    content: from its chunks (see `state`), or the revision that stands for them
    """

    place: str
    layout: dict[str, Any]
    dtype: str
    read: Annotated[
        Box, NoEffect("what is read follows from the blocks, which are part of every fingerprint")
    ]
    revision: str | None = None
    content: Annotated[str, Wording("{place} was changed since")]

    @classmethod
    def of(
        cls,
        array: Array,
        roi: Roi | None = None,
        *,
        where: str | None = None,
        revision: str | None = None,
    ) -> ArrayState:
        """The state of `array` within `roi`, by default all that may be read of it.  revision: see
        `Volume.revision`."""
        inside = array.roi if roi is None else array.roi.intersect(roi)
        return cls(
            place=address(array.source.path.resolve(), array.source.name)
            if where is None
            else where,
            layout=_layout(array),
            dtype=str(array.dtype),
            read=box_of(inside),
            revision=revision,
            content=""
            if revision is not None or inside.empty
            else content(array.source, array.layout.slices(inside)),
        )

    def again(self, array: Array) -> ArrayState:
        """The state of the same part of the same array now."""
        return ArrayState.of(array, Roi(*self.read), where=self.place, revision=self.revision)


class ArrayInput(Spec):
    """An array of another container than the one that a step writes to.

    made_from: what it was made from, where it is an output of this program
    """

    path: Annotated[
        str,
        NoEffect(
            "a run's folder may be moved: what it is made from and its content tell the array"
        ),
    ]
    name: str
    made_from: Annotated[str, Wording("{state.place} was made anew")] = ""
    state: ArrayState

    def open(self) -> Array:
        """The array.  Raises ValueError if it is another one by now."""
        return _unchanged(open_array(self.path, self.name), self.state)

    def changed(self) -> list[str]:
        """What was changed since, in words."""
        return _changed(open_array(self.path, self.name), self.state)


class OwnArray(Spec):
    """An array of the container that a step writes to, which an earlier step wrote."""

    name: str
    state: ArrayState

    @classmethod
    def of(cls, container: Path, name: str, *, revision: str | None = None) -> OwnArray:
        """The state of the array as it is now."""
        return cls(
            name=name,
            state=ArrayState.of(open_array(container, name), where=name, revision=revision),
        )

    def open(self, container: Path) -> Array:
        """The array.  Raises ValueError if it is another one by now."""
        return _unchanged(open_array(container, self.name), self.state)

    def changed(self, container: Path) -> list[str]:
        """What was changed since, in words."""
        return _changed(open_array(container, self.name), self.state)


class VolumeInput(Spec):
    """The arrays of a volume that a block function reads; opening it gives no others.

    volume: its spec, reduced to what is read
    arrays: state of each by its name: "raw", "labels", "labels_mask" or "arrays.<name>"
    """

    name: Annotated[str, NoEffect("it is for messages")]
    data_root: Annotated[str, NoEffect("where each array lies is said with its state")]
    volume: Volume
    arrays: dict[str, ArrayState]

    @classmethod
    def raw(cls, volume: OpenVolume, data_root: Path, *, roi: Roi) -> VolumeInput:
        """Raw of `roi` and what of it is mirrored."""
        spec = _reduced(volume.spec, labels=None, labels_mask=None, unknown=None, region=())
        return _input(volume, spec, data_root, {"raw": roi})

    @classmethod
    def truth(
        cls, volume: OpenVolume, data_root: Path, *, roi: Roi, arrays: Collection[str] = ()
    ) -> VolumeInput:
        """Labels of `roi`, and where they are known; arrays: further truth, by its names in
        Volume.arrays."""
        further = {name: volume.spec.arrays[name] for name in arrays}
        spec = _reduced(
            volume.spec, region=_slices(volume.in_file(volume.roi)), fit="intersect", arrays=further
        )
        read = {"labels": roi, **{f"arrays.{name}": roi for name in arrays}}
        return _input(volume, spec, data_root, {**read, **_known(volume, roi)})

    @classmethod
    def known(cls, volume: OpenVolume, data_root: Path, *, roi: Roi) -> VolumeInput:
        """Where truth is known within `roi`, by the mask, the unknown label, and where raw is
        finite."""
        labels = volume.spec.labels if volume.spec.unknown is not None else None
        spec = _reduced(
            volume.spec, labels=labels, region=_slices(volume.in_file(volume.roi)), fit="intersect"
        )
        return _input(
            volume, spec, data_root, ({"labels": roi} if labels else {}) | _known(volume, roi)
        )

    @classmethod
    def inside(cls, volume: OpenVolume, data_root: Path) -> VolumeInput:
        """Where its images are; nothing of them is read, also not whether raw is finite."""
        nothing = {"labels": None, "labels_mask": None, "unknown": None, "region": ()}
        spec = _reduced(volume.spec, **nothing, invalid="refuse")
        return _input(volume, spec, data_root, {})

    @classmethod
    def everything(cls, volume: OpenVolume, data_root: Path, *, around: Coordinate) -> VolumeInput:
        """All arrays of the volume's region, and raw also as many voxels around it."""
        truth = dict.fromkeys(_arrays(volume), volume.roi)
        return _input(
            volume, volume.spec, data_root, {**truth, "raw": volume.roi.grow(around, around)}
        )

    def open(self) -> OpenVolume:
        """The volume; what is no part of this value can be asked where it lies, but not read.

        Raises ValueError if an array is another one by now.
        """
        volume = self._open()
        arrays = {
            name: _unchanged(array, self.arrays[name]) if name in self.arrays else _closed(array)
            for name, array in _arrays(volume).items()
        }
        labels, mask = arrays.get("labels"), arrays.get("labels_mask")
        further = {name: arrays[f"arrays.{name}"] for name in volume.arrays}
        return replace(volume, raw=arrays["raw"], labels=labels, labels_mask=mask, arrays=further)

    def containers(self) -> list[Path]:
        """The containers of its arrays."""
        return [array.source.path for array in _arrays(self._open()).values()]

    def changed(self) -> list[str]:
        """What was changed since, in words."""
        arrays = _arrays(self._open())
        return [
            line for name, state in self.arrays.items() for line in _changed(arrays[name], state)
        ]

    def _open(self) -> OpenVolume:
        return open_volume(self.volume, name=self.name, data_root=Path(self.data_root))


def box_of(roi: Roi) -> Box:
    """(begin, shape) of a ROI, as JSON has it."""
    return tuple(int(n) for n in roi.begin), tuple(int(n) for n in roi.shape)


class _Closed(Array):
    """An array that is no input of the job, and must not be read, on whatever grid."""

    def on_grid(self, remainder: Remainder) -> Array:
        return _closed(super().on_grid(remainder))

    def read(self, *_: Any, **__: Any) -> NoReturn:
        raise AssertionError(
            f"{self.name} is no part of the job's fingerprint, so a block must not read it"
        )


def _closed(array: Array) -> Array:
    return _Closed(array.source, array.layout, array.dtype, roi=array.roi)


def _input(volume: OpenVolume, spec: Volume, data_root: Path, read: dict[str, Roi]) -> VolumeInput:
    arrays, spec = _arrays(volume), spec.derive(skeletons=None)
    states = {
        name: ArrayState.of(arrays[name], roi, revision=volume.spec.revision)
        for name, roi in read.items()
        if name in arrays
    }
    return VolumeInput(name=volume.name, data_root=str(data_root), volume=spec, arrays=states)


def _arrays(volume: OpenVolume) -> dict[str, Array]:
    further = {f"arrays.{name}": array for name, array in volume.arrays.items()}
    named = {
        "raw": volume.raw,
        "labels": volume.labels,
        "labels_mask": volume.labels_mask,
        **further,
    }
    return {name: array for name, array in named.items() if array is not None}


def _known(volume: OpenVolume, roi: Roi) -> dict[str, Roi]:
    reads_raw = volume.spec.invalid == "mask" and volume.raw.dtype.kind == "f"
    return {"labels_mask": roi} | ({"raw": roi} if reads_raw else {})


def _reduced(volume: Volume, **changes: Any) -> Volume:
    """The spec without what no block reads, and with `changes`."""
    nothing = {"arrays": {}, "weight": 1.0, "name": None}
    fields = {**volume.model_dump(), **nothing, **changes}
    if volume.images is not None:
        # which images there are is said with the state of each array
        unread = {} if fields["labels"] else {"holds": "instances"}
        fields["images"] = {**fields["images"], "split": None, **unread}
    array_names = {"raw", *(role for role in ("labels", "labels_mask") if fields[role])}
    array_names |= set(fields["arrays"])
    for field in ("voxel_size", "offset", "axes"):
        if isinstance(fields[field], dict):
            by_name = {name: value for name, value in fields[field].items() if name in array_names}
            fields[field] = by_name or None
    return Volume.model_validate(fields)


def _layout(array: Array) -> dict[str, Any]:
    """Every field that tells an array's layout from others, as JSON."""
    return {
        field.name: _plain(getattr(array.layout, field.name))
        for field in fields(array.layout)
        if field.compare
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, str | float | None):
        return value
    return int(value) if isinstance(value, Integral) else str(value)


def _slices(roi: Roi) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in zip(roi.begin, roi.end, strict=True))


def _unchanged(array: Array, state: ArrayState) -> Array:
    """`array` if it lies where it did; what its chunks hold is looked at where a run begins and
    ends."""
    if (_layout(array), str(array.dtype)) != (state.layout, state.dtype):
        raise ValueError(f"{array.name} was replaced since the run began; run it again")
    return array


def _changed(array: Array, state: ArrayState) -> list[str]:
    current = state.again(array)
    same = (current.layout, current.dtype, current.content) == (
        state.layout,
        state.dtype,
        state.content,
    )
    return [] if same else [f"{state.place} was changed"]
