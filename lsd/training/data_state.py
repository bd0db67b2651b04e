"""The state of the training data on disk: the weights of a run follow from one state of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from funlib.geometry import Coordinate

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

# by the volume's name, and the array's: the state of the array as JSON
States = dict[str, dict[str, Any]]
# fields of an array's state that tell whether its content is the same
_IDENTITY = ("layout", "dtype", "content")


def training_states(config: Config) -> States:
    """The state of each array of each training volume, as JSON."""
    root, shape = data_root(config), config.network.train_shape
    inputs = {
        name: volume_input(
            open_volume(volume, name=name, data_root=root), data_root=root, input_shape=shape
        )
        for name, volume in config.dataset.part("train").items()
    }
    return {
        name: {array: state.model_dump(mode="json") for array, state in volume.arrays.items()}
        for name, volume in inputs.items()
    }


def volume_input(volume: OpenVolume, *, data_root: Path, input_shape: Sequence[int]) -> VolumeInput:
    """All arrays of a volume's region, and of raw as much around it as enters the network.

    input_shape: of the network, voxels
    """
    missing_axes = (0,) * (volume.roi.dims - len(input_shape))
    around = Coordinate(missing_axes + tuple(input_shape))
    return VolumeInput.everything(volume, data_root, around=around)


@dataclass(frozen=True)
class _Changed:
    """An array whose state is another one than a checkpoint recorded."""

    volume: str
    array: str
    old_place: str
    place: str

    @property
    def was_edited(self) -> bool:
        """Whether it lies where it did; what was moved may hold the same."""
        return self.place == self.old_place


def check_data(
    recorded: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, Mapping[str, Any]],
    *,
    checkpoint: Path,
    changed_data: Literal["refuse", "accept"],
) -> None:
    """Raises ValueError where training data were changed since a checkpoint was written.

    recorded: their states when the checkpoint was trained; states: their states now
    With changed_data="accept" this is a warning.  Files that lie elsewhere may hold the same, so
    they are a warning as well.
    """
    changed = list(_changed(recorded, states))
    edited = ", ".join(
        f"{each.place} ({each.array} of {each.volume!r})" for each in changed if each.was_edited
    )
    if edited and changed_data == "refuse":
        raise ValueError(
            f"{edited} changed since {checkpoint} was trained, whose weights follow from the data; "
            f"give the run another name= (train.init names {checkpoint} where it is to begin with "
            f"these weights), or, if it may learn from both, set train.changed_data=accept"
        )
    if edited:
        log.warning(
            "%s changed since %s was trained: the run goes on with them as they are now",
            edited,
            checkpoint,
        )
    for each in changed:
        if not each.was_edited:
            log.warning(
                "%s of %r was %s when training began, and is %s now; whether they hold the same is "
                "not looked at",
                each.array,
                each.volume,
                each.old_place,
                each.place,
            )


def _changed(
    recorded: Mapping[str, Mapping[str, Any]], states: Mapping[str, Mapping[str, Any]]
) -> Iterator[_Changed]:
    for volume, arrays in states.items():
        for array, state in arrays.items():
            old = recorded.get(volume, {}).get(array)
            if old is not None and any(old.get(field) != state[field] for field in _IDENTITY):
                yield _Changed(volume, array, old["place"], state["place"])
