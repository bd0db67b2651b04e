"""The predicted heads that segmentation starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lsd.blockwise.on_disk.container import beside
from lsd.blockwise.on_disk.step import digest, load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.kernels.prediction import Offsets
from lsd.spec import Config, Head, Segment
from lsd.spec.paths import prediction
from lsd.targets.target import target_kind
from lsd.volumes.array import Array, open_array
from lsd.volumes.inputs import ArrayInput, ArrayState


def neighborhoods(config: Config) -> dict[str, Offsets | None]:
    """The heads that the decoder reads, by name, and the offsets of their channels.

    Raises ValueError if the variant has none of that name, or one that wants affinities has none.
    """
    decoder, heads = decoder_of(config.segment), config.variant.heads()
    dims = config.network.dims
    offsets = {name: target_kind(head.target).neighborhood(dims) for name, head in heads.items()}
    for name in decoder.reads(config.segment):
        if decoder.reads_affinities and offsets.get(name) is None:
            fit = ", ".join(other for other in heads if offsets[other] is not None)
            raise ValueError(
                f"segment.affinities names {name!r}; heads with affinities: {fit or 'none'}"
            )
        if name not in heads:
            raise ValueError(
                f"segment.decoder {config.segment.decoder.kind!r} reads head {name!r}; the variant "
                f"has: {', '.join(heads)}"
            )
    return {name: offsets[name] for name in decoder.reads(config.segment)}


def is_decoded(settings: Segment, heads: Mapping[str, Head]) -> bool:
    """Whether these heads, as of a stage, include all that the decoder reads."""
    return set(decoder_of(settings).reads(settings)) <= set(heads)


def predicted(config: Config, volume: str) -> dict[str, Array]:
    """The heads (c, z, y, x) of a volume that the decoder of the config reads, by name.

    Raises ValueError if there are none, or not all yet, if affinities are of other offsets than
    those of the config's head, or heads are of different regions.
    """
    path = prediction(config, volume)
    _check_whole(path, volume)
    arrays = {name: _head(path, name, offsets) for name, offsets in neighborhoods(config).items()}
    first, *others = arrays.values()
    for other in others:
        if (other.roi, other.voxel_size) != (first.roi, first.voxel_size):
            raise ValueError(
                f"{other.name} is of another region or voxel size than {first.name}; predict them "
                f"again, together"
            )
    return arrays


def _check_whole(path: Path, volume: str) -> None:
    if path.exists():
        return
    begun = step_folder(beside(path), "heads")
    if (begun / "step.json").exists():
        step = load_step(begun)
        raise ValueError(
            f"the prediction of volume {volume!r} is not whole, {left(step)} of its "
            f"{len(step.grid)} blocks are not done; "
            "the script that predicts it goes on from there"
        )
    raise ValueError(
        f"there is no prediction of volume {volume!r} at {path}; run predicter.py first"
    )


def _head(path: Path, name: str, offsets: Offsets | None) -> Array:
    array = open_array(path, name)
    if array.channels is None:
        raise ValueError(
            f"{array.name} has axes {' '.join(array.axes)}; a head needs a channel axis, of "
            f"affinities a channel for each offset"
        )
    if offsets is not None:
        _check_offsets(array, offsets, name)
    return array


def _check_offsets(affs: Array, offsets: Offsets, head: str) -> None:
    """What the network that predicted learnt is not always what the config says: it may be
    another's checkpoint."""
    head = (
        f"head {head!r} of the config's variant; predict again, or take the variant that they were "
        f"predicted with"
    )
    if affs.channels != len(offsets):
        raise ValueError(
            f"{affs.name} has {affs.channels} channels, and there are {len(offsets)} offsets in "
            f"{head}"
        )
    stated = affs.source.handle.attrs.get("neighborhood")
    wanted = [[*(0,) * (affs.roi.dims - len(offset)), *offset] for offset in offsets]
    if stated is not None and [list(offset) for offset in stated] != wanted:
        raise ValueError(
            f"{affs.name} holds affinities of the offsets {stated}, and there are {wanted} in "
            f"{head}"
        )


def prediction_input(array: Array, *, revision: str | None, whole: bool = True) -> ArrayInput:
    """A predicted head as what segmentation depends on: which prediction it is of, and what its
    chunks hold now.

    revision: stands for the chunks (see Segment.revision).  whole: raise ValueError if blocks of
              the prediction are not done
    """
    folder, made_from = step_folder(array.source.path, "heads"), ""
    if (folder / "step.json").exists():
        step = load_step(folder)
        undone = left(step) if whole else 0
        if undone:
            of_all = f"{undone} of its {len(step.grid)} blocks"
            raise ValueError(f"{array.name} is not whole, {of_all} are not done; predict it again")
        made_from = digest(step.depends_on())
    where = f"{array.source.name.removesuffix('/0')} of the prediction"
    state = ArrayState.of(array, where=where, revision=revision)
    return ArrayInput(
        path=str(array.source.path.resolve()),
        name=array.source.name,
        made_from=made_from,
        state=state,
    )
