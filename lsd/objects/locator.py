"""The run whose network locates the objects that another outlines."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from lsd.network.checkpoints.restore import checkpoint_path
from lsd.objects.run import chosen_threshold, locate
from lsd.prediction.run import configured_workers, predict
from lsd.spec import Config, Volume
from lsd.spec.kinds import absent, modules_named_by
from lsd.spec.paths import config_file, data_root, located, run_folder
from lsd.spec.user_paths import expanded
from lsd.volumes.find import expand
from lsd.volumes.reference import locate as place

log = logging.getLogger(__name__)
Progress = Callable[[str], object]


def located_by(config: Config, *, progress: Progress = log.info) -> list[Path]:
    """Predicts, segments and lists the objects of predict.volumes by the run that seeds.locator
    names, as far as that is not done; returns the tables.  Without a locator, or where
    seeds.located names tables instead, there is nothing to do.

    Raises ValueError where there is no such run, or it does not know how to locate.
    """
    if not config.seeds.asks_locator:
        return []
    config = expand(config)
    locator = locator_of(config)
    _warn_of_other_data(config, locator)
    shared = configured_workers(locator.predict) if locator.predict.workers.count else None
    predict(locator, workers=shared)
    return locate(locator, progress=progress)


def locator_of(config: Config) -> Config:
    """The config of the run that locates, with the volumes and the region of this one; its own
    scale is that of its volumes.

    What is located in another region than its own lies in the folder of this run, so that a block
    of a volume does not take the place of the whole.
    """
    run = expand(_recorded(expanded(str(config.seeds.locator))))
    if data_root(run) != data_root(config):
        raise ValueError(
            f"data_root of the run that locates is {data_root(run)}, of this one "
            f"{data_root(config)}; give this one the same"
        )
    volumes = config.dataset.named(config.predict.volumes)
    known = run.dataset.volumes()
    scale = next((volume.scale for volume in known.values()), None)
    others = tuple(
        volume.derive(name=name, scale=scale)
        for name, volume in volumes.items()
        if name not in known
    )
    if config.predict.region != run.predict.region:
        run = _apart(run, run_folder(config))
    return run.derive(
        dataset={"test": (*run.dataset.test, *others)},
        predict={"volumes": tuple(volumes), "region": config.predict.region},
    )


def _apart(run: Config, folder: Path) -> Config:
    """A run that locates with the network and the threshold of another one."""
    checkpoint = checkpoint_path(run.predict.checkpoint, run).resolve()
    return run.derive(
        runs=str(folder),
        name="locator",
        predict={"checkpoint": str(checkpoint)},
        locate={"threshold": chosen_threshold(run)},
    )


def table_path(config: Config, volume: str) -> Path:
    """The table of the located objects of a volume."""
    settings = config.seeds
    if settings.located is not None:
        return expanded(settings.located.replace("{volume}", volume))
    return located(locator_of(config) if settings.asks_locator else config, volume)


def _warn_of_other_data(config: Config, locator: Config) -> None:
    """Where a name means one volume to the run that locates and another one here."""
    known, root = locator.dataset.volumes(), data_root(config)
    for name, volume in config.dataset.named(config.predict.volumes).items():
        here, there = (_data(each, root) for each in (volume, known[name]))
        if here != there:
            log.warning(
                "volume %r is %s to the run that locates, and %s here: what it locates there is "
                "outlined here, so both must lie in the same place of the world",
                name,
                there,
                here,
            )


def _data(volume: Volume, root: Path) -> object:
    """What a volume is of."""
    if volume.path is not None:
        return place(volume.path, root=root).resolve()
    return volume.synthetic or volume.images


def _recorded(folder: Path) -> Config:
    """The config of a run, which its folder says the place of."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(
            f"seeds.locator: there is no {path}; name the folder of a run that was trained to "
            f"locate objects, as in runs/coarse"
        )
    content = path.read_text(encoding="utf-8")
    missing = absent(modules_named_by(content))
    if missing:
        raise ValueError(
            f"{path}: module {missing[0]!r} is not imported, which defines kinds of it; name it: "
            f"imports={missing[0]!r}"
        )
    try:
        recorded = Config.model_validate_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is no config that this version knows: {error}") from error
    moved = recorded.derive(runs=str(folder.resolve().parent), name=folder.resolve().name)
    assert config_file(moved).exists(), "it was read there"
    return moved


__all__ = ["located_by", "locator_of", "table_path"]
