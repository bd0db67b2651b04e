"""What a network is trained on, as it is on disk: its weights follow from one state of the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from funlib.geometry import Coordinate

from lsd.spec import Config
from lsd.spec.paths import data_root
from lsd.volumes.inputs import VolumeInput
from lsd.volumes.volume import OpenVolume, open_volume

log = logging.getLogger(__name__)

States = dict[str, dict[str, Any]]


def training_states(config: Config) -> States:
    """State of each array of each training volume, as JSON: by the volume's name, and the
    array's."""
    root = data_root(config)
    volumes = [
        open_volume(volume, name=name, data_root=root)
        for name, volume in config.dataset.part("train").items()
    ]
    return {volume.name: states(volume, config) for volume in volumes}


def states(volume: OpenVolume, config: Config) -> dict[str, Any]:
    """State of each array of a volume, of raw that of the region and as much around it as enters
    the network."""
    shape = config.network.train_shape
    around = Coordinate((0,) * (volume.roi.dims - len(shape)) + tuple(shape))
    arrays = VolumeInput.everything(volume, data_root(config), around=around).arrays
    return {name: state.model_dump(mode="json") for name, state in arrays.items()}


def check_data(
    noted: Mapping[str, Mapping[str, Any]] | None, config: Config, *, where: Path
) -> None:
    """Raises ValueError where data are not those that a checkpoint was trained on; noted: what it
    says of them.

    Files that lie elsewhere may be the same, and are told.  Checkpoints of earlier versions say
    nothing.
    """
    now = training_states(config) if noted else {}
    pairs = [
        (volume, array, noted[volume][array], state)
        for volume, arrays in now.items()
        for array, state in arrays.items()
        if noted and array in noted.get(volume, {})
    ]
    differ = [
        pair
        for pair in pairs
        if any(pair[2].get(what) != pair[3][what] for what in ("layout", "dtype", "content"))
    ]
    edited = [
        f"{new['place']} ({array} of {volume!r})"
        for volume, array, old, new in differ
        if old["place"] == new["place"]
    ]
    if edited and config.train.changed_data == "refuse":
        raise ValueError(
            f"{', '.join(edited)} changed since {where} was trained, whose weights follow from the "
            f"data; give the run another "
            f"name= (train.init names {where} where it is to begin with these weights), or, if it "
            f"may learn from both, set "
            "train.changed_data=accept"
        )
    if edited:
        log.warning(
            "%s changed since %s was trained: the run goes on with them as they are now",
            ", ".join(edited),
            where,
        )
    for volume, array, old, new in differ:
        if old["place"] != new["place"]:
            said = (
                "%s of %r was %s when training began, and is %s now; whether they hold the same is "
                "not looked at"
            )
            log.warning(said, array, volume, old["place"], new["place"])
