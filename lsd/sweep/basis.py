"""What the result of a run follows from, so that it can be told from that of another config, or of
other data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsd.network.checkpoints import checkpoint
from lsd.spec import Config, Dataset, Predict
from lsd.spec.code import module_digest
from lsd.spec.effect import effective
from lsd.spec.paths import data_root
from lsd.spec.skeletons import SkeletonFiles
from lsd.spec.sweep import Run, Sweep
from lsd.spec.user_paths import expanded
from lsd.sweep.pace import iterations
from lsd.sweep.process import FAULTS
from lsd.sweep.results import Result
from lsd.training.data_state import volume_input
from lsd.volumes.find import expand
from lsd.volumes.skeletons.sources import open_skeletons
from lsd.volumes.volume import open_volume

# fields of a config that say where things lie; what the data are is looked at
_PLACES = ("runs", "data_root")


def timed(sweep: Sweep, one: Run, folder: Path) -> Config:
    """The config of a run with the iterations that its minutes are."""
    minutes = sweep.minutes_of(one.setting)
    if minutes is None:
        return one.config
    count = iterations(one.config, minutes, setting=one.setting, folder=folder)
    return one.config.derive(train={"iterations": count})


def fingerprint(config: Config, scored: Dataset | None, further: str | None) -> str:
    """Digest of all that the result of a run follows from: its config, and the data as they are on
    disk."""
    config = expand(config)
    spec = {name: value for name, value in effective(config).items() if name not in _PLACES}
    if chosen := _chosen(config.predict):
        spec["predicted"] = chosen
    volumes = dict(config.dataset.volumes())
    if weights := _weights(config):
        spec["weights"] = weights
    if scored is not None:
        spec["scored"] = effective(scored)
        others = expand(config.derive(dataset=scored)).dataset.volumes()
        # names say nothing: most datasets have a volume "validate"
        volumes |= {
            name if volumes.get(name, volume) == volume else f"scored {name}": volume
            for name, volume in others.items()
        }
    root, data = data_root(config), dict[str, dict[str, list[Any]]]()
    for name, volume in volumes.items():
        opened = open_volume(volume, name=name, data_root=root)
        arrays = volume_input(opened, data_root=root, input_shape=config.network.train_shape).arrays
        data[name] = {
            array: [state.layout, state.dtype, state.content] for array, state in arrays.items()
        }
        if (skeletons := opened.spec.skeletons) is not None:
            data[name]["skeletons"] = [effective(skeletons)]
        # others follow from the labels, or from the volume
        if isinstance(skeletons, SkeletonFiles):
            data[name]["skeletons"] += [open_skeletons(opened, data_root=root).digest]
    if further is not None:
        # its numbers are those of the function as it is
        spec["further"] = module_digest(further.partition(":")[0])
    content = json.dumps([spec, further, data], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _chosen(predict: Predict) -> dict[str, Any]:
    """What of prediction changes none of its steps, but says which weights and volumes are scored,
    and in which blocks; only what is not usual, as results of before have none of it."""
    usual = Predict()
    return {
        name: value
        for name in ("checkpoint", "volumes", "region", "memory", "shape")
        if (value := getattr(predict, name)) != getattr(usual, name)
    }


def _weights(config: Config) -> dict[str, str]:
    """The sha256 of the checkpoints that a config names by their paths, which may be written
    anew."""
    names = [*config.train.init.values()]
    names += [] if config.predict.is_own_checkpoint else [config.predict.checkpoint]
    return {name: checkpoint.verify(expanded(name)) for name in names}


class Current:
    """Whether a result on disk is one of the sweep as it is now: called with a result.

    That of a setting of the sweep is, where it is of the same config and data; that of a setting
    which the sweep does not name stays.
    told: in a line of what is left out and no run of the sweep, which will be done again
    """

    def __init__(self, sweep: Sweep, folder: Path, *, told: Callable[[str], object]) -> None:
        self._sweep, self._folder, self._told = sweep, folder, told
        self._runs = {(one.setting, one.seed) for one in sweep.all_runs()}
        self._known: dict[tuple[str, int], str | None] = {}

    def __call__(self, result: Result) -> bool:
        """See the class."""
        key = (result.setting, result.seed)
        if result.setting not in self._sweep.settings:
            return True
        if key not in self._known:
            self._known[key] = self._fingerprint(*key)
            if self._known[key] != result.depends_on and key not in self._runs:
                self._told(
                    f"{result.setting}_seed{result.seed} was done with another config or other "
                    f"data than this sweep has, so it is not in the table"
                )
        return self._known[key] == result.depends_on

    def _fingerprint(self, setting: str, seed: int) -> str | None:
        """None where it cannot be told, as of data that are gone."""
        one = self._sweep.one_run(setting, seed)
        try:
            config = timed(self._sweep, one, self._folder)
            return fingerprint(config, self._sweep.scored, self._sweep.further)
        except FAULTS:
            return None
