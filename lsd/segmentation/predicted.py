"""The predicted heads that segmentation reads.

What the channels of a head mean is said by the prediction itself: it records the variant of the
checkpoint that it was made with, which may be another than the config's (`predict.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from funlib.geometry import Roi
from pydantic import TypeAdapter, ValidationError

from lsd.blockwise.on_disk.container import partial_of
from lsd.blockwise.on_disk.step import load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Channels, Learned, Offsets, Prediction, range_of
from lsd.segmentation.over_blocks.inputs import HeadInput
from lsd.spec import Config, Head, Segment, Target, Trunk, Variant
from lsd.spec.paths import prediction
from lsd.spec.plurals import counted
from lsd.system.commands import typed
from lsd.targets.target import target_kind
from lsd.volumes import containers
from lsd.volumes.array import Array, open_array
from lsd.volumes.inputs import ArrayInput, ArrayState


class PredictedHead(NamedTuple):
    """A head on disk, (c, z, y, x)."""

    array: Array
    channels: Channels

    def read(self, roi: Roi) -> Prediction:
        """What of it lies in a region."""
        array = self.array
        values, limits = array.read(roi), range_of(array.source.handle.attrs)
        size = array.voxel_size if array.calibrated else None
        return Prediction.of(values, self.channels, limits=limits, voxel_size=size)


class LearnedHead(NamedTuple):
    """A predicted head on disk (c, z, y, x), and what it learns.

    dims: axes of the network that predicts it
    """

    array: Array
    target: Target
    dims: int


def learned(config: Config, volume: str, head: str) -> LearnedHead:
    """A predicted head of a volume with its target: that of the variant which predicted it.

    Raises ValueError if there is no prediction, or not all of it yet, or no such head in it.
    """
    path = prediction(config, volume)
    _check_whole(path, volume)
    variant, dims = _predicted_variant(path) or (config.variant, config.network.dims)
    heads = variant.heads()
    if head not in heads:
        raise ValueError(
            f"the variant that predicted has no head {head!r}; it has: {', '.join(heads)}"
        )
    target = heads[head].target
    array = _open_head(path, head, channels_of(target, dims))
    return LearnedHead(array, target, dims)


def open_heads(config: Config, volume: str) -> dict[str, PredictedHead]:
    """The predicted heads of a volume that the decoder of the config reads, by name.

    Raises ValueError if there is no prediction, or not all of it yet, if it lacks a head that the
    decoder reads, or if heads are of different regions.
    """
    path = prediction(config, volume)
    _check_whole(path, volume)
    variant, dims = _predicted_variant(path) or (config.variant, config.network.dims)
    read = channels_read(variant.heads(), config.segment, dims=dims)
    heads = {
        name: PredictedHead(_open_head(path, name, channels), channels)
        for name, channels in read.items()
    }
    first, *others = (head.array for head in heads.values())
    for other in others:
        if (other.roi, other.voxel_size) != (first.roi, first.voxel_size):
            raise ValueError(
                f"{other.name} is of another region or voxel size than {first.name}; predict them "
                f"again, together"
            )
    return heads


def channels_read(
    heads: Mapping[str, Head], settings: Segment, *, dims: int
) -> dict[str, Channels]:
    """The heads that the decoder reads, by name, and what their channels are about.

    heads: of the variant that predicts, or predicted; dims: axes of its network
    Raises ValueError if there is no head of that name, or a head is not what the decoder wants.
    """
    decoder = decoder_of(settings)
    channels = {name: channels_of(head.target, dims) for name, head in heads.items()}
    for name in decoder.reads(settings):
        is_affinities = name == settings.affinities
        if decoder.reads_affinities and is_affinities and not _has_offsets(channels.get(name)):
            fit = ", ".join(other for other, each in channels.items() if _has_offsets(each))
            raise ValueError(
                f"segment.affinities names {name!r}; heads with affinities: {fit or 'none'}"
            )
        if name not in heads:
            raise ValueError(
                f"segment.decoder {settings.decoder.kind!r} reads head {name!r}; the variant has: "
                f"{', '.join(heads)}{_other_head(settings, name, heads, channels)}"
            )
    read = {name: channels[name] for name in decoder.reads(settings)}
    misfit = settings.decoder.misfit(settings.affinities, heads) or decoder.misfit(read)
    if misfit:
        raise ValueError(misfit)
    return read


def _other_head(
    settings: Segment, name: str, heads: Mapping[str, Head], channels: Mapping[str, Channels]
) -> str:
    """The end of a message: how the decoder is told to read a head that fits instead of `name`; ""
    where its spec does not name it."""
    spec = settings.decoder
    field = next(
        (field for field, value in vars(spec).items() if value == name and field != "kind"), ""
    )
    if not field:
        return ""
    for other in heads:
        asked = settings.derive(decoder=spec.derive(**{field: other}))
        decoder, misfit = decoder_of(asked), asked.decoder.misfit(asked.affinities, heads)
        read = {each: channels[each] for each in decoder.reads(asked) if each in channels}
        if not misfit and other in read and not decoder.misfit(read):
            fields = type(spec).model_fields
            usual = {
                each for each in fields if getattr(asked.decoder, each) == fields[each].default
            }
            written = asked.decoder.model_dump_json(exclude=usual - {"kind", field})
            return f"; take segment.decoder='{written}'"
    return f"; none of them is what it reads, so take another decoder, or learn head {name!r}"


def channels_of(target: Target, dims: int) -> Channels:
    """What the channels of a head are about that learns a target; dims: axes of the network."""
    kind = target_kind(target)
    return Channels(
        kind.channels(dims),
        kind.neighborhood(dims),
        kind.occupancy_offsets(dims),
        kind.channel_names(dims),
        Learned(target, dims),
    )


def _has_offsets(channels: Channels | None) -> bool:
    return channels is not None and channels.neighborhood is not None


def why_not_decoded(settings: Segment, variant: Variant, *, dims: int) -> str:
    """Why the decoder cannot read what a variant predicts, "" where it can; dims: axes of its
    network."""
    try:
        channels_read(variant.heads(), settings, dims=dims)
    except ValueError as error:
        return str(error)
    return ""


def is_decoded(settings: Segment, heads: Mapping[str, Head], *, dims: int) -> bool:
    """Whether these heads, as of a stage, are what the decoder reads; dims: axes of the
    network."""
    try:
        channels_read(heads, settings, dims=dims)
    except ValueError:
        return False
    return True


def head_input(head: PredictedHead, *, revision: str | None, whole: bool = True) -> HeadInput:
    """A head as what segmentation depends on; see `prediction_input`."""
    array, of = prediction_input(head.array, revision=revision, whole=whole), head.channels
    return HeadInput(array, of.neighborhood, of.occupancy, of.names, of.learned)


def prediction_input(array: Array, *, revision: str | None, whole: bool = True) -> ArrayInput:
    """A predicted head as what segmentation depends on: the prediction that it is of, and the state
    of its chunks.

    revision: stands for the chunks (see Segment.revision)
    whole:    raise ValueError if blocks of the prediction are not done
    """
    folder, made_from = step_folder(array.source.path, "heads"), ""
    if (folder / "step.json").exists():
        step = load_step(folder)
        undone = left(step) if whole else 0
        if undone:
            blocks = counted(len(step.grid), "block")
            raise ValueError(
                f"{array.name} is not whole, {undone} of its {blocks} are not done; predict it "
                f"again with {typed('predict')}"
            )
        made_from = step.digest
    place = f"{array.source.name.removesuffix('/0')} of the prediction"
    return ArrayInput(
        path=str(array.source.path.resolve()),
        name=array.source.name,
        made_from=made_from,
        state=ArrayState.of(array, where=place, revision=revision),
    )


def _check_whole(path: Path, volume: str) -> None:
    if path.exists():
        return
    folder = step_folder(partial_of(path), "heads")
    if (folder / "step.json").exists():
        step = load_step(folder)
        blocks = counted(len(step.grid), "block")
        raise ValueError(
            f"the prediction of volume {volume!r} is not whole, {left(step)} of its {blocks} are "
            f"not done; {typed('predict')} goes on from there"
        )
    raise ValueError(
        f"there is no prediction of volume {volume!r} at {path}; run {typed('predict')} first"
    )


def _predicted_variant(path: Path) -> tuple[Variant, int] | None:
    """The variant that predicted, and the axes of its network; None where no array records it.

    Arrays of other programs, and of versions whose specs this one does not know, record none.
    """
    for name in containers.array_names(path):
        record = open_array(path, name).source.handle.attrs.get("prediction", {})
        if isinstance(record, Mapping) and {"variant", "trunk"} <= set(record):
            try:
                trunk: Any = TypeAdapter(Trunk).validate_python(record["trunk"])
                return Variant.model_validate(record["variant"]), trunk.dims
            except ValidationError:
                return None
    return None


def _open_head(path: Path, name: str, channels: Channels) -> Array:
    if name not in containers.array_names(path):
        raise ValueError(
            f"{path} holds no head {name!r}; it holds: "
            f"{', '.join(containers.array_names(path))}; name "
            f"it in predict.heads, and run {typed('predict')} again"
        )
    array = open_array(path, name)
    if array.channels is None:
        raise ValueError(
            f"{array.name} has axes {' '.join(array.axes)}; a head needs a channel axis, of "
            f"affinities a channel for each offset"
        )
    if channels.neighborhood is not None:
        _check_offsets(array, channels.neighborhood, name)
    elif array.channels != channels.count:
        raise ValueError(
            f"{array.name} has {counted(array.channels, 'channel')}, and head {name!r} of the "
            f"config's variant {channels.count}; predict again, or take the variant that it was "
            f"predicted with"
        )
    return array


def _check_offsets(affs: Array, offsets: Offsets, head: str) -> None:
    """Raises ValueError unless the array has the channels of this neighborhood.

    An array that does not record how it was predicted may have other ones than the config's head.
    """
    head = (
        f"head {head!r} of the config's variant; predict again, or take the variant that they were "
        f"predicted with"
    )
    if affs.channels != len(offsets):
        raise ValueError(
            f"{affs.name} has {counted(affs.channels or 0, 'channel')}, and there are "
            f"{len(offsets)} offsets in {head}"
        )
    recorded = affs.source.handle.attrs.get("neighborhood")
    wanted = [[*(0,) * (affs.roi.dims - len(offset)), *offset] for offset in offsets]
    if recorded is not None and [list(offset) for offset in recorded] != wanted:
        raise ValueError(
            f"{affs.name} holds affinities of the offsets {recorded}, and there are {wanted} in "
            f"{head}"
        )
