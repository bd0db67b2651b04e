"""The affinities that segmentation starts from."""

from __future__ import annotations

from collections.abc import Sequence

from lsd.blockwise.on_disk.container import beside
from lsd.blockwise.on_disk.step import digest, load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.spec import Config
from lsd.spec.paths import prediction
from lsd.targets.target import target_kind
from lsd.volumes.array import Array, open_array
from lsd.volumes.inputs import ArrayInput, ArrayState


def neighborhood(config: Config) -> tuple[tuple[int, ...], ...]:
    """Offsets of the head that segment.affinities names, in the axes of the network.  Raises
    ValueError if it has none."""
    wanted, neighborhoods = config.segment.affinities, {}
    for name, head in config.variant.heads().items():
        offsets = target_kind(head.target).neighborhood(config.network.dims)
        if offsets is not None:
            neighborhoods[name] = offsets
    if wanted not in neighborhoods:
        raise ValueError(
            f"segment.affinities names {wanted!r}; heads with affinities: "
            f"{', '.join(neighborhoods) or 'none'}"
        )
    return neighborhoods[wanted]


def predicted(config: Config, volume: str) -> Array:
    """A volume's affinities (c, z, y, x).

    Raises ValueError if there are none, or not all yet, or if they are of other offsets than those
    of the config's head.
    """
    path, head = prediction(config, volume), config.segment.affinities
    if not path.exists():
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
    affs = open_array(path, head)
    if affs.channels is None:
        raise ValueError(
            f"{affs.name} has axes {' '.join(affs.axes)}; affinities need a channel for each offset"
        )
    _check_offsets(affs, neighborhood(config), head)
    return affs


def _check_offsets(affs: Array, offsets: Sequence[Sequence[int]], head: str) -> None:
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


def affinities_input(affs: Array, *, revision: str | None, whole: bool = True) -> ArrayInput:
    """Affinities as what segmentation depends on: which prediction they are of, and what their
    chunks hold now.

    revision: stands for the chunks (see Segment.revision).  whole: raise ValueError if blocks of
              the prediction are not done
    """
    folder, made_from = step_folder(affs.source.path, "heads"), ""
    if (folder / "step.json").exists():
        step = load_step(folder)
        undone = left(step) if whole else 0
        if undone:
            of_all = f"{undone} of its {len(step.grid)} blocks"
            raise ValueError(f"{affs.name} is not whole, {of_all} are not done; predict it again")
        made_from = digest(step.depends_on())
    where = f"{affs.source.name.removesuffix('/0')} of the prediction"
    state = ArrayState.of(affs, where=where, revision=revision)
    return ArrayInput(
        path=str(affs.source.path.resolve()),
        name=affs.source.name,
        made_from=made_from,
        state=state,
    )
